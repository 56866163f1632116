"""Connections: who sees which, who reads the details, and how they are kept."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import connection as database

from tests.factories import make_connection, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections.models import Connection, DetailsUnreadable, validate_line
from wallaroo_ui.json_text import JSONRefused
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

ROLES = ("stranger", "viewer", "collaborator", "owner", "admin")


@pytest.mark.parametrize(
    ("name", "sees", "reads", "manages"),
    [
        ("stranger", False, False, False),
        ("viewer", True, False, False),
        ("collaborator", True, True, False),
        ("owner", True, True, False),
        ("admin", True, True, True),
    ],
)
def test_a_role_in_a_linked_workspace_decides(
    name: str,
    sees: bool,
    reads: bool,
    manages: bool,
    workspace: Workspace,
    request: pytest.FixtureRequest,
) -> None:
    user = request.getfixturevalue(name)
    connection = make_connection(workspace)

    assert (connection in Connection.objects.visible_to(user)) is sees
    assert (connection in Connection.objects.readable_by(user)) is reads
    assert connection.may_read_details(user) is reads
    assert connection.may_be_managed_by(user) is manages


@pytest.mark.parametrize("name", ["viewer", "collaborator", "owner"])
def test_what_no_workspace_of_theirs_has_is_nobodys_business(
    name: str, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    make_connection()
    make_connection(make_workspace())
    user = request.getfixturevalue(name)
    assert not Connection.objects.visible_to(user).exists()
    assert not Connection.objects.readable_by(user).exists()


def test_its_maker_does_everything_wherever_it_is(stranger: User, workspace: Workspace) -> None:
    connection = make_connection(workspace, created_by=stranger)

    assert connection in Connection.objects.visible_to(stranger)
    assert connection.may_read_details(stranger)
    assert connection.may_be_managed_by(stranger)


def test_a_connection_without_a_maker_is_nobodys_own(viewer: User) -> None:
    connection = make_connection()
    assert not connection.may_be_managed_by(viewer)
    assert not connection.may_be_managed_by(AnonymousUser())
    assert not Connection.objects.visible_to(AnonymousUser()).exists()


def test_the_best_role_counts_and_a_connection_is_listed_once(viewer: User) -> None:
    connection = make_connection(make_workspace(viewer), make_workspace(viewer))
    assert connection.may_read_details(viewer)
    assert list(Connection.objects.visible_to(viewer)) == [connection]


def test_an_admin_whose_run_calls_has_the_connections_of_its_workspace_only(
    admin: User, workspace: Workspace
) -> None:
    here, elsewhere = make_connection(workspace), make_connection(make_workspace())
    admin.confined_to = workspace.pk

    assert list(Connection.objects.visible_to(admin)) == [here]
    assert here.may_read_details(admin)
    assert not here.may_be_managed_by(admin)
    assert not elsewhere.may_read_details(admin)


def test_only_workspaces_that_somebody_sees_are_named_to_them(
    workspace: Workspace, viewer: User, admin: User
) -> None:
    other = make_workspace(name="another")
    make_connection(workspace, other)

    seen = {
        user: Connection.objects.with_workspaces_seen_by(user).get().seen_workspaces
        for user in (viewer, admin)
    }

    assert seen == {viewer: [workspace], admin: [other, workspace]}


def test_details_are_read_back_as_they_were() -> None:
    details = {"b": [1, 1.5, None, {"é": "✓"}], "a": 10**30}
    connection = make_connection(details=details)
    assert Connection.objects.get().details == connection.details == details
    assert list(Connection.objects.get().details) == ["b", "a"]


def test_nothing_of_the_details_is_in_the_database() -> None:
    make_connection(details={"pass phrase": "open sesame"})
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM connections_connection")
        row = " ".join(map(str, cursor.fetchone()))
    assert "pass" not in row
    assert "sesame" not in row


def test_details_moved_to_another_row_are_not_read(stranger: User) -> None:
    rich = make_connection(details={"token": "of the rich"})
    mine = make_connection(created_by=stranger)
    mine.sealed_details = rich.sealed_details
    mine.save()
    with pytest.raises(DetailsUnreadable, match=f"The details of {mine.name} cannot be decrypted"):
        _ = Connection.objects.get(pk=mine.pk).details


@pytest.mark.parametrize("details", [{"a": float("nan")}, {"a": "\0"}, {"a": "x" * 1_000_000}])
def test_details_that_cannot_be_kept_are_refused(details: dict[str, object]) -> None:
    with pytest.raises(JSONRefused):
        make_connection(details=details)


def test_large_details_are_kept() -> None:
    details = {"certificate": "x" * 900_000}
    assert make_connection(details=details).details == details
    assert len(json.dumps(details)) < len(Connection.objects.get().sealed_details)


@pytest.mark.parametrize("text", ["a\nb", "a\0", "\x7f", "a\u2028b", "\ud800", "a\tb"])
def test_names_stand_on_one_line(text: str) -> None:
    with pytest.raises(ValidationError, match="control characters"):
        validate_line(text)


def test_a_name_may_be_in_any_language() -> None:
    validate_line("Lager Köln 🦘")


def test_a_connection_outlives_its_maker(workspace: Workspace) -> None:
    maker = make_user()
    make_connection(workspace, created_by=maker)
    maker.delete()
    connection = Connection.objects.get()
    assert connection.created_by is None
    assert connection.details
