"""Connections over REST, as the SDK's contract has them."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tests.factories import make_connection, make_user, make_workspace
from wallaroo_ui.accounts import services, tokens
from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.connections.models import Connection, WorkspaceConnection
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

SECRET = {"token": "open sesame", "port": 1}


def send(token: str, action: str, body: object) -> HttpResponse:
    response: HttpResponse = Client(headers={"Authorization": f"Bearer {token}"}).post(  # type: ignore[assignment]
        f"/v1/api/connections/{action}", body, content_type="application/json"
    )
    return response


def access_token(user: User) -> str:
    return tokens.access_token(user, lifetime=timedelta(minutes=1))


def api_token(user: User, scope: Scope) -> str:
    _, text = services.create_api_token(
        user=user, name="ci", scope=scope, lifetime=timedelta(hours=1), at=timezone.now()
    )
    return text


def call(user: User, action: str, **body: object) -> HttpResponse:
    return send(access_token(user), action, body)


def read(response: HttpResponse) -> Any:
    return json.loads(response.content)


def names(user: User, **body: object) -> list[str]:
    return [each["name"] for each in read(call(user, "list", **body))["connections"]]


# -- Making ---------------------------------------------------------------------------------


def test_a_connection_is_made_and_looked_at(owner: User) -> None:
    made = call(owner, "create", name="warehouse", type="POSTGRES", details=SECRET)

    connection = Connection.objects.get()
    assert (made.status_code, read(made)) == (200, {"id": str(connection.pk)})
    shown = read(call(owner, "get", name="warehouse"))
    assert shown.pop("created_at").endswith(("Z", "+00:00"))
    assert shown == {
        "id": str(connection.pk),
        "name": "warehouse",
        "type": "POSTGRES",
        "details": SECRET,
        "workspace_names": [],
    }
    assert read(call(owner, "get_by_id", id=str(connection.pk))) == shown | {
        "created_at": read(call(owner, "get", name="warehouse"))["created_at"]
    }


def test_a_name_that_is_taken_is_a_conflict(owner: User, stranger: User) -> None:
    make_connection(name="warehouse", created_by=owner)
    response = call(stranger, "create", name="warehouse", type="HTTP", details={})
    assert response.status_code == 409
    assert read(response)["code"] == 409
    assert "already" in read(response)["msg"]


def test_details_may_be_none(owner: User) -> None:
    assert call(owner, "create", name="a", type="HTTP", details=None).status_code == 200
    assert Connection.objects.get().details == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": " "}, "name: "),
        ({"name": "x" * 256}, "name: "),
        ({"name": "a\nb"}, "name: It may not hold control characters"),
        ({"name": None}, "name: "),
        ({"type": ""}, "type: "),
        ({"type": "x" * 65}, "type: "),
        ({"type": "a\tb"}, "type: It may not hold control characters"),
        ({"details": [1]}, "details: "),
        ({"details": "{}"}, "details: "),
        ({"details": {"a": "x" * 1_000_000}}, "details: more than 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    fields: dict[str, object], words: str, owner: User
) -> None:
    body = {"name": "a", "type": "HTTP", "details": {}} | fields
    response = call(owner, "create", **body)
    assert response.status_code == 400
    assert words in read(response)["msg"]
    assert read(response)["code"] == 400
    assert not Connection.objects.exists()


def test_a_number_beyond_all_bounds_is_refused(owner: User) -> None:
    response = send(access_token(owner), "create", '{"name":"a","type":"b","details":{"c":1e400}}')
    assert response.status_code == 400
    assert read(response)["msg"] == "details: Infinity is not JSON"


# -- Looking --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "details"),
    [
        ("stranger", 404, None),
        ("viewer", 200, None),
        ("collaborator", 200, SECRET),
        ("owner", 200, SECRET),
        ("admin", 200, SECRET),
    ],
)
def test_who_sees_it_and_who_reads_its_details(
    name: str,
    status: int,
    details: object,
    workspace: Workspace,
    request: pytest.FixtureRequest,
) -> None:
    user = request.getfixturevalue(name)
    connection = make_connection(workspace, name="warehouse", details=SECRET)

    by_name = call(user, "get", name="warehouse")
    by_id = call(user, "get_by_id", id=str(connection.pk))
    listed = read(call(user, "list"))["connections"]

    assert by_name.status_code == by_id.status_code == status
    assert read(by_name) == read(by_id)
    if status == 200:
        assert read(by_name)["details"] == details
        assert listed == [read(by_name)]
    else:
        assert listed == []


def test_only_workspaces_that_the_caller_sees_are_named(
    workspace: Workspace, viewer: User, admin: User
) -> None:
    make_connection(workspace, make_workspace(name="board"), name="shared")
    assert read(call(viewer, "get", name="shared"))["workspace_names"] == ["team"]
    assert read(call(admin, "get", name="shared"))["workspace_names"] == ["board", "team"]


def test_the_list_is_of_a_workspace_or_of_everything_that_the_caller_sees(
    workspace: Workspace, viewer: User
) -> None:
    make_connection(workspace, name="here")
    make_connection(created_by=viewer, name="own")
    make_connection(make_workspace(), name="foreign")

    assert names(viewer) == ["here", "own"]
    assert names(viewer, workspace_id=workspace.pk) == ["here"]
    assert call(viewer, "list", workspace_id=make_workspace().pk).status_code == 404


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_a_long_list_asks_few_questions(
    name: str,
    workspace: Workspace,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    user = request.getfixturevalue(name)
    others = [make_workspace() for _ in range(3)]
    for _ in range(20):
        make_connection(workspace, *others, created_by=make_user())
    with django_assert_max_num_queries(4):
        assert len(names(user)) == 20


def test_what_does_not_exist_is_not_there(owner: User) -> None:
    assert call(owner, "get", name="nothing").status_code == 404
    assert call(owner, "get_by_id", id=str(uuid4())).status_code == 404
    assert call(owner, "get_by_id", id="nonsense").status_code == 400


def test_details_without_their_key_are_null_and_the_operator_hears_of_it(
    owner: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make_connection(created_by=owner, name="lost")
    settings.ENCRYPTION_KEYS = ["another " * 4]
    make_connection(created_by=owner, name="new", details=SECRET)

    with caplog.at_level(logging.WARNING):
        rows = read(call(owner, "list"))["connections"]

    assert {row["name"]: row["details"] for row in rows} == {"lost": None, "new": SECRET}
    assert "The details of lost cannot be decrypted" in caplog.text


def test_a_token_that_may_only_look_reads_no_details(owner: User) -> None:
    make_connection(created_by=owner, name="warehouse", details=SECRET)
    found = {
        scope: read(send(api_token(owner, scope), "get", {"name": "warehouse"}))["details"]
        for scope in Scope
    }
    assert found == {Scope.READ: None, Scope.RUN: SECRET, Scope.MANAGE: SECRET}


# -- Workspaces and deleting ----------------------------------------------------------------


def test_a_workspace_gets_a_connection_and_loses_it(
    workspace: Workspace, collaborator: User
) -> None:
    connection = make_connection(created_by=collaborator)
    link = {"workspace_id": workspace.pk, "connection_id": str(connection.pk)}

    for _ in range(2):
        added = call(collaborator, "add_to_workspace", **link)
        assert added.status_code == 200
        assert read(added) == {"id": str(WorkspaceConnection.objects.get().pk)}
    for _ in range(2):
        removed = call(collaborator, "remove_from_workspace", **link)
        assert (removed.status_code, removed.content) == (204, b"")
        assert not WorkspaceConnection.objects.exists()


@pytest.mark.parametrize(
    ("name", "status"), [("stranger", 404), ("viewer", 403), ("collaborator", 200), ("admin", 200)]
)
def test_to_pass_it_on_one_must_be_allowed_to_read_it(
    name: str, status: int, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(name)
    connection, own = make_connection(workspace), make_workspace(user)
    link = {"workspace_id": own.pk, "connection_id": str(connection.pk)}
    assert call(user, "add_to_workspace", **link).status_code == status


@pytest.mark.parametrize(("action", "success"), [("add", 200), ("remove", 204)])
@pytest.mark.parametrize(
    ("name", "status"), [("stranger", 404), ("viewer", 403), ("collaborator", None)]
)
def test_a_workspace_is_changed_by_those_who_may_change_it(
    action: str,
    success: int,
    name: str,
    status: int | None,
    workspace: Workspace,
    request: pytest.FixtureRequest,
) -> None:
    user = request.getfixturevalue(name)
    connection = make_connection(make_workspace(user))
    link = {"workspace_id": workspace.pk, "connection_id": str(connection.pk)}
    path = {"add": "add_to_workspace", "remove": "remove_from_workspace"}[action]
    assert call(user, path, **link).status_code == (status or success)


@pytest.mark.parametrize(
    ("name", "status"), [("stranger", 404), ("viewer", 403), ("owner", 403), ("admin", 204)]
)
def test_who_deletes_it(
    name: str, status: int, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(name)
    make_connection(workspace, name="warehouse")
    response = call(user, "delete", name="warehouse")
    assert response.status_code == status
    assert Connection.objects.exists() is (status != 204)


def test_its_maker_deletes_it_everywhere(stranger: User, workspace: Workspace) -> None:
    make_connection(workspace, name="warehouse", created_by=stranger)
    assert call(stranger, "delete", name="warehouse").status_code == 204
    assert call(stranger, "delete", name="warehouse").status_code == 404
    assert not WorkspaceConnection.objects.exists()


# -- Tokens ---------------------------------------------------------------------------------

BODIES: dict[str, Callable[[Connection, Workspace], dict[str, object]]] = {
    "create": lambda _, __: {"name": "a", "type": "HTTP", "details": {}},
    "delete": lambda connection, _: {"name": connection.name},
    "add_to_workspace": lambda connection, workspace: {
        "workspace_id": workspace.pk,
        "connection_id": str(connection.pk),
    },
    "remove_from_workspace": lambda connection, workspace: {
        "workspace_id": workspace.pk,
        "connection_id": str(connection.pk),
    },
}


@pytest.mark.parametrize("action", BODIES)
@pytest.mark.parametrize("scope", Scope)
def test_changes_take_a_token_that_manages(
    scope: Scope, action: str, owner: User, workspace: Workspace
) -> None:
    connection = make_connection(created_by=owner)
    response = send(api_token(owner, scope), action, BODIES[action](connection, workspace))
    assert (response.status_code == 403) is (scope != Scope.MANAGE)


@pytest.mark.parametrize("action", ["get", "get_by_id", "list", *BODIES])
def test_nothing_is_said_without_a_token(action: str) -> None:
    response = send("nonsense", action, {})
    assert response.status_code == 401
    assert read(response)["code"] == 401
