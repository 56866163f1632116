"""Who may open what: every URL, for everybody.

A URL of the project without a row in the table fails the last test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from orchestrations.models import Orchestration, Packaging
from tasks.models import TaskRun
from tests.factories import (
    log_in_a_browser,
    make_api_token,
    make_connection,
    make_invitation,
    make_login,
    make_node,
    make_run,
    make_task,
)
from wallaroo_ui.accounts.models import ApiToken, BrowserSession, RefreshToken, User
from wallaroo_ui.connections.models import Connection
from wallaroo_ui.executions.models import Node, Status
from wallaroo_ui.workspaces.models import Invitation, Workspace

ACTORS = ("anonymous", "stranger", "viewer", "collaborator", "owner", "admin")
LOGIN = "to login"

# What each actor gets, in the order of ACTORS.
EVERYBODY = (200,) * 6
MEMBERS_LOOK = (LOGIN, 404, 200, 200, 200, 200)
MEMBERS_CHANGE_PAGE = (LOGIN, 404, 403, 200, 200, 200)
MEMBERS_CHANGE = (LOGIN, 404, 403, 302, 302, 302)
ADMINS_LOOK = (LOGIN, 403, 403, 403, 403, 200)
OWNERS_CHANGE = (LOGIN, 404, 403, 403, 302, 302)
LOGGED_IN = (LOGIN, 200, 200, 200, 200, 200)
# The connection of this world is made by somebody who is not among the actors.
MAKERS_CHANGE_PAGE = (LOGIN, 404, 403, 403, 403, 200)
MAKERS_CHANGE = (LOGIN, 404, 403, 403, 403, 302)


@dataclass
class World:
    """One of everything."""

    workspace: Workspace
    member: User
    orchestration: Orchestration
    packaging: Packaging
    run: TaskRun
    node: Node
    connection: Connection
    token: ApiToken
    login: RefreshToken
    browser: BrowserSession
    invitation: Invitation


@dataclass(frozen=True)
class Row:
    """One URL by one method, and what each actor gets."""

    name: str
    expected: tuple[object, ...]
    arguments: Callable[[World], list[Any]] = lambda world: []
    method: str = "get"
    data: tuple[tuple[str, str], ...] = ()


def of_workspace(world: World) -> list[Any]:
    return [world.workspace.pk]


def of_member(world: World) -> list[Any]:
    return [world.workspace.pk, world.member.pk]


def of_orchestration(world: World) -> list[Any]:
    return [world.orchestration.pk]


def of_version(world: World) -> list[Any]:
    return [world.orchestration.pk, 1]


def of_file(world: World) -> list[Any]:
    return [world.orchestration.pk, 1, "main.py"]


def of_packaging(world: World) -> list[Any]:
    return [world.packaging.pk]


def of_task(world: World) -> list[Any]:
    return [world.run.task_id]


def of_run(world: World) -> list[Any]:
    return [world.run.pk]


def of_connection(world: World) -> list[Any]:
    return [world.connection.pk]


def of_link(world: World) -> list[Any]:
    return [world.connection.pk, world.workspace.pk]


def of_node(world: World) -> list[Any]:
    return [world.node.pk]


def of_token(world: World) -> list[Any]:
    return [world.token.pk]


def of_invitation(world: World) -> list[Any]:
    return [world.workspace.pk, world.invitation.pk]


def of_browser(world: World) -> list[Any]:
    return [world.browser.pk]


def of_login(world: World) -> list[Any]:
    return [world.login.pk]


ROWS = [
    Row("home", (LOGIN, 302, 302, 302, 302, 302)),
    Row("tasks:search", LOGGED_IN),
    Row("tasks:bulk", MEMBERS_CHANGE, of_workspace, method="post"),
    Row("tasks:runs-bulk", MEMBERS_CHANGE, of_workspace, method="post"),
    Row("shortcuts", LOGGED_IN),
    Row("styleguide", LOGGED_IN),
    Row("healthz", EVERYBODY),
    Row("readyz", (503,) * 6),  # No node reports in this test.
    Row("accounts:login", (200, 302, 302, 302, 302, 302)),
    Row("accounts:logout", (302,) * 6, method="post"),
    Row("accounts:password-change", LOGGED_IN),
    Row("accounts:password-change", LOGGED_IN, method="post"),
    Row("accounts:password-changed", LOGGED_IN),
    Row("accounts:account", LOGGED_IN),
    Row(
        "accounts:profile",
        (LOGIN, 302, 302, 302, 302, 302),
        method="post",
        data=(("theme", "dark"),),
    ),
    Row("accounts:session-end", (LOGIN, 404, 404, 404, 302, 404), of_browser, "post"),
    Row("accounts:sessions-end-others", (LOGIN, 302, 302, 302, 302, 302), method="post"),
    Row("accounts:token-create", LOGGED_IN),
    Row(
        "accounts:token-create",
        LOGGED_IN,
        method="post",
        data=(("name", "ci"), ("scope", "read"), ("days", "30")),
    ),
    # Each is the owner's, and nobody else's: an admin's neither.
    Row("accounts:token-revoke", (LOGIN, 404, 404, 404, 302, 404), of_token, "post"),
    Row("accounts:login-end", (LOGIN, 404, 404, 404, 302, 404), of_login, "post"),
    Row("accounts:device", LOGGED_IN),
    Row("accounts:device", LOGGED_IN, method="post"),
    Row("workspaces:list", LOGGED_IN),
    Row("workspaces:create", LOGGED_IN),
    Row(
        "workspaces:create",
        (LOGIN, 302, 302, 302, 302, 302),
        method="post",
        data=(("name", "a"),),
    ),
    Row("workspaces:detail", MEMBERS_LOOK, of_workspace),
    Row("workspaces:activity", MEMBERS_LOOK, of_workspace),
    Row("workspaces:defaults", OWNERS_CHANGE, of_workspace, "post", (("time_zone", "UTC"),)),
    Row("workspaces:invitation-withdraw", OWNERS_CHANGE, of_invitation, "post"),
    # Whoever has the link may look; it is none here, so it is over.
    Row("workspaces:invitation", (404,) * 6, lambda world: ["token"]),
    Row("workspaces:invitation", (404,) * 6, lambda world: ["token"], "post"),
    # Everybody may leave; the last owner is told why not, and an admin that they are no member.
    Row("workspaces:leave", (LOGIN, 404, 302, 302, 302, 302), of_workspace, "post"),
    Row("workspaces:member-add", (LOGIN, 404, 403, 403, 422, 422), of_workspace, "post"),
    Row("workspaces:member-role", OWNERS_CHANGE, of_member, "post", (("role", "owner"),)),
    Row("workspaces:member-remove", OWNERS_CHANGE, of_member, "post"),
    Row("connections:list", LOGGED_IN),
    Row("connections:of-workspace", MEMBERS_LOOK, of_workspace),
    Row("connections:create", LOGGED_IN),
    Row(
        "connections:create",
        (LOGIN, 302, 302, 302, 302, 302),
        method="post",
        data=(("name", "a"), ("type", "HTTP"), ("details", "{}")),
    ),
    Row("connections:detail", MEMBERS_LOOK, of_connection),
    Row("connections:details", MEMBERS_CHANGE_PAGE, of_connection),
    Row("connections:edit", MAKERS_CHANGE_PAGE, of_connection),
    Row(
        "connections:edit",
        MAKERS_CHANGE,
        of_connection,
        "post",
        (("type", "HTTP"), ("details", "{}")),
    ),
    Row("connections:link", (LOGIN, 404, 403, 422, 422, 422), of_connection, "post"),
    Row("connections:unlink", MEMBERS_CHANGE, of_link, "post"),
    Row("connections:delete", MAKERS_CHANGE_PAGE, of_connection),
    Row("connections:delete", MAKERS_CHANGE, of_connection, "post"),
    Row("orchestrations:list", MEMBERS_LOOK, of_workspace),
    Row("orchestrations:upload", MEMBERS_CHANGE_PAGE, of_workspace),
    Row("orchestrations:upload", (LOGIN, 404, 403, 422, 422, 422), of_workspace, "post"),
    Row("orchestrations:sample", MEMBERS_CHANGE, of_workspace, "post"),
    Row("orchestrations:detail", MEMBERS_LOOK, of_orchestration),
    Row("orchestrations:runs", MEMBERS_LOOK, of_orchestration),
    Row("orchestrations:files", MEMBERS_LOOK, of_orchestration),
    Row("orchestrations:versions", MEMBERS_LOOK, of_orchestration),
    Row("orchestrations:version-upload", MEMBERS_CHANGE_PAGE, of_orchestration),
    Row(
        "orchestrations:version-upload",
        (LOGIN, 404, 403, 422, 422, 422),
        of_orchestration,
        "post",
    ),
    Row("orchestrations:version", MEMBERS_LOOK, of_version),
    Row("orchestrations:version-changes", MEMBERS_LOOK, of_version),
    Row("orchestrations:packaging", MEMBERS_LOOK, of_version),
    Row("orchestrations:download", MEMBERS_LOOK, of_version),
    Row("orchestrations:archive-file", MEMBERS_LOOK, of_file),
    Row("orchestrations:archive-file-download", MEMBERS_LOOK, of_file),
    Row("orchestrations:package", MEMBERS_CHANGE, of_version, "post"),
    Row("orchestrations:stop-packaging", MEMBERS_CHANGE, of_version, "post"),
    Row("orchestrations:packaging-log", MEMBERS_LOOK, of_packaging),
    Row("tasks:create", MEMBERS_CHANGE_PAGE, of_orchestration),
    Row(
        "tasks:create",
        MEMBERS_CHANGE,
        of_orchestration,
        "post",
        (("name", "a"), ("kind", "once"), ("timeout", "60")),
    ),
    Row("tasks:schedule-preview", MEMBERS_CHANGE_PAGE, of_orchestration, "post"),
    Row("tasks:arguments-check", MEMBERS_CHANGE_PAGE, of_orchestration, "post"),
    Row("tasks:detail", MEMBERS_LOOK, of_task),
    Row("tasks:summary", MEMBERS_LOOK, of_task),
    Row("tasks:history", MEMBERS_LOOK, of_task),
    Row("tasks:edit", MEMBERS_CHANGE_PAGE, of_task),
    Row("tasks:edit", MEMBERS_CHANGE, of_task, "post", (("name", "b"), ("timeout", "60"))),
    Row("tasks:pause", MEMBERS_CHANGE, of_task, "post"),
    Row("tasks:resume", MEMBERS_CHANGE, of_task, "post"),
    Row("tasks:run", MEMBERS_CHANGE_PAGE, of_task),
    Row("tasks:run", MEMBERS_CHANGE, of_task, "post"),
    Row("tasks:kill", MEMBERS_CHANGE_PAGE, of_task),
    Row("tasks:kill", MEMBERS_CHANGE, of_task, "post"),
    Row("tasks:logs-zip", MEMBERS_LOOK, of_task),
    Row("tasks:run-detail", MEMBERS_LOOK, of_run),
    Row("tasks:run-summary", MEMBERS_LOOK, of_run),
    Row("tasks:run-log", MEMBERS_LOOK, of_run),
    Row("tasks:run-tail", MEMBERS_LOOK, of_run),
    Row("tasks:run-log-search", MEMBERS_LOOK, of_run),
    # There is no stream without an asynchronous server.
    Row("tasks:run-log-stream", (LOGIN, 404, 204, 204, 204, 204), of_run),
    Row("tasks:run-log-raw", MEMBERS_LOOK, of_run),
    Row("tasks:run-log-download", MEMBERS_LOOK, of_run),
    Row("tasks:run-stop", MEMBERS_CHANGE, of_run, "post"),
    Row("nodes:list", ADMINS_LOOK),
    Row("overview", ADMINS_LOOK),
    Row("nodes:drain", (LOGIN, 403, 403, 403, 403, 302), of_node, "post"),
    Row("api:graphql", (401,) * 6, method="post"),  # It takes tokens; so do those of rest.
    Row("rest:config", EVERYBODY),
    Row("rest:openapi-json", EVERYBODY),
    Row("rest:openapi-view", EVERYBODY),
    Row("api:token", (400,) * 6, method="post"),  # Nobody's session is a grant.
    Row("api:device", EVERYBODY, method="post"),
    Row("admin:index", (LOGIN, LOGIN, LOGIN, LOGIN, LOGIN, 200)),
]


@pytest.fixture
def world(workspace: Workspace, orchestration: Orchestration, owner: User, viewer: User) -> World:
    packaging = Packaging.objects.create(version=orchestration.newest)
    run = make_run(make_task(orchestration, created_by=owner), status=Status.QUEUED)
    return World(
        workspace=workspace,
        member=viewer,
        orchestration=orchestration,
        packaging=packaging,
        run=run,
        node=make_node(),
        connection=make_connection(workspace),
        token=make_api_token(owner),
        login=make_login(owner),
        browser=log_in_a_browser(owner),
        invitation=make_invitation(workspace, owner)[0],
    )


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.name}")
def test_access(
    row: Row,
    actor: str,
    world: World,
    request: pytest.FixtureRequest,
    stranger: User,
    admin: User,
    queued_jobs: list[str],
) -> None:
    client = Client()
    if actor != "anonymous":
        client.force_login(request.getfixturevalue(actor))
    url = reverse(row.name, args=row.arguments(world))

    response: HttpResponse = getattr(client, row.method)(url, dict(row.data))

    expected = row.expected[ACTORS.index(actor)]
    if expected == LOGIN:
        assert response.status_code == 302
        assert "/login/" in response["Location"]
    else:
        assert response.status_code == expected
        assert "/login/" not in response.headers.get("Location", "") or row.name.endswith("logout")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.name}")
def test_every_action_wants_its_method(
    row: Row, world: World, owner_client: Client, queued_jobs: list[str]
) -> None:
    methods = {each.method for each in ROWS if each.name == row.name}
    url = reverse(row.name, args=row.arguments(world))

    for method in {"get", "post", "delete"} - methods:
        assert getattr(owner_client, method)(url).status_code in {302, 405}


def test_every_form_is_protected_against_other_sites(
    world: World, owner: User, queued_jobs: list[str]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    for row in ROWS:
        if row.method == "post" and not row.name.startswith("api:"):
            response = client.post(reverse(row.name, args=row.arguments(world)))
            assert response.status_code == 403, row.name


def test_every_url_has_a_row() -> None:
    names = {row.name for row in ROWS}

    missing = [name for name in url_names(get_resolver()) if name not in names]

    assert not missing, f"add a row to ROWS for: {', '.join(missing)}"


def url_names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Yield the name of each URL; the admin's many count as its index."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield f"{prefix}{entry.name}"
        elif entry.namespace == "admin":
            yield "admin:index"
        elif entry.namespace == "rest":  # Its operations have a table: tests/api/test_access.py.
            yield from ("rest:config", "rest:openapi-json", "rest:openapi-view")
        else:
            yield from url_names(
                entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            )
