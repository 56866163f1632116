"""Who may do what over the API: every operation, with every kind of token.

An operation without a row in the table fails the last test.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from orchestrations.models import Orchestration
from tasks.models import TaskRun
from tests.api.conftest import ApiClient, client_of
from tests.factories import make_run, make_task, make_zip
from wallaroo_ui.accounts import services
from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.api.rest import api
from wallaroo_ui.connections import services as connections
from wallaroo_ui.connections.models import Connection
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

# People with all of their rights; the owner's API tokens, by scope; tokens that are good no
# more; the token of a run that acts for the owner, and of one that acts for an admin.
PEOPLE = ("stranger", "viewer", "collaborator", "owner", "admin")
SCOPES = ("read", "run", "manage")
NOBODY = ("anonymous", "session", "expired", "revoked", "ended run")
RUNS = ("run of owner", "run of admin")
ACTORS = (*NOBODY, *PEOPLE, *SCOPES, *RUNS)

# What each actor gets who does not get the operation's success.
ANYBODY: dict[str, int] = {}
MEMBERS_LOOK = {"stranger": 404}
MEMBERS_CHANGE = {"stranger": 404, "viewer": 403, "read": 403}
OWNERS = MEMBERS_CHANGE | {"collaborator": 403, "run": 403}
MANAGERS = {"read": 403, "run": 403}
ADMINS = dict.fromkeys((*PEOPLE, *SCOPES, *RUNS), 403)
del ADMINS["admin"]


@dataclass
class World:
    """One of everything."""

    workspace: Workspace
    orchestration: Orchestration
    run: TaskRun
    connection: Connection
    owner: User
    stranger: User

    @property
    def new_task(self) -> dict[str, Any]:
        return {
            "orch_id": str(self.orchestration.pk),
            "workspace_id": self.workspace.pk,
            "json": {},
            "name": "nightly",
            "debug": False,
        }

    @property
    def member(self) -> dict[str, Any]:
        return {"workspace_id": self.workspace.pk, "user_id": str(self.stranger.pk)}


@dataclass(frozen=True)
class Row:
    """One operation: its success, who gets something else, and what is sent."""

    name: str
    path: str
    success: int = 200
    others: dict[str, int] = field(default_factory=dict)
    body: Callable[[World], dict[str, Any]] = lambda world: {}
    method: str = "POST"


def task_id(world: World) -> dict[str, Any]:
    return {"id": str(world.run.task_id)}


def run_id(world: World) -> dict[str, Any]:
    return {"id": str(world.run.pk)}


def orchestration_id(world: World) -> dict[str, Any]:
    return {"id": str(world.orchestration.pk)}


def workspace_id(world: World) -> dict[str, Any]:
    return {"workspace_id": world.workspace.pk}


def connection_name(world: World) -> dict[str, Any]:
    return {"name": world.connection.name}


def link(world: World) -> dict[str, Any]:
    return {"workspace_id": world.workspace.pk, "connection_id": str(world.connection.pk)}


V1 = "/v1/api"
USERS = "/auth/admin/realms/master/users"
ROWS = [
    Row("list_workspaces", f"{V1}/workspaces/list"),
    Row(
        "create_workspace",
        f"{V1}/workspaces/create",
        200,
        MANAGERS,
        lambda world: {"workspace_name": f"w-{uuid4().hex[:8]}"},
    ),
    Row("add_workspace_user", f"{V1}/workspaces/add_user", 200, OWNERS, lambda w: w.member),
    Row("remove_workspace_user", f"{V1}/workspaces/remove_user", 200, OWNERS, lambda w: w.member),
    Row("list_workspace_users", f"{V1}/workspaces/list_users", 200, MEMBERS_LOOK, workspace_id),
    Row("query_users", f"{V1}/users/query"),
    Row(
        "invite_user",
        f"{V1}/users/invite",
        200,
        ADMINS,
        lambda world: {"email": "new@example.com", "password": "correct horse battery"},
    ),
    Row(
        "activate_user",
        f"{V1}/users/activate",
        200,
        ADMINS,
        lambda world: {"email": world.stranger.email},
    ),
    Row(
        "deactivate_user",
        f"{V1}/users/deactivate",
        200,
        ADMINS,
        lambda world: {"email": world.owner.email},
    ),
    Row("find_users", f"{USERS}?email=owner@example.com", method="GET"),
    Row("get_user", USERS + "/{owner}", 200, MEMBERS_LOOK, method="GET"),
    Row(
        "change_user",
        USERS + "/{owner}",
        204,
        # A stranger may not even see that there is such a person.
        ADMINS | MEMBERS_LOOK,
        lambda world: {"enabled": True},
        method="PUT",
    ),
    Row("upload_orchestration", f"{V1}/orchestration/upload", 400, {"viewer": 400, "read": 403}),
    Row("list_all_orchestrations", f"{V1}/orchestration/list_all"),
    Row("list_orchestrations", f"{V1}/orchestration/list", 200, MEMBERS_LOOK, workspace_id),
    Row("get_orchestration", f"{V1}/orchestration/get_by_id", 200, MEMBERS_LOOK, orchestration_id),
    Row(
        "delete_orchestrations",
        f"{V1}/orchestration/delete_orchestrations",
        200,
        MEMBERS_CHANGE | MANAGERS,
        lambda world: {"orchestrations": [str(world.orchestration.pk)]},
    ),
    Row(
        "download_orchestration",
        f"{V1}/orchestration/download?id={{orchestration}}",
        200,
        MEMBERS_LOOK,
        method="GET",
    ),
    Row("run_once", f"{V1}/task/run_once", 201, MEMBERS_CHANGE, lambda w: w.new_task),
    Row(
        "run_scheduled",
        f"{V1}/task/run_scheduled",
        201,
        MEMBERS_CHANGE,
        lambda world: world.new_task | {"schedule": "0 1 * * *"},
    ),
    Row(
        "run_continuously",
        f"{V1}/task/run_continuously",
        201,
        MEMBERS_CHANGE,
        lambda world: world.new_task,
    ),
    Row("list_tasks", f"{V1}/task/list"),
    Row("get_task", f"{V1}/task/get_by_id", 200, MEMBERS_LOOK, task_id),
    Row(
        "get_tasks_by_orch_sha",
        f"{V1}/task/get_tasks_by_orch_sha",
        body=lambda world: {"sha": world.orchestration.newest.sha},
    ),
    Row("kill_task", f"{V1}/task/kill", 202, MEMBERS_CHANGE, task_id),
    Row(
        "pause_task",
        f"{V1}/task/pause",
        202,
        MEMBERS_CHANGE,
        lambda world: {**task_id(world), "pause": True},
    ),
    Row(
        "list_task_runs",
        f"{V1}/task/list_task_runs",
        200,
        MEMBERS_LOOK,
        lambda world: {"task_id": str(world.run.task_id)},
    ),
    Row(
        "get_run",
        f"{V1}/task/get_run_details",
        200,
        MEMBERS_LOOK,
        lambda world: {"task": str(world.run.task_id), "pod_id": str(world.run.pk)},
    ),
    Row("get_logs_for_run", f"{V1}/task/get_logs_for_run", 200, MEMBERS_LOOK, run_id),
    Row(
        "create_connection",
        f"{V1}/connections/create",
        200,
        MANAGERS,
        lambda world: {"name": f"c-{uuid4()}", "type": "HTTP", "details": {}},
    ),
    Row("get_connection", f"{V1}/connections/get", 200, MEMBERS_LOOK, connection_name),
    Row(
        "get_connection_by_id",
        f"{V1}/connections/get_by_id",
        200,
        MEMBERS_LOOK,
        lambda world: {"id": str(world.connection.pk)},
    ),
    Row("list_connections", f"{V1}/connections/list"),
    Row(
        "delete_connection",
        f"{V1}/connections/delete",
        204,
        # Its maker may, and an admin, but not what an admin runs.
        OWNERS | {"run of admin": 403},
        connection_name,
    ),
    Row(
        "add_connection_to_workspace",
        f"{V1}/connections/add_to_workspace",
        200,
        MEMBERS_CHANGE | MANAGERS,
        link,
    ),
    Row(
        "remove_connection_from_workspace",
        f"{V1}/connections/remove_from_workspace",
        204,
        MEMBERS_CHANGE | MANAGERS,
        link,
    ),
]


@pytest.fixture
def world(workspace: Workspace, orchestration: Orchestration, owner: User, stranger: User) -> World:
    run = make_run(make_task(orchestration, created_by=owner), status=Status.SUCCESS)
    connection = connections.create_connection(
        name="warehouse", type="HTTP", details={"key": "secret"}, user=owner, workspace=workspace
    )
    return World(workspace, orchestration, run, connection, owner, stranger)


def client_for(actor: str, world: World, request: pytest.FixtureRequest) -> ApiClient:
    now = timezone.now()
    if actor == "anonymous":
        return ApiClient()
    if actor == "session":
        client = ApiClient()
        client.client.force_login(world.owner)
        return client
    if actor in PEOPLE:
        return client_of(request.getfixturevalue(actor))
    if actor in RUNS or actor == "ended run":
        user = request.getfixturevalue("admin") if actor.endswith("admin") else world.owner
        status = Status.SUCCESS if actor == "ended run" else Status.RUNNING
        return client_of(user, make_run(world.run.task, status=status, requested_by=user))
    token, text = services.create_api_token(
        user=world.owner,
        name=actor,
        scope=Scope(actor) if actor in SCOPES else Scope.MANAGE,
        lifetime=timedelta(hours=-1 if actor == "expired" else 1),
        at=now,
    )
    if actor == "revoked":
        token.delete()
    return ApiClient(text)


def send(client: ApiClient, row: Row, world: World) -> Any:
    path = row.path.format(owner=world.owner.pk, orchestration=world.orchestration.pk)
    return client.send(row.method, path, row.body(world))


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_access(
    row: Row, actor: str, world: World, request: pytest.FixtureRequest, queued_jobs: list[str]
) -> None:
    response = send(client_for(actor, world, request), row, world)

    expected = 401 if actor in NOBODY else row.others.get(actor, row.success)
    assert response.status_code == expected, response.content
    if expected >= 400:
        assert response.json().keys() == {"msg", "code"}
        assert response.json()["code"] == expected


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.method == "POST" and row.others.get("stranger") == 404],
    ids=lambda row: row.name,
)
def test_a_foreign_id_is_refused_as_one_that_does_not_exist(
    row: Row, world: World, stranger: User, queued_jobs: list[str]
) -> None:
    client = client_of(stranger)
    foreign = send(client, row, world)
    made_up = {name: unknown_for(name, value) for name, value in row.body(world).items()}
    unknown = client.send("POST", row.path, made_up)
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)


def unknown_for(name: str, value: Any) -> Any:
    """Return an id or name that nothing has, in the place of one."""
    if name == "workspace_id":
        return 987654
    if isinstance(value, list):
        return [str(uuid4())]
    return str(uuid4()) if name.endswith("id") or value == "warehouse" else value


def test_the_api_takes_no_session_and_needs_no_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    assert client.post(f"{V1}/task/list", "{}", "application/json").status_code == 401
    token = client_of(world.owner).headers
    response = client.post(f"{V1}/task/list", "{}", "application/json", headers=token)
    assert response.status_code == 200


def test_an_upload_wants_a_role_that_may_change(
    world: World, viewer: User, stranger: User, owner: User, queued_jobs: list[str]
) -> None:
    metadata = f'{{"workspace_id": {world.workspace.pk}}}'
    for user, status in ((viewer, 403), (stranger, 404), (owner, 202)):
        file = SimpleUploadedFile("a.zip", make_zip({"main.py": "print(1)"}))
        assert client_of(user).upload(file=file, metadata=metadata).status_code == status


def test_a_token_may_come_in_the_query_for_a_download_only(world: World) -> None:
    token = client_of(world.owner).headers["Authorization"].removeprefix("Bearer ")
    anonymous = ApiClient()
    link = f"{V1}/orchestration/download?id={world.orchestration.pk}&token="
    assert anonymous.send("GET", link + token).status_code == 200
    assert anonymous.send("GET", link + "wrong").status_code == 401
    assert anonymous.send("POST", f"{V1}/task/list?token={token}").status_code == 401
    Path(world.orchestration.newest.archive.path).unlink()
    assert anonymous.send("GET", link + token).status_code == 404  # And no empty archive.


def test_every_operation_has_a_row() -> None:
    rows = {row.name for row in ROWS} | {"config"}

    operations = {
        operation["operationId"]
        for path in api.get_openapi_schema()["paths"].values()
        for operation in path.values()
    }

    assert operations == rows
