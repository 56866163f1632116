"""Tasks, their runs and logs over REST."""

import json
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field, StrictBool

from orchestrations.models import Orchestration
from tasks import services
from tasks.models import MAX_TIMEOUT_SECONDS, Kind, Task, TaskRun
from tasks.schedules import Schedule, ScheduleRefused
from tasks.services import TaskSettings
from wallaroo_ui.api.errors import Refused
from wallaroo_ui.api.orchestrations import LAST_RUNS, Between
from wallaroo_ui.api.schemas import (
    ERRORS,
    ERRORS_WITH_404,
    RUN_STATUSES,
    ById,
    Id,
    Int,
    Logs,
    Name,
    RunOut,
    RunStatus,
    TaskOut,
    TaskRunOut,
    statuses_of,
)
from wallaroo_ui.api.scopes import RUN, user_of
from wallaroo_ui.executions import logstore
from wallaroo_ui.json_text import JSONRefused, parse_object
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

router = Router(tags=["tasks"])

Timeout = Annotated[Int, Field(ge=1, le=MAX_TIMEOUT_SECONDS)]
# In lists, which look each of them up for each task; one task by itself may show many more.
MOST_LAST_RUNS_IN_LISTS = 10
MOST_LAST_RUNS = 1000
DEFAULT_RUNS = 10


class ContinuousRequest(Schema):
    """A task that runs until it is killed."""

    orch_id: UUID
    workspace_id: Id
    arguments: dict[str, Any] = Field(default_factory=dict, alias="json")
    name: Name | None = None
    debug: StrictBool = False  # Sent by the SDK; nothing here depends on it.


class OnceRequest(ContinuousRequest):
    """A task that runs once, now. Seconds; 900 where no timeout is named."""

    timeout: Timeout | None = None


class ScheduledRequest(OnceRequest):
    """A task that runs at each tick of its schedule: cron, minute first."""

    schedule: str


CREATED = {201: TaskOut, **ERRORS_WITH_404}


@router.post("/task/run_once", response=CREATED, auth=RUN)
def run_once(request: HttpRequest, wanted: OnceRequest) -> Status[TaskOut]:
    """Make a task that runs once, now."""
    timeout = wanted.timeout or settings.RUN_TIMEOUT_SECONDS
    return _create(request, wanted, kind=Kind.ONCE, timeout=timeout)


@router.post("/task/run_scheduled", response=CREATED, auth=RUN)
def run_scheduled(request: HttpRequest, wanted: ScheduledRequest) -> Status[TaskOut]:
    """Make a task that runs at each tick of its schedule, in the workspace's time zone."""
    timeout = wanted.timeout or settings.RUN_TIMEOUT_SECONDS
    return _create(
        request, wanted, kind=Kind.SCHEDULED, timeout=timeout, schedule_text=wanted.schedule
    )


@router.post("/task/run_continuously", response=CREATED, auth=RUN)
def run_continuously(request: HttpRequest, wanted: ContinuousRequest) -> Status[TaskOut]:
    """Make a task whose next run begins when the one before has ended, until it is killed."""
    return _create(request, wanted, kind=Kind.CONTINUOUS, timeout=None)


def _create(
    request: HttpRequest,
    wanted: ContinuousRequest,
    *,
    kind: Kind,
    timeout: int | None,
    schedule_text: str | None = None,
) -> Status[TaskOut]:
    user, at = user_of(request), timezone.now()
    orchestration: Orchestration = visible_or_404(
        Orchestration.objects.select_related("workspace", "newest"),
        user,
        pk=wanted.orch_id,
        workspace=wanted.workspace_id,
    )
    require_change(orchestration.workspace, user)
    arguments_json = json.dumps(wanted.arguments, ensure_ascii=False)
    schedule = None
    try:
        parse_object(arguments_json)
        if schedule_text is not None:
            zone = orchestration.workspace.time_zone
            schedule = Schedule.parse(schedule_text, zone, at=at)
        task = services.create_task(
            orchestration=orchestration,
            kind=kind,
            wanted=TaskSettings(
                name=wanted.name or orchestration.display_name,
                arguments_json=arguments_json,
                timeout_seconds=timeout,
                schedule=schedule,
            ),
            user=user,
            at=at,
        )
    except JSONRefused as refusal:
        raise Refused(f"json: {refusal.message}") from refusal
    except ScheduleRefused as refusal:
        raise Refused(f"schedule: {refusal}") from refusal
    return Status(201, _shown(task))


class ListTasksRequest(Schema):
    """Which tasks.

    Attributes:
        killed: only those that were issued the kill command; otherwise all.
        run_limit: how many of the newest runs each task shows.
    """

    killed: StrictBool | None = None
    workspace_id: Id | None = None
    orch_id: UUID | None = None
    orch_sha: str | None = None
    run_limit: Annotated[Int, Field(ge=0, le=MOST_LAST_RUNS_IN_LISTS)] | None = None


@router.post("/task/list", response={200: list[TaskOut], **ERRORS_WITH_404})
def list_tasks(request: HttpRequest, wanted: ListTasksRequest) -> Any:
    """List tasks, the newest first."""
    user = user_of(request)
    tasks = Task.objects.visible_to(user)
    if wanted.workspace_id is not None:
        workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
        tasks = tasks.filter(orchestration__workspace=workspace)
    if wanted.orch_id is not None:
        orchestration = visible_or_404(Orchestration.objects.all(), user, pk=wanted.orch_id)
        tasks = tasks.filter(orchestration=orchestration)
    if wanted.orch_sha is not None:
        tasks = tasks.filter(orchestration__newest__sha=wanted.orch_sha)
    if wanted.killed:
        tasks = tasks.ended()
    limit = LAST_RUNS if wanted.run_limit is None else wanted.run_limit
    tasks = tasks.select_related("orchestration").newest_first()
    rows = tasks.with_newest_runs(limit=max(1, limit))
    return [TaskOut.of(task, runs_shown=limit) for task in rows]


class GetTaskRequest(ById):
    """Which task, and how many of its newest runs."""

    run_limit: Annotated[Int, Field(ge=0, le=MOST_LAST_RUNS)] | None = None


@router.post("/task/get_by_id", response={200: TaskOut, **ERRORS_WITH_404})
def get_task(request: HttpRequest, wanted: GetTaskRequest) -> Any:
    """Look at one task."""
    task = _visible(request, wanted.id)
    return _shown(task, limit=LAST_RUNS if wanted.run_limit is None else wanted.run_limit)


class TaskIds(Schema):
    """Ids of tasks."""

    ids: list[UUID]


class ShaRequest(Schema):
    """The SHA-256 of an archive, as 64 hex digits."""

    sha: str


@router.post("/task/get_tasks_by_orch_sha", response={200: TaskIds, **ERRORS})
def get_tasks_by_orch_sha(request: HttpRequest, wanted: ShaRequest) -> Any:
    """List the ids of the tasks of an archive, however often it was uploaded."""
    tasks = Task.objects.visible_to(user_of(request)).filter(orchestration__newest__sha=wanted.sha)
    return {"ids": list(tasks.newest_first().values_list("pk", flat=True))}


@router.post("/task/kill", response={202: TaskOut, **ERRORS_WITH_404}, auth=RUN)
def kill_task(request: HttpRequest, wanted: ById) -> Status[TaskOut]:
    """Stop a task for good. Its runs end, and its logs are deleted; once more is no error."""
    task = _changeable(request, wanted.id)
    services.kill_task(task=task, user=user_of(request), at=timezone.now())
    task.refresh_from_db()
    return Status(202, _shown(task))


class PauseRequest(ById):
    """Pause, or with false resume."""

    pause: StrictBool


@router.post("/task/pause", response={202: TaskOut, **ERRORS_WITH_404}, auth=RUN)
def pause_task(request: HttpRequest, wanted: PauseRequest) -> Status[TaskOut]:
    """Have a task make no more runs until it is resumed, or resume it."""
    task = _changeable(request, wanted.id)
    if task.is_ended:
        raise Refused("It has been stopped for good. Make a new task instead.")
    if wanted.pause:
        services.pause_task(task=task, user=user_of(request), at=timezone.now())
    else:
        services.resume_task(task=task, user=user_of(request), at=timezone.now())
    task.refresh_from_db()
    return Status(202, _shown(task))


class ListRunsRequest(Schema):
    """Which runs of a task; null or `all` is every status.

    Attributes:
        limit: how many at the most.
        time_range: asked for between these two moments.
    """

    task_id: UUID
    limit: Annotated[Int, Field(ge=1, le=MOST_LAST_RUNS)] | None = None
    status: RunStatus | Annotated[str, Field(pattern="^all$")] | None = None
    time_range: Between | None = None


@router.post("/task/list_task_runs", response={200: list[TaskRunOut], **ERRORS_WITH_404})
def list_task_runs(request: HttpRequest, wanted: ListRunsRequest) -> Any:
    """List the runs of a task, the one that changed last first."""
    runs = TaskRun.objects.filter(
        task=_visible(request, wanted.task_id), status__in=list(RUN_STATUSES)
    )
    if isinstance(wanted.status, RunStatus):
        runs = runs.filter(status__in=statuses_of(wanted.status))
    if wanted.time_range:
        runs = runs.filter(queued_at__range=sorted(wanted.time_range))
    shown = runs.order_by("-updated_at", "-queued_at")[: wanted.limit or DEFAULT_RUNS]
    return [TaskRunOut.of(run, task=run.task_id) for run in shown]


class RunDetailsRequest(Schema):
    """A run and its task."""

    task: UUID
    pod_id: UUID


@router.post("/task/get_run_details", response={200: RunOut, **ERRORS_WITH_404})
def get_run(request: HttpRequest, wanted: RunDetailsRequest) -> Any:
    """Look at one run."""
    return RunOut.of(
        visible_or_404(TaskRun.objects.all(), user_of(request), pk=wanted.pod_id, task=wanted.task)
    )


class LogsRequest(ById):
    """Of which run, and how many lines, counted from the end."""

    lines: Annotated[Int, Field(ge=1)] | None = None


@router.post("/task/get_logs_for_run", response={200: Logs, **ERRORS_WITH_404})
def get_logs_for_run(request: HttpRequest, wanted: LogsRequest) -> Any:
    """Read the end of a run's log, the oldest line first. At most its last 8 MB."""
    run: TaskRun = visible_or_404(TaskRun.objects.all(), user_of(request), pk=wanted.id)
    return {"logs": logstore.tail_entries(run.spool, lines=wanted.lines)}


def _visible(request: HttpRequest, pk: UUID) -> Task:
    task: Task = visible_or_404(
        Task.objects.select_related("orchestration__workspace"), user_of(request), pk=pk
    )
    return task


def _changeable(request: HttpRequest, pk: UUID) -> Task:
    task = _visible(request, pk)
    require_change(task.workspace, user_of(request))
    return task


def _shown(task: Task, *, limit: int = LAST_RUNS) -> TaskOut:
    runs = TaskRun.objects.filter(task=task, status__in=list(RUN_STATUSES)).newest_first()
    task.newest_runs = list(runs[: max(1, limit)])
    return TaskOut.of(task, runs_shown=limit)
