"""Pages about workspaces: what they show to whom, and what they answer to what is sent."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import (
    add_member,
    make_connection,
    make_orchestration,
    make_user,
    make_workspace,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Role, Workspace

pytestmark = pytest.mark.django_db

HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def path(name: str, workspace: Workspace, *more: object) -> str:
    return reverse(f"workspaces:{name}", args=[workspace.pk, *more])


def text(response: Any) -> str:
    content: bytes = response.content
    return content.decode()


def said(response: Any) -> list[str]:
    """Return the messages on the page to which an action leads."""
    return [str(message) for message in response.context["messages"]]


# -- To make one ----------------------------------------------------------------------------


def test_the_maker_of_a_workspace_comes_to_its_page_as_its_owner(
    owner: User, owner_client: Client
) -> None:
    assert "/workspaces/new/" in text(owner_client.get("/workspaces/"))

    response = owner_client.post("/workspaces/new/", {"name": "forecasting"})

    made = Workspace.objects.get(name="forecasting")
    assert response.headers["Location"] == path("detail", made)
    assert made.role_of(owner) == Role.OWNER
    assert made.created_by == owner


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two words", "begins with a letter or a digit"),
        ("a" * 65, "at most 64 letters"),
        ("team", "There is a workspace team already."),
        ("", "This field is required."),
    ],
)
def test_a_name_that_is_none_is_refused_at_its_field(
    name: str, words: str, workspace: Workspace, owner_client: Client
) -> None:
    response = owner_client.post("/workspaces/new/", {"name": name}, **HTMX)

    assert response.status_code == 422
    assert words in response.context["form"].errors["name"][0]
    assert 'aria-describedby="id_name_helptext id_name_error"' in text(response)
    assert "<html" not in text(response)


# -- The page -------------------------------------------------------------------------------


def test_the_page_shows_the_facts_and_leads_to_what_the_workspace_has(
    owner: User, owner_client: Client
) -> None:
    workspace = make_workspace(owner, created_by=owner, time_zone="Europe/Berlin")
    make_orchestration(workspace)
    make_connection(workspace)
    make_connection(workspace)

    response = owner_client.get(path("detail", workspace))

    assert (response.context["workload_count"], response.context["connection_count"]) == (1, 2)
    assert "Europe/Berlin" in text(response)
    assert f'href="/workspaces/{workspace.pk}/workloads/"' in text(response)
    assert f'href="/workspaces/{workspace.pk}/connections/"' in text(response)


@pytest.mark.parametrize("listing", ["/workspaces/", "/workspaces/{}/workloads/"])
def test_the_lists_lead_to_the_members(
    listing: str, workspace: Workspace, owner_client: Client
) -> None:
    page = text(owner_client.get(listing.format(workspace.pk)))
    assert f'href="{path("detail", workspace)}"' in page


@pytest.mark.parametrize("name", ["viewer", "collaborator"])
def test_who_is_no_owner_sees_the_members_and_may_only_leave(
    name: str, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    page = text(login(request.getfixturevalue(name)).get(path("detail", workspace)))
    for address in ("owner@example.com", "collaborator@example.com", "viewer@example.com"):
        assert address in page
    assert page.count("<form") == 2  # To leave, and to log out.
    assert path("leave", workspace) in page


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_owners_and_admins_get_the_forms(
    name: str, workspace: Workspace, viewer: User, request: pytest.FixtureRequest
) -> None:
    page = text(login(request.getfixturevalue(name)).get(path("detail", workspace)))
    assert path("member-add", workspace) in page
    assert path("defaults", workspace) in page
    assert path("member-role", workspace, viewer.pk) in page
    assert path("member-remove", workspace, viewer.pk) in page


def test_what_would_be_refused_is_not_offered(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    page = text(owner_client.get(path("detail", workspace)))
    assert "The only one, and there must be one" in page
    assert path("member-role", workspace, owner.pk) not in page
    assert path("leave", workspace) not in page


def test_somebodys_default_workspace_offers_no_way_to_be_without_it(
    owner: User, admin: User
) -> None:
    workspace = owner.default_workspace
    add_member(workspace, make_user("second"), Role.OWNER)

    assert "you cannot leave it" in text(login(owner).get(path("detail", workspace)))
    page = text(login(admin).get(path("detail", workspace)))
    assert "they stay in it" in page
    assert path("member-remove", workspace, owner.pk) not in page


def test_a_member_who_cannot_log_in_any_more_is_marked(
    workspace: Workspace, viewer: User, owner_client: Client
) -> None:
    assert "Deactivated" not in text(owner_client.get(path("detail", workspace)))
    viewer.is_active = False
    viewer.save()
    assert "Deactivated" in text(owner_client.get(path("detail", workspace)))


def test_a_workspace_without_members_says_so_to_an_admin(admin: User) -> None:
    page = text(login(admin).get(path("detail", make_workspace())))
    assert "Nobody is a member yet." in page


@pytest.mark.parametrize("name", ["viewer", "owner", "admin"])
def test_the_page_asks_the_same_few_questions_however_many_members_there_are(
    name: str,
    workspace: Workspace,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    client = login(request.getfixturevalue(name))
    for role in [*Role, *Role, *Role]:
        add_member(workspace, make_user(), role)

    with django_assert_max_num_queries(8):
        client.get(path("detail", workspace))


# -- To add a member ------------------------------------------------------------------------


def test_an_owner_adds_a_member_by_their_address_however_it_is_written(
    workspace: Workspace, stranger: User, owner_client: Client
) -> None:
    data = {"email": " Stranger@Example.com", "role": "viewer"}

    response = owner_client.post(path("member-add", workspace), data, follow=True)

    assert workspace.role_of(stranger) == Role.VIEWER
    assert said(response) == ["stranger@example.com is a member now, with the role Viewer."]


def test_who_is_a_member_already_keeps_their_role(
    workspace: Workspace, collaborator: User, owner_client: Client
) -> None:
    data = {"email": collaborator.email, "role": "viewer"}

    response = owner_client.post(path("member-add", workspace), data)

    assert response.status_code == 422
    assert "collaborator@example.com is a member already." in text(response)
    assert workspace.role_of(collaborator) == Role.COLLABORATOR


def test_where_only_admins_invite_an_owner_is_sent_to_one(
    workspace: Workspace, owner_client: Client, settings: Any
) -> None:
    settings.INVITATIONS = "admins"
    data = {"email": "nobody@example.com", "role": "viewer"}

    response = owner_client.post(path("member-add", workspace), data, **HTMX)

    assert response.status_code == 422
    assert "Nobody on this server has the address nobody@example.com." in text(response)
    assert "Ask an administrator" in text(response)
    assert text(response).lstrip().startswith('<section id="member-add"')


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"email": "no address", "role": "viewer"}, "email"),
        ({"email": "", "role": "viewer"}, "email"),
        ({"email": "stranger@example.com", "role": "king"}, "role"),
    ],
)
def test_what_is_no_address_or_no_role_is_refused_at_its_field(
    data: dict[str, str], field: str, workspace: Workspace, stranger: User, owner_client: Client
) -> None:
    response = owner_client.post(path("member-add", workspace), data)
    assert response.status_code == 422
    assert list(response.context["member_form"].errors) == [field]
    assert workspace.role_of(stranger) is None


# -- Roles ----------------------------------------------------------------------------------


def test_an_owner_gives_a_member_another_role(
    workspace: Workspace, viewer: User, owner_client: Client
) -> None:
    response = owner_client.post(
        path("member-role", workspace, viewer.pk), {"role": "owner"}, follow=True
    )
    assert workspace.role_of(viewer) == Role.OWNER
    assert said(response) == ["viewer@example.com has the role Owner now."]


def test_the_last_owner_stays_one(workspace: Workspace, owner: User, owner_client: Client) -> None:
    response = owner_client.post(
        path("member-role", workspace, owner.pk), {"role": "viewer"}, follow=True
    )
    assert workspace.role_of(owner) == Role.OWNER
    assert said(response) == ["team would have no owner left. Make somebody else one."]


def test_an_owner_who_cannot_log_in_looks_after_nothing(
    workspace: Workspace, owner: User, viewer: User, owner_client: Client
) -> None:
    workspace.memberships.filter(user=viewer).update(role=Role.OWNER)
    User.objects.filter(pk=viewer.pk).update(is_active=False)

    response = owner_client.post(path("leave", workspace), follow=True)

    assert workspace.role_of(owner) == Role.OWNER
    assert said(response) == ["team would have no owner left. Make somebody else one."]
    page = text(owner_client.get(workspace.page_url))
    assert "The only one, and there must be one" in page
    assert path("leave", workspace) not in page


def test_an_unknown_role_changes_nothing(
    workspace: Workspace, viewer: User, owner_client: Client
) -> None:
    response = owner_client.post(
        path("member-role", workspace, viewer.pk), {"role": "king"}, follow=True
    )
    assert workspace.role_of(viewer) == Role.VIEWER
    assert said(response) == ["Choose a role."]


@pytest.mark.parametrize("action", ["member-role", "member-remove"])
def test_an_old_page_brings_nobody_back_who_is_no_member_any_more(
    action: str, workspace: Workspace, stranger: User, owner_client: Client
) -> None:
    response = owner_client.post(
        path(action, workspace, stranger.pk), {"role": "viewer"}, follow=True
    )
    assert workspace.role_of(stranger) is None
    assert said(response) == ["They are no member any more."]


# -- To go ----------------------------------------------------------------------------------


def test_an_owner_takes_a_member_out(
    workspace: Workspace, viewer: User, owner_client: Client
) -> None:
    response = owner_client.post(path("member-remove", workspace, viewer.pk), follow=True)
    assert workspace.role_of(viewer) is None
    assert said(response) == ["viewer@example.com is no member any more."]


def test_an_admin_takes_nobody_out_of_their_default_workspace(viewer: User, admin: User) -> None:
    workspace = viewer.default_workspace
    response = login(admin).post(path("member-remove", workspace, viewer.pk), follow=True)
    assert workspace.role_of(viewer) == Role.OWNER
    assert said(response) == ["This is the default workspace of viewer@example.com."]


def test_a_viewer_leaves_and_sees_it_no_more(workspace: Workspace, viewer: User) -> None:
    client = login(viewer)
    response = client.post(path("leave", workspace), follow=True)
    assert response.redirect_chain == [("/workspaces/", 302)]
    assert said(response) == ["You have left team."]
    assert client.get(path("detail", workspace)).status_code == 404


def test_the_last_owner_cannot_leave(
    workspace: Workspace, owner: User, owner_client: Client
) -> None:
    response = owner_client.post(path("leave", workspace), follow=True)
    assert workspace.role_of(owner) == Role.OWNER
    assert said(response) == ["team would have no owner left. Make somebody else one."]


def test_an_admin_cannot_leave_where_they_are_no_member(workspace: Workspace, admin: User) -> None:
    response = login(admin).post(path("leave", workspace), follow=True)
    assert said(response) == ["You are no member of team."]


# -- Defaults -------------------------------------------------------------------------------


def test_an_owner_sets_what_new_tasks_begin_with(
    workspace: Workspace, owner_client: Client
) -> None:
    data = {"time_zone": "America/Sao_Paulo", "timeout": "120"}

    response = owner_client.post(path("defaults", workspace), data, **HTMX)

    workspace.refresh_from_db()
    assert (workspace.time_zone, workspace.timeout_seconds) == ("America/Sao_Paulo", 120)
    assert response.headers["HX-Redirect"] == path("detail", workspace)
    form = reverse("tasks:create", args=[make_orchestration(workspace).pk])
    assert re.search(r'name="timeout"[^>]*value="120"', text(owner_client.get(form)))


def test_no_timeout_proposes_none(workspace: Workspace, owner_client: Client) -> None:
    owner_client.post(path("defaults", workspace), {"time_zone": "UTC", "timeout": "60"})
    owner_client.post(path("defaults", workspace), {"time_zone": "UTC", "timeout": ""})
    workspace.refresh_from_db()
    assert workspace.timeout_seconds is None
    form = reverse("tasks:create", args=[make_orchestration(workspace).pk])
    assert not re.search(r'name="timeout"[^>]*value=', text(owner_client.get(form)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "There is no time zone “Mars/Olympus”"),
        ({"time_zone": "UTC", "timeout": "0"}, "at least 1 second"),
        ({"time_zone": "UTC", "timeout": "2592001"}, "which is 30 days"),
        ({"time_zone": "UTC", "timeout": "soon"}, "Write a whole number of seconds."),
    ],
)
def test_defaults_that_make_no_sense_are_refused_at_their_field(
    data: dict[str, str], words: str, workspace: Workspace, owner_client: Client
) -> None:
    response = owner_client.post(path("defaults", workspace), data, **HTMX)

    assert response.status_code == 422
    assert words in text(response)
    assert text(response).lstrip().startswith('<section id="defaults"')
    workspace.refresh_from_db()
    assert (workspace.time_zone, workspace.timeout_seconds) == ("UTC", None)


def test_the_zones_of_the_task_form_are_offered(workspace: Workspace, owner_client: Client) -> None:
    page = text(owner_client.get(path("detail", workspace)))
    assert '<datalist id="time-zones">' in page
    assert '<option value="Africa/Nairobi">' in page


# -- The chooser ----------------------------------------------------------------------------


def test_the_chooser_shows_role_and_counts(workspace: Workspace, viewer: User, admin: User) -> None:
    make_orchestration(workspace)
    (row,) = (
        row
        for row in login(viewer).get("/workspaces/").context["page"].rows
        if row.pk == workspace.pk
    )
    assert (row.role, row.member_count, row.workload_count) == ("viewer", 3, 1)
    assert 'data-label="Your role">Admin' in text(login(admin).get("/workspaces/"))


def test_many_workspaces_are_searched_and_paged(
    owner: User, owner_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        make_workspace(owner, name=f"team-{number:02}")

    with django_assert_max_num_queries(8):
        first = owner_client.get("/workspaces/")
    assert 'type="search"' in text(first)
    assert len(first.context["page"].rows) == 50
    rest = owner_client.get("/workspaces/", {"cursor": first.context["page"].next})
    assert len(rest.context["page"].rows) == 11  # With the owner's own.
    found = owner_client.get("/workspaces/", {"q": "TEAM-07"}, **HTMX)
    assert [row.name for row in found.context["page"].rows] == ["team-07"]
    assert "<html" not in text(found)
    assert "No workspace matches" in text(owner_client.get("/workspaces/", {"q": "none"}))


def test_few_workspaces_need_no_search(workspace: Workspace, owner_client: Client) -> None:
    assert 'type="search"' not in text(owner_client.get("/workspaces/"))


def test_the_page_lists_connections_in_short(workspace: Workspace, owner_client: Client) -> None:
    for number in range(12):
        make_connection(workspace, name=f"lake-{number:02}")
    page = text(owner_client.get(path("detail", workspace)))
    assert "lake-07" in page
    assert "lake-08" not in page
    assert path_of_connections(workspace) in page


def path_of_connections(workspace: Workspace) -> str:
    return reverse("connections:of-workspace", args=[workspace.pk])
