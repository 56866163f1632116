"""Objects for tests: valid as they come; a test names only what it is about."""

import io
import itertools
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.utils import timezone

from orchestrations.models import Orchestration, Version
from tasks import services
from tasks.models import Kind, Task, TaskRun
from wallaroo_ui.accounts import services as accounts
from wallaroo_ui.accounts.models import ApiToken, BrowserSession, RefreshToken, Scope, User, digest
from wallaroo_ui.connections.models import Connection, WorkspaceConnection
from wallaroo_ui.executions.models import FINISHED, Node, Status
from wallaroo_ui.workspaces import invitations
from wallaroo_ui.workspaces.models import Invitation, Membership, Role, Workspace

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    name = name or f"user{next(_numbers)}"
    fields = {"email": f"{name}@example.com", "password": "correct horse"} | fields
    return User.objects.create_user(username=name, **fields)


def make_api_token(user: User, **fields: Any) -> ApiToken:
    defaults = {"name": "ci", "scope": Scope.READ, "lifetime": None, "at": timezone.now()}
    return accounts.create_api_token(user=user, **defaults | fields)[0]


def make_login(user: User, *, user_agent: str = "SDK", at: datetime | None = None) -> RefreshToken:
    text = accounts.log_in_sdk(user=user, user_agent=user_agent, at=at or timezone.now())
    return RefreshToken.objects.get(hash=digest(text))


def log_in_a_browser(user: User, client: Client | None = None) -> BrowserSession:
    client = client or Client()
    client.force_login(user)
    browser: BrowserSession = BrowserSession.objects.get(session=client.session.session_key)
    return browser


def make_workspace(owner: User | None = None, **fields: Any) -> Workspace:
    workspace = Workspace.objects.create(**{"name": f"workspace-{next(_numbers)}"} | fields)
    if owner is not None:
        add_member(workspace, owner, Role.OWNER)
    return workspace


def add_member(workspace: Workspace, user: User, role: Role) -> None:
    Membership.objects.create(workspace=workspace, user=user, role=role)


def make_invitation(
    workspace: Workspace,
    by: User,
    *,
    email: str = "new@example.com",
    role: Role = Role.COLLABORATOR,
    at: datetime | None = None,
) -> tuple[Invitation, str]:
    """Invite somebody; return the invitation and the token of its link."""
    return invitations.invite(
        workspace=workspace, email=email, role=role, by=by, at=at or timezone.now()
    )


def make_zip(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def make_orchestration(
    workspace: Workspace | None = None,
    *,
    script: str = "print('hello')\n",
    files: Mapping[str, str | bytes] | None = None,
    **fields: Any,
) -> Orchestration:
    """Make an orchestration of one version that is ready to run, on the base environment.

    What is not its own, such as `status` or `file_name`, is the version's.
    """
    defaults = {
        "workspace": workspace or make_workspace(),
        "name": f"orchestration-{next(_numbers)}",
        "created_by": None,
    }
    own = {name: fields.pop(name) for name in ("created_at", *defaults) if name in fields}
    orchestration = Orchestration(**defaults | own)
    make_version(orchestration, script=script, files=files, **fields)
    return orchestration


def make_version(
    orchestration: Orchestration,
    *,
    script: str = "print('hello')\n",
    files: Mapping[str, str | bytes] | None = None,
    **fields: Any,
) -> Version:
    """Make the newest version of an orchestration, ready to run on the base environment."""
    content = make_zip({"main.py": script} if files is None else files)
    defaults = {
        "number": 1 if orchestration._state.adding else orchestration.newest.number + 1,
        "status": Version.Status.READY,
        "file_name": "archive.zip",
        "file_size": len(content),
        "sha": f"{next(_numbers):064x}",
        "entry_point": "main.py",
        "created_by": orchestration.created_by,
    }
    if fields.get("status", Version.Status.READY) == Version.Status.READY:
        defaults["packaged_at"] = NOON
    version = Version(orchestration=orchestration, **defaults | fields)
    version.archive.save(f"{version.pk}.zip", ContentFile(content), save=False)
    orchestration.newest = version
    with transaction.atomic():
        orchestration.save()
        version.save(force_insert=True)
    return version


def make_task(orchestration: Orchestration | None = None, **fields: Any) -> Task:
    arguments = fields.pop("arguments", {})
    defaults = {
        "orchestration": orchestration or make_orchestration(),
        "name": f"task-{next(_numbers)}",
        "arguments_json": json.dumps(arguments),
        "timeout_seconds": 60,
    }
    if "created_by" not in fields:
        fields["created_by"] = make_user()
    if fields.get("kind") == Kind.SCHEDULED:
        defaults["schedule"] = "0 12 * * *"
    return Task.objects.create(**defaults | fields)


def start_task(
    orchestration: Orchestration | None = None,
    *,
    kind: str = Kind.ONCE,
    user: User | None = None,
    at: datetime | None = None,
    **wanted: Any,
) -> Task:
    """Make a task as a person does, with what follows: its first run, its next tick."""
    arguments = wanted.pop("arguments", {})
    defaults = {
        "name": f"task-{next(_numbers)}",
        "arguments_json": json.dumps(arguments),
        "timeout_seconds": None if kind == Kind.CONTINUOUS else 60,
    }
    return services.create_task(
        orchestration=orchestration or make_orchestration(),
        kind=kind,
        wanted=services.TaskSettings(**defaults | wanted),
        user=user or make_user(),
        at=at or timezone.now(),
    )


def make_run(task: Task | None = None, **fields: Any) -> TaskRun:
    task = task or make_task()
    defaults = {
        "task": task,
        "orchestration_id": task.orchestration_id,
        "queued_at": NOON,
        "arguments_json": task.arguments_json,
        "timeout_seconds": task.timeout_seconds,
    }
    if fields.get("status", Status.QUEUED) in FINISHED:
        defaults |= {"started_at": NOON, "ended_at": NOON}
    return TaskRun.objects.create(**defaults | fields)


def make_connection(
    *workspaces: Workspace, details: Mapping[str, object] | None = None, **fields: Any
) -> Connection:
    """Make a connection that some workspaces have."""
    defaults = {"name": f"connection-{next(_numbers)}", "type": "HTTP"}
    connection = Connection(**defaults | fields)
    connection.details = {"token": "open sesame"} if details is None else details
    connection.save()
    for workspace in workspaces:
        WorkspaceConnection.objects.create(connection=connection, workspace=workspace)
    return connection


def make_node(**fields: Any) -> Node:
    defaults = {"name": f"node{next(_numbers)}", "slots": 4, "isolation": "bubblewrap"}
    return Node.objects.create(**defaults | fields)
