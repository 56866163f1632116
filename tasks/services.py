"""What a person can ask of tasks and runs: make, edit, pause, resume, stop, run again."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Sum

from orchestrations.models import Orchestration, Packaging, Version
from tasks import ticks
from tasks.launching import ring_after_commit
from tasks.models import Kind, Missed, Overlap, SkippedTicks, Task, TaskRun, Trigger
from tasks.schedules import Schedule, ScheduleRefused
from tasks.stopping import conclude_kill_after_commit
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Verb

logger = logging.getLogger(__name__)


class NotRunnable(Exception):
    """It can never run as it is; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a person decides about a task, when making it and later.

    Attributes:
        schedule: for a scheduled task; None for the other kinds.
        timeout_seconds: of one run; None for no limit.
        retry_delay_seconds: before the first retry.
        version: to which the task is pinned; None to follow the latest.
    """

    name: str
    version: Version | None = None
    arguments_json: str = "{}"
    timeout_seconds: int | None
    schedule: Schedule | None = None
    overlap: str = Overlap.ALLOW
    missed: str = Missed.LATEST
    retries: int = 0
    retry_delay_seconds: int = 60
    retry_backoff: bool = True
    start_deadline_seconds: int | None = None

    def apply(self, task: Task) -> None:
        """Put them on a task, which is not saved."""
        task.name = self.name
        task.version = self.version
        task.arguments_json = self.arguments_json
        task.timeout_seconds = self.timeout_seconds
        if self.schedule is not None:
            task.schedule = self.schedule.text
            task.time_zone = self.schedule.zone.key
        task.overlap = self.overlap
        task.missed = self.missed
        task.retries = self.retries
        task.retry_delay_seconds = self.retry_delay_seconds
        task.retry_backoff = self.retry_backoff
        task.start_deadline_seconds = self.start_deadline_seconds


@transaction.atomic
def create_task(
    *, orchestration: Orchestration, kind: str, wanted: TaskSettings, user: User, at: datetime
) -> Task:
    """Make a task. All but a scheduled one get their first run at once.

    A run waits while what it runs is being packaged.

    Raises:
        NotRunnable: packaging has failed, or it has been deleted.
    """
    # Locked: its packaging may be ending at this moment.
    locked = Orchestration.objects.locked().filter(pk=orchestration.pk)
    if locked.first() is None:
        raise NotRunnable(f"{orchestration} has been deleted in the meantime.")
    task = Task(orchestration=orchestration, kind=kind, created_by=user)
    wanted.apply(task)
    if wanted.schedule is not None:
        task.next_run_at = wanted.schedule.next_after(at)
    task.save()
    if obstacle := task.obstacle:
        raise NotRunnable(obstacle)
    _record(task, user, Verb.TASK_MADE, at=at)
    if task.kind == Kind.SCHEDULED:
        logger.info("task scheduled", extra={"task": str(task.pk), "next_run_at": task.next_run_at})
        return task
    trigger = Trigger.CONTINUOUS if kind == Kind.CONTINUOUS else Trigger.TASK
    run = TaskRun.of(task, trigger=trigger, at=at, requested_by=user)
    run.save()
    logger.info("run queued", extra=run.log_context())
    ring_after_commit()
    return task


@transaction.atomic
def edit_task(*, task: Task, wanted: TaskSettings, user: User, at: datetime) -> Task:
    """Change a task from now on: runs that exist, and ticks that are past, stay as they are.

    Its coming runs act for who changed it.

    Raises:
        NotRunnable: it has been stopped.
    """
    task = _locked(task)
    before = (task.schedule, task.time_zone)
    wanted.apply(task)
    task.changed_by = user
    is_new = (task.schedule, task.time_zone) != before or task.schedule_error
    if wanted.schedule is not None and is_new:
        old = Task.objects.get(pk=task.pk)
        reason = SkippedTicks.Reason.PAUSED if task.is_paused else SkippedTicks.Reason.MISSED
        # What cannot be read any more has no ticks to be told of, and can be replaced.
        with suppress(ScheduleRefused):
            ticks.skip_until(old, at=at, reason=reason, user=task.paused_by)
        task.next_run_at = wanted.schedule.next_after(at)
        task.schedule_error = ""
    task.save()
    _record(task, user, Verb.TASK_CHANGED, at=at)
    logger.info("task edited", extra={"task": str(task.pk), "next_run_at": task.next_run_at})
    return task


def pause_task(*, task: Task, user: User, at: datetime) -> bool:
    """Have a task make no more runs until it is resumed. False: it was not active, or runs once.

    What runs goes on to its end. The next run of a continuous task, where it waits for its
    backoff, is given up.
    """
    with transaction.atomic():
        active = Task.objects.filter(pk=task.pk, state=Task.State.ACTIVE).exclude(kind=Kind.ONCE)
        changed = active.update(
            state=Task.State.PAUSED, paused_at=at, paused_by=user, updated_at=at
        )
        if not changed:
            return False
        _record(task, user, Verb.TASK_PAUSED, at=at)
    for run in TaskRun.objects.filter(
        task=task, trigger=Trigger.CONTINUOUS, status=Status.QUEUED
    ).with_relations():
        executions.request_stop(run, reason=f"Its task was paused by {user}.", at=at)
    logger.info("task paused", extra={"task": str(task.pk), "user": str(user)})
    return True


@transaction.atomic
def resume_task(*, task: Task, at: datetime, user: User | None = None) -> bool:
    """Let a paused task make runs again, from now on. False: it was not paused.

    Ticks that came meanwhile are recorded as skipped, not made up for.
    """
    locked = Task.objects.select_for_update().filter(pk=task.pk).first()
    if locked is None or not locked.is_paused:
        return False
    task = locked
    task.quick_failures, task.schedule_error = 0, ""
    if task.kind == Kind.SCHEDULED:
        try:
            ticks.skip_until(task, at=at, reason=SkippedTicks.Reason.PAUSED, user=task.paused_by)
            task.next_run_at = task.cron.next_after(at)
        except ScheduleRefused as refusal:
            ticks.give_up_schedule(task, refusal)
    task.state, task.paused_at, task.paused_by = Task.State.ACTIVE, None, None
    task.save()
    _record(task, user, Verb.TASK_RESUMED, at=at)
    if task.kind == Kind.CONTINUOUS and not task.runs.unfinished().exists():
        TaskRun.of(task, trigger=Trigger.CONTINUOUS, at=at).save()
        ring_after_commit()
    logger.info("task resumed", extra={"task": str(task.pk)})
    return True


def kill_task(*, task: Task, user: User, at: datetime) -> bool:
    """Stop a task for good: no new run from this moment, live ones end, logs are deleted.

    Returns:
        False where it had been stopped before, which is no error.
    """
    # Alone in its transaction: what ends a run locks the run first and its task second.
    with transaction.atomic():
        changed = Task.objects.filter(
            pk=task.pk, state__in=(Task.State.ACTIVE, Task.State.PAUSED)
        ).update(
            state=Task.State.PENDING_KILL,
            next_run_at=None,
            killed_by=user,
            kill_requested_at=at,
            updated_at=at,
        )
        if not changed:
            return False
        _record(task, user, Verb.TASK_STOPPED, at=at)
    logger.info("task being stopped", extra={"task": str(task.pk), "user": str(user)})
    for run in TaskRun.objects.filter(task=task).unfinished().with_relations():
        executions.request_stop(run, reason=f"Its task was stopped by {user}.", at=at)
    conclude_kill_after_commit()
    return True


@transaction.atomic
def run_again(
    *, task: Task, user: User, at: datetime, arguments_json: str | None = None
) -> TaskRun:
    """Make one more run of a task, now, with its own arguments or others.

    The next run of a continuous task, where it waits for its backoff, starts now instead.

    Raises:
        NotRunnable: the task has been stopped, its packaging failed, or it is continuous and
            its run goes on.
    """
    if task.kind == Kind.CONTINUOUS:  # Its run first: what ends a run locks in this order.
        list(TaskRun.objects.filter(task=task).unfinished().select_for_update())
    task = _locked(task)
    if obstacle := task.obstacle:
        raise NotRunnable(obstacle)
    # With the person goes whose rights the run has, whatever arguments they chose.
    fields: dict[str, Any] = {"requested_by": user}
    if arguments_json is not None:
        fields["arguments_json"] = arguments_json
    if task.kind == Kind.CONTINUOUS:
        run = _next_continuous_now(task, at=at, **fields)
    else:
        run = TaskRun.of(task, trigger=Trigger.PERSON, at=at, **fields)
        run.save()
    _record(task, user, Verb.RUN_ASKED, run, at=at)
    logger.info("run queued", extra=run.log_context())
    ring_after_commit()
    return run


def _next_continuous_now(task: Task, *, at: datetime, **fields: Any) -> TaskRun:
    run: TaskRun | None = task.runs.filter(trigger=Trigger.CONTINUOUS).unfinished().first()
    if task.is_paused:
        raise NotRunnable("It is paused. Resume it, and its next run starts.")
    if run is None:
        run = TaskRun.of(task, trigger=Trigger.CONTINUOUS, at=at, **fields)
        try:
            with transaction.atomic():
                run.save()
        except IntegrityError as error:
            raise NotRunnable("Its run goes on already.") from error
        return run
    waiting = TaskRun.objects.filter(pk=run.pk, status=Status.QUEUED)
    if not waiting.update(not_before=None, **fields):
        raise NotRunnable("Its run goes on already. A continuous task has one at a time.")
    run.refresh_from_db()
    return run


def _locked(task: Task) -> Task:
    locked: Task | None = (
        Task.objects.select_for_update(of=("self",))
        .select_related("orchestration__workspace")
        .filter(pk=task.pk)
        .first()
    )
    if locked is None:
        raise NotRunnable(f"{task} has been deleted in the meantime.")
    if locked.is_ended:
        raise NotRunnable("It has been stopped for good. Make a new task instead.")
    return locked


def stop_run(*, run: TaskRun, user: User, at: datetime) -> bool:
    """End a run on request. False: it had ended already, or is ending."""
    with transaction.atomic():
        is_asked = executions.request_stop(run, reason=f"Stopped by {user}.", at=at)
        if is_asked:
            _record(run.task, user, Verb.RUN_STOPPED, run, at=at)
    return is_asked


def _record(
    task: Task, user: User | None, verb: Verb, run: TaskRun | None = None, *, at: datetime
) -> None:
    """Let the members of a task's workspace read who did what."""
    shown = run or task
    workspace = task.orchestration.workspace_id
    activity.record(workspace, user, verb, task, url=shown.get_absolute_url(), at=at)


@dataclass(frozen=True, kw_only=True)
class KillPreview:
    """What stopping a task would do.

    Attributes:
        live: runs that would be stopped, those that wait included.
        ticks: runs of the coming week that would not take place.
        logs, log_bytes: what would be deleted.
    """

    live: int
    ticks: int
    logs: int
    log_bytes: int


def preview_kill(*, task: Task, at: datetime) -> KillPreview:
    """Say what stopping a task would do, before it is done."""
    week = at + timedelta(days=7)
    coming = 0
    if task.is_active and task.next_run_at is not None:
        with suppress(ScheduleRefused):  # Then none would take place anyway.
            coming = sum(1 for _ in task.cron.ticks_between(at, week))
    kept = TaskRun.objects.filter(task=task, log_deleted_at=None, log_bytes__gt=0).finished()
    ended = kept.aggregate(logs=Count("pk"), bytes=Sum("log_bytes"))
    live = list(TaskRun.objects.filter(task=task).unfinished())
    growing = [size for run in live if (size := run.log_size.bytes)]
    return KillPreview(
        live=len(live),
        ticks=coming,
        logs=ended["logs"] + len(growing),
        log_bytes=(ended["bytes"] or 0) + sum(growing),
    )


def fail_unrunnable(*, at: datetime) -> None:
    """End what cannot start any more: its start deadline is over, or its packaging failed."""
    for run in TaskRun.objects.too_late(at=at).with_relations():
        executions.fail_launch(
            run, f"It had not started by its start deadline, {run.start_by:%H:%M:%S} UTC."
        )
    # A continuous task's next run waits for a packaging that works.
    waiting = TaskRun.objects.filter(status=Status.QUEUED).unrunnable()
    for run in waiting.exclude(trigger=Trigger.CONTINUOUS).with_relations():
        executions.fail_launch(run, run.task.obstacle)


def fail_waiting_runs(packaging: Packaging) -> None:
    """End what waited for a packaging that failed, unless it goes better by now."""
    waiting = TaskRun.objects.filter(
        orchestration=packaging.version.orchestration_id, status=Status.QUEUED
    )
    for run in waiting.unrunnable().with_relations():
        executions.fail_launch(run, f"The orchestration's packaging failed: {packaging.reason}")
