"""Workspaces: the default one, roles, and who sees which."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.test import Client

from tests.factories import make_orchestration, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces import access
from wallaroo_ui.workspaces.models import Role, Workspace
from wallaroo_ui.workspaces.services import (
    change_role,
    create_workspace,
    ensure_default_workspace,
    remove_member,
)

pytestmark = pytest.mark.django_db


def test_everybody_gets_a_default_workspace_named_as_the_sdk_names_it() -> None:
    user = make_user("ann")

    workspace = ensure_default_workspace(user)

    assert workspace.name == "ann@example.com - Default Workspace"
    assert workspace.role_of(user) == Role.OWNER
    assert Workspace.objects.count() == 1
    assert ensure_default_workspace(user) == workspace


def test_an_address_used_again_opens_nobody_elses_workspace() -> None:
    first = make_user("ann")
    first.email = "ann.other@example.com"
    first.save()

    second = make_user("bob", email="ann@example.com")

    assert first.default_workspace.role_of(second) is None
    assert second.default_workspace != first.default_workspace


def test_home_is_the_default_workspace(client: Client) -> None:
    user = make_user("ann")
    client.force_login(user)
    assert client.get("/").headers["Location"] == user.default_workspace.get_absolute_url()


def test_home_offers_the_choice_where_all_work_is_elsewhere(
    client: Client, workspace: Workspace, viewer: User
) -> None:
    client.force_login(viewer)
    make_orchestration(workspace)
    assert client.get("/").headers["Location"] == "/workspaces/"
    make_orchestration(viewer.default_workspace)
    assert client.get("/").headers["Location"] == viewer.default_workspace.get_absolute_url()


def test_the_maker_of_a_workspace_owns_it(owner: User) -> None:
    assert create_workspace(name="new", owner=owner).role_of(owner) == Role.OWNER


def test_members_see_their_workspaces_and_admins_all(
    workspace: Workspace, viewer: User, stranger: User, admin: User
) -> None:
    assert workspace in Workspace.objects.visible_to(viewer)
    assert workspace not in Workspace.objects.visible_to(stranger)
    assert workspace in Workspace.objects.visible_to(admin)
    assert not Workspace.objects.visible_to(AnonymousUser()).exists()


@pytest.mark.parametrize("name", ["owner", "collaborator", "viewer", "stranger", "admin"])
def test_those_that_somebody_may_change_are_those_in_which_their_role_says_so(
    name: str, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(name)
    changeable = Workspace.objects.changeable_by(user)
    assert (workspace in changeable) is access.may_change(workspace, user)


def test_an_admin_whose_run_calls_changes_one_workspace_only(
    workspace: Workspace, admin: User
) -> None:
    elsewhere = make_workspace()
    admin.confined_to = workspace.pk

    assert set(Workspace.objects.changeable_by(admin)) == {workspace, admin.default_workspace}
    assert elsewhere not in Workspace.objects.visible_to(admin)
    assert not Workspace.objects.changeable_by(AnonymousUser()).exists()


def test_a_new_role_does_not_bring_back_who_was_removed(
    workspace: Workspace, owner: User, viewer: User
) -> None:
    assert change_role(workspace=workspace, user=viewer, role=Role.COLLABORATOR, by=owner)
    remove_member(workspace=workspace, user=viewer, by=owner)
    assert not change_role(workspace=workspace, user=viewer, role=Role.VIEWER, by=owner)
    assert not workspace.memberships.filter(user=viewer).exists()


def test_strangers_get_404(workspace: Workspace, stranger: User) -> None:
    with pytest.raises(Http404):
        access.visible_or_404(Workspace.objects.all(), stranger, pk=workspace.pk)


@pytest.mark.parametrize(("role", "allowed"), [("viewer", False), ("collaborator", True)])
def test_viewers_change_nothing(
    role: str, allowed: bool, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(role)
    assert access.may_change(workspace, user) is allowed
    if not allowed:
        with pytest.raises(PermissionDenied, match="not change it"):
            access.require_change(workspace, user)


def test_an_inactive_admin_is_no_admin() -> None:
    admin = make_user(is_superuser=True, is_active=False)
    assert make_workspace().role_of(admin) is None


def test_the_chooser_counts_members_and_workloads(workspace: Workspace, owner: User) -> None:
    client = Client()
    client.force_login(owner)
    listed = client.get("/workspaces/").context["page"].rows
    assert {each.name: each.member_count for each in listed}["team"] == 3


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    workspace = make_workspace(time_zone="Mars/Olympus")

    with pytest.raises(ValidationError, match="There is no time zone “Mars/Olympus”"):
        workspace.full_clean()
    workspace.time_zone = "America/Sao_Paulo"
    workspace.full_clean()


def test_only_platform_admins_pass_where_the_server_is_looked_after() -> None:
    access.require_platform_admin(make_user("admin", is_superuser=True))
    with pytest.raises(PermissionDenied):
        access.require_platform_admin(make_user("ann"))
