"""What goes over the wire: the objects of the SDK's contract and what is asked about them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StrictInt,
    StringConstraints,
)

from orchestrations.models import Orchestration
from tasks.models import Kind, Task, TaskRun
from wallaroo_ui.connections.models import Connection
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

LARGEST_ID = 2**63 - 1
# SQLite takes no more than some 30,000 values in one statement.
ID_LIST = Field(max_length=10_000)
# A continuous task is in a crash loop once this many of its runs in a row failed at once.
CRASHES = 3


def _whole(value: Any) -> Any:
    """Take 3.0 for 3, as JSON's schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("Input should be a time in ISO 8601, such as 2026-03-01T12:00:00Z")  # noqa: TRY004
    return value


def _in_utc(moment: datetime) -> datetime:
    """Say it in UTC: databases know no offsets of a day."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Input should be within the years 1 to 9999") from error


Int = Annotated[StrictInt, BeforeValidator(_whole)]
Id = Annotated[Int, Field(ge=1, le=LARGEST_ID, examples=[1])]
Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_in_utc)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]


class Error(BaseModel):
    """Why something was refused."""

    msg: str
    code: int


# What any operation may answer besides its success.
ERRORS: dict[int, type[Error]] = {400: Error, 401: Error, 403: Error}
ERRORS_WITH_404 = ERRORS | {404: Error}


class Empty(BaseModel):
    """Nothing to say."""


# Answers are plain models of pydantic: the framework's own would be checked, and built, twice.

# -- Workspaces and users --------------------------------------------------------------


class WorkspaceOut(BaseModel):
    """A workspace, as lists show it."""

    id: int
    name: str
    created_at: datetime
    created_by: str | None
    archived: bool = False
    models: list[int] = []
    pipelines: list[int] = []

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """Put a workspace in these words."""
        return cls(
            id=workspace.pk,
            name=workspace.name,
            created_at=workspace.created_at,
            created_by=_id_of(workspace.created_by_id),
        )


class Workspaces(BaseModel):
    """Every workspace that the caller may see."""

    workspaces: list[WorkspaceOut]


class UserOut(BaseModel):
    """A person, in the shape that Keycloak gives them."""

    id: str
    username: str
    email: str
    enabled: bool
    firstName: str  # noqa: N815
    lastName: str  # noqa: N815
    createdTimestamp: int  # noqa: N815


# -- Runs ------------------------------------------------------------------------------


class RunStatus(StrEnum):
    """What the SDK knows of a run."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    UNKNOWN = "unknown"


# A run that waits does not exist yet for the SDK: a Run Once task is `pending` meanwhile.
RUN_STATUSES = {
    Status.STARTING: RunStatus.RUNNING,
    Status.RUNNING: RunStatus.RUNNING,
    Status.SUCCESS: RunStatus.SUCCESS,
    Status.FAILURE: RunStatus.FAILURE,
    Status.TIMED_OUT: RunStatus.TIMED_OUT,
    Status.KILLED: RunStatus.KILLED,
    Status.LOST: RunStatus.FAILURE,
}


def statuses_of(wanted: RunStatus) -> list[Status]:
    """Return our statuses that the SDK knows by one word."""
    return [ours for ours, theirs in RUN_STATUSES.items() if theirs is wanted]


class RunOut(BaseModel):
    """A task run, as a task shows it."""

    run_id: UUID
    status: RunStatus
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, run: TaskRun, **more: Any) -> Self:
        """Put a run in these words: it was created when it was asked for."""
        return cls(
            run_id=run.pk,
            status=RUN_STATUSES.get(Status(run.status), RunStatus.UNKNOWN),
            created_at=run.queued_at,
            updated_at=run.updated_at,
            **more,
        )


class TaskRunOut(RunOut):
    """A task run by itself."""

    task: UUID


class Logs(BaseModel):
    """Lines as a container runtime writes them: `TIME STREAM F|P TEXT`, oldest first."""

    logs: list[str]


# -- Tasks -----------------------------------------------------------------------------


class TaskStatus(StrEnum):
    """What the SDK knows of a task."""

    PENDING = "pending"
    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    PAUSED = "paused"
    PENDING_PAUSE = "pending_pause"
    PENDING_RESUME = "pending_resume"
    PENDING_KILL = "pending_kill"
    KILLED = "killed"
    CRASH_LOOP = "crash_loop"
    SCHEDULE_ERROR = "schedule_error"
    RESOURCE_CONTENTION = "resource_contention"


RUN_TYPES = {
    Kind.ONCE: "Oneshot",
    Kind.SCHEDULED: "CronJob",
    Kind.CONTINUOUS: "NetworkService",
}


def status_of(task: Task, *, has_begun: bool) -> TaskStatus:
    """Say a task's status in the SDK's words.

    A Run Once task stays `started` after its run has ended: clients poll for that word. What
    became of it is its last run's status. See docs/decisions/0007-sdk-semantics.md.

    Args:
        task: which one.
        has_begun: whether a run of it has ever left the queue.
    """
    states = {
        Task.State.PENDING_KILL: TaskStatus.PENDING_KILL,
        Task.State.KILLED: TaskStatus.KILLED,
        Task.State.PAUSED: TaskStatus.PAUSED,
    }
    if word := states.get(Task.State(task.state)):
        return word
    if task.schedule_error:
        return TaskStatus.SCHEDULE_ERROR
    if task.quick_failures >= CRASHES:
        return TaskStatus.CRASH_LOOP
    if task.kind != Kind.SCHEDULED and not has_begun:
        return TaskStatus.PENDING
    return TaskStatus.STARTED


class TaskOut(BaseModel):
    """A task with its newest runs, the newest last: the SDK takes that one as current."""

    id: UUID
    name: str | None
    orch_id: UUID
    status: TaskStatus
    killed: bool
    input_data: dict[str, Any]
    run_type: str
    schedule: str | None
    reap_threshold_secs: int | None
    last_runs: list[RunOut]
    workspace_id: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, task: Task, *, runs_shown: int) -> Self:
        """Put a task in these words.

        Args:
            task: with at least one of its `newest_runs`, if there is one.
            runs_shown: how many of them at the most.
        """
        return cls(
            id=task.pk,
            name=task.name,
            orch_id=task.orchestration_id,
            status=status_of(task, has_begun=bool(task.newest_runs)),
            killed=task.state == Task.State.KILLED,
            input_data=task.arguments,
            run_type=RUN_TYPES[Kind(task.kind)],
            schedule="; ".join(task.schedule.splitlines()) or None,
            reap_threshold_secs=task.timeout_seconds,
            last_runs=[RunOut.of(run) for run in reversed(task.newest_runs[:runs_shown])],
            workspace_id=task.orchestration.workspace_id,
            created_at=task.created_at,
            updated_at=task.updated_at,
        )


# -- Orchestrations --------------------------------------------------------------------


class OrchestrationStatus(StrEnum):
    """What the SDK knows of an orchestration."""

    UNINITIALIZED = "uninitialized"
    PENDING_PACKAGING = "pending_packaging"
    PACKAGING = "packaging"
    READY = "ready"
    ERROR = "error"


class OrchestrationOut(BaseModel):
    """An orchestration."""

    id: UUID
    name: str | None
    file_name: str
    file_size: int
    image_path: str = ""
    owner_id: str
    sha: str
    status: OrchestrationStatus
    workspace_id: int
    created_at: datetime
    updated_at: datetime
    created_by: str | None
    created_on_version: str = ""
    task_id: UUID | None = None

    @classmethod
    def of(cls, orchestration: Orchestration) -> Self:
        """Put an orchestration in these words; its archive is that of its newest version."""
        newest = orchestration.newest
        return cls(
            id=orchestration.pk,
            name=orchestration.name or None,
            file_name=newest.file_name,
            file_size=newest.file_size,
            owner_id=_id_of(orchestration.created_by_id) or "",
            sha=newest.sha,
            status=OrchestrationStatus(newest.status),
            workspace_id=orchestration.workspace_id,
            created_at=orchestration.created_at,
            updated_at=orchestration.updated_at,
            created_by=_id_of(orchestration.created_by_id),
        )


class OrchestrationWithTasks(BaseModel):
    """An orchestration, its workspace and its tasks."""

    orchestration: OrchestrationOut
    tasks: list[TaskOut]
    workspace: WorkspaceOut


class Orchestrations(BaseModel):
    """A list of orchestrations, the newest first."""

    orchestrations: list[OrchestrationWithTasks]


# -- Connections -----------------------------------------------------------------------


class ConnectionOut(BaseModel):
    """A connection. Details are null where the token may not read them."""

    id: UUID
    name: str
    type: str
    details: dict[str, Any] | None
    workspace_names: list[str]
    created_at: datetime

    @classmethod
    def of(cls, connection: Connection, *, details: dict[str, Any] | None) -> Self:
        """Put a connection in these words.

        Args:
            connection: fetched with the workspaces that the caller may see.
            details: as far as the caller may read them.
        """
        return cls(
            id=connection.pk,
            name=connection.name,
            type=connection.type,
            details=details,
            workspace_names=[workspace.name for workspace in connection.seen_workspaces],
            created_at=connection.created_at,
        )


class ById(Schema):
    """Names one thing."""

    id: UUID


def _id_of(key: UUID | None) -> str | None:
    return str(key) if key else None
