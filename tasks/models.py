"""Tasks and their runs."""

import json
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from orchestrations.models import Orchestration, Version
from tasks.newest_runs import with_newest_runs
from tasks.schedules import Schedule
from wallaroo_ui.executions.models import (
    FAILED,
    UNFINISHED,
    Execution,
    ExecutionQuerySet,
    Status,
)
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User

MAX_TIMEOUT_SECONDS = settings.RUN_TIMEOUT_MAX_SECONDS
LONGEST_RETRY_DELAY = timedelta(days=1)
# A continuous task whose run failed sooner waits before the next one.
QUICK = timedelta(seconds=10)


class Kind(models.TextChoices):
    """When a task runs."""

    ONCE = "once", "Run Once"  # One run, at once.
    SCHEDULED = "scheduled", "Run Scheduled"  # A run at each tick of its schedule.
    CONTINUOUS = "continuous", "Run Continuously"  # A run until it ends, then the next.


class Overlap(models.TextChoices):
    """What becomes of a tick that comes while an earlier run goes on."""

    ALLOW = "allow", "Start another beside it"  # The specification's way.
    SKIP = "skip", "Skip the new one"


class Missed(models.TextChoices):
    """What becomes of the ticks that came while no scheduler was there."""

    LATEST = "latest", "Run the latest one"
    SKIP = "skip", "Skip all of them"
    ALL = "all", "Run all of them, at most 100"


def _no_version(pinned: str, orchestration: str) -> Q:
    """Return the condition that nothing is left to be run.

    Args:
        pinned: names the version that is wanted; of null, any of the orchestration is.
        orchestration: names the orchestration.
    """
    usable = Version.objects.usable()
    return Q(
        Q(**{pinned: None}) & ~Exists(usable.filter(orchestration=OuterRef(orchestration)))
    ) | Q(Q(**{f"{pinned}__isnull": False}) & ~Exists(usable.filter(pk=OuterRef(pinned))))


class TaskQuerySet(models.QuerySet["Task"]):
    """Questions about tasks."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the orchestrations that `user` may see."""
        return self.filter(orchestration__workspace__in=Workspace.objects.visible_to(user))

    def newest_first(self) -> Self:
        """Return the latest made first."""
        return self.order_by("-created_at", "-pk")

    def ended(self) -> Self:
        """Return those that were stopped for good, or are being stopped."""
        return self.filter(state__in=(Task.State.PENDING_KILL, Task.State.KILLED))

    def not_ended(self) -> Self:
        """Return those that may make runs, paused ones included."""
        return self.filter(state__in=(Task.State.ACTIVE, Task.State.PAUSED))

    def due(self, *, at: datetime) -> Self:
        """Return the active ones with a tick that is not accounted for, the latest tick last."""
        due = self.filter(state=Task.State.ACTIVE, next_run_at__lte=at)
        return due.order_by("next_run_at", "pk")

    def unrunnable(self) -> Self:
        """Return those whose runs cannot start: the packaging of what they would run failed."""
        return self.filter(_no_version("version", "orchestration"))

    def with_last_run(self) -> Self:
        """Fetch each task's newest run along, as `Task.last_run` wants it."""
        newest = TaskRun.objects.filter(task=OuterRef("task")).newest_first().values("pk")[:1]
        newest_runs = TaskRun.objects.filter(pk=Subquery(newest))
        return self.prefetch_related(
            Prefetch("runs", queryset=newest_runs, to_attr="prefetched_last_runs")
        )

    def with_newest_runs(self, *, limit: int) -> "list[Task]":
        """Fetch tasks, each with the newest runs that have left the queue.

        Args:
            limit: how many runs a task at the most, the newest first in `Task.newest_runs`,
                each with its status and times.
        """
        begun = TaskRun.objects.exclude(status=Status.QUEUED)
        shown = begun.only("status", "queued_at", "updated_at")
        return with_newest_runs(self, link="task", runs=shown, limit=limit)


class Task(models.Model):
    """When, and with what, an orchestration runs.

    Attributes:
        version: the one that it is pinned to; None for what is `Orchestration.current` whenever
            a run starts.
        arguments_json: a JSON object, kept as it was sent: what the code reads.
        timeout_seconds: how long one run may take; None for no limit.
        schedule: one or more five-field cron lines, for a scheduled task.
        time_zone: the IANA zone in which the schedule is meant.
        next_run_at: the first tick that is not accounted for: made into a run, or recorded
            as skipped. While the task is paused it stays where it was.
        retries: how often a run that failed is tried again, each time as a run of its own.
        start_deadline_seconds: a run that could not start for so long does not start at all.
        quick_failures: how many runs of a continuous task in a row failed at once.
        schedule_error: why its schedule cannot be followed any more.
    """

    class State(models.TextChoices):
        """Whether a task makes runs."""

        ACTIVE = "active", "Active"  # It does.
        PAUSED = "paused", "Paused"  # It will, when somebody resumes it.
        PENDING_KILL = "pending_kill", "Stopping"  # Never again; its last runs are ending.
        KILLED = "killed", "Stopped"  # Over: nothing runs, the logs are deleted.

    newest_runs: "list[TaskRun]"  # Where `with_newest_runs` was asked for.
    may_change: bool  # These two where its page asked for them.
    has_live_run: bool

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    orchestration = models.ForeignKey(Orchestration, models.CASCADE, related_name="tasks")
    version = models.ForeignKey(
        Version, models.RESTRICT, null=True, blank=True, related_name="pinned_tasks"
    )
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.ONCE)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    arguments_json = models.TextField("JSON arguments", default="{}")
    timeout_seconds = models.PositiveIntegerField(
        default=settings.RUN_TIMEOUT_SECONDS, null=True, blank=True
    )

    schedule = models.TextField(blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    next_run_at = models.DateTimeField(null=True, blank=True)
    schedule_error = models.TextField(blank=True)

    overlap = models.CharField(max_length=16, choices=Overlap, default=Overlap.ALLOW)
    missed = models.CharField(max_length=16, choices=Missed, default=Missed.LATEST)
    retries = models.PositiveSmallIntegerField(default=0)
    retry_delay_seconds = models.PositiveIntegerField(default=60)
    retry_backoff = models.BooleanField(
        default=True, help_text="Each retry waits twice as long as the one before."
    )
    start_deadline_seconds = models.PositiveIntegerField(null=True, blank=True)
    quick_failures = models.PositiveIntegerField(default=0)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    kill_requested_at = models.DateTimeField(null=True, blank=True)
    killed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    killed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = TaskQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["orchestration", "-created_at", "-id"]),
            models.Index(
                fields=["next_run_at"], condition=Q(state="active"), name="task_next_tick"
            ),
            # Of each workload on a list, its next run.
            models.Index(
                fields=["orchestration", "next_run_at"],
                condition=Q(state="active"),
                name="task_next_tick_of_workload",
            ),
            models.Index(
                fields=["state"], condition=Q(state="pending_kill"), name="task_pending_kill"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(timeout_seconds=None)
                | Q(timeout_seconds__gte=1, timeout_seconds__lte=MAX_TIMEOUT_SECONDS),
                name="task_timeout_from_1_s_to_30_days",
            ),
            models.CheckConstraint(
                condition=Q(kind="scheduled") & ~Q(schedule="")
                | ~Q(kind="scheduled") & Q(schedule=""),
                name="task_schedule_when_scheduled",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("tasks:detail", args=[self.pk])

    @property
    def workspace(self) -> Workspace:
        """Return the workspace that it belongs to: its orchestration's."""
        return self.orchestration.workspace

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the JSON arguments."""
        arguments: dict[str, Any] = json.loads(self.arguments_json)
        return arguments

    @property
    def cron(self) -> Schedule:
        """Return its schedule; raises ScheduleRefused where it is not understood any more."""
        return Schedule.stored(self.schedule, self.time_zone)

    @property
    def obstacle(self) -> str:
        """Return why no run of it could start, in words, or nothing."""
        if not Task.objects.filter(pk=self.pk).unrunnable().exists():
            return ""
        if self.version is not None:
            return (
                f"The packaging of {self.version}, which it is pinned to, failed. "
                "Package that again, or have the task follow the latest version."
            )
        return "Its orchestration's packaging failed. Package it again first."

    @property
    def acts_for(self) -> "User | None":
        """Return the person whose rights its runs have: who decided last what they do."""
        return self.changed_by or self.created_by

    @property
    def is_active(self) -> bool:
        """Tell whether it makes runs by itself, or would."""
        return self.state == self.State.ACTIVE

    @property
    def is_paused(self) -> bool:
        """Tell whether it waits to be resumed."""
        return self.state == self.State.PAUSED

    @property
    def is_ended(self) -> bool:
        """Tell whether it will never make a run again."""
        return self.state in {self.State.PENDING_KILL, self.State.KILLED}

    @property
    def is_going_on(self) -> bool:
        """Tell whether something may happen to it without anybody's doing."""
        if self.state == self.State.PENDING_KILL:
            return True
        return self.is_active and self.kind != Kind.ONCE

    @property
    def last_run(self) -> "TaskRun | None":
        """Return the newest run; free of a query after `with_last_run`."""
        if hasattr(self, "prefetched_last_runs"):
            return next(iter(self.prefetched_last_runs), None)
        run: TaskRun | None = self.runs.newest_first().first()
        return run

    def retry_delay(self, *, attempt: int) -> timedelta:
        """Return how long the retry waits that follows an attempt, counted from 1."""
        doublings = attempt - 1 if self.retry_backoff else 0
        seconds = self.retry_delay_seconds * 2 ** min(doublings, 20)
        return min(timedelta(seconds=seconds), LONGEST_RETRY_DELAY)


class TaskRunQuerySet(ExecutionQuerySet):
    """Questions about task runs."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the tasks that `user` may see."""
        return self.filter(orchestration__workspace__in=Workspace.objects.visible_to(user))

    def with_relations(self) -> Self:
        """Fetch along what launching, following and showing a run look at."""
        return self.select_related(
            "node",
            "requested_by",
            "task__created_by",
            "task__changed_by",
            "task__version",
            "task__orchestration__workspace",
            "task__orchestration__newest",
            "version",
        )

    def with_chosen(self) -> Self:
        """Add `chosen_key`, of the version that each would run now; null for none yet."""
        current = Version.objects.filter(orchestration=OuterRef("orchestration")).current()
        newest = Subquery(current.values("pk")[:1])
        return self.alias(chosen_key=Coalesce("version", "task__version", newest))

    def with_what_changes(self) -> Self:
        """Fetch no more than what tells whether there is something new to show of a run.

        Every open page asks for it every few seconds.
        """
        return self.select_related("task", "orchestration__workspace").only(
            "status",
            "updated_at",
            "not_before",
            "task__updated_at",
            "orchestration__updated_at",
            "orchestration__workspace__id",
        )

    def with_neighbours(self) -> Self:
        """Tell of each the ids of the runs of its task just before and after it."""
        runs = TaskRun.objects.filter(task=OuterRef("task"))
        time, pk = OuterRef("queued_at"), OuterRef("pk")
        before = runs.filter(Q(queued_at__lt=time) | Q(queued_at=time, pk__lt=pk))
        after = runs.filter(Q(queued_at__gt=time) | Q(queued_at=time, pk__gt=pk))
        return self.annotate(
            # The first condition says nothing new, but finds its place in the index.
            previous_id=before.filter(queued_at__lte=time).newest_first().values("pk")[:1],
            next_id=after.filter(queued_at__gte=time).order_by("queued_at", "pk").values("pk")[:1],
        )

    def startable(self, *, at: datetime) -> Self:
        """Return those that may start at a moment.

        A run waits for the packaging of what it runs, and for its own time; a task that is
        being stopped starts nothing any more, and a paused one no next run.
        """
        ready = Version.objects.filter(pk=OuterRef("chosen_key"), status=Version.Status.READY)
        return (
            super()
            .startable(at=at)
            .with_chosen()
            .filter(
                Exists(ready),
                Q(not_before=None) | Q(not_before__lte=at),
                Q(start_by=None) | Q(start_by__gt=at),
                Q(task__state=Task.State.ACTIVE)
                | Q(task__state=Task.State.PAUSED) & ~Q(trigger=Trigger.CONTINUOUS),
            )
        )

    def unrunnable(self) -> Self:
        """Return those that cannot start: the packaging of what they would run failed."""
        pinned = Coalesce("version", "task__version")
        return self.alias(pinned=pinned).filter(_no_version("pinned", "orchestration"))

    def too_late(self, *, at: datetime) -> Self:
        """Return those that waited until their start deadline was over."""
        return self.filter(status=Status.QUEUED, start_by__lte=at)

    def unheard(self, *, at: datetime, after: timedelta) -> Self:
        """Return those that could start; one that waited for its time was never rung for."""
        return self.startable(at=at).filter(
            Q(not_before__isnull=False) | Q(queued_at__lt=at - after)
        )


class Trigger(models.TextChoices):
    """What made a run."""

    TASK = "task", "Its task was made"
    SCHEDULE = "schedule", "Schedule"
    CONTINUOUS = "continuous", "The run before it ended"
    PERSON = "person", "Run again"


class TaskRun(Execution):
    """One execution of a task.

    Attributes:
        orchestration: its task's, which never changes. Kept here too, so that the runs of an
            orchestration with thousands of tasks are found in their order by one index.
        version: what it runs; None until it starts, unless it is a retry, which runs the same.
        due_at: the tick that it answers; None where no schedule made it.
        attempt: 1, and one more for each retry.
        retry_of: the attempt before it.
        not_before: it waits until then: for its retry, or for the end of a backoff.
        start_by: if it has not started by then, it fails.
        arguments_json: what it runs with: the task's when the run was made, or others that
            its maker chose.
        timeout_seconds: the task's when the run was made.
        environment_name: of the environment that it started in.
        log_deleted_at: when its log was deleted; its task was stopped then.
    """

    spool_name = "runs"

    task = models.ForeignKey(Task, models.CASCADE, related_name="runs")
    orchestration = models.ForeignKey(
        Orchestration, models.CASCADE, related_name="runs", db_index=False
    )
    version = models.ForeignKey(Version, models.SET_NULL, null=True, blank=True, related_name="+")
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.TASK)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=1)
    retry_of = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="retry"
    )
    not_before = models.DateTimeField(null=True, blank=True)
    start_by = models.DateTimeField(null=True, blank=True)
    arguments_json = models.TextField("JSON arguments", default="{}")
    timeout_seconds = models.PositiveIntegerField(null=True, blank=True)
    environment_name = models.CharField(max_length=128, blank=True)
    log_deleted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = TaskRunQuerySet.as_manager()

    class Meta(Execution.Meta):
        indexes = [
            models.Index(fields=["status", "queued_at"]),
            models.Index(fields=["task", "-queued_at", "-id"]),
            models.Index(fields=["ended_at"]),
            models.Index(fields=["orchestration", "-queued_at", "-id"]),
            # SQLite takes an index with a condition where the query says the same without a
            # parameter. A run that has ended is one in a finished status: see the constraint.
            # The latest failures of the whole server, for its overview.
            models.Index(
                fields=["status", "-ended_at"],
                condition=Q(ended_at__isnull=False),
                name="run_latest_verdicts",
            ),
            # What the status of a workload is made of: its latest verdict, and what goes on.
            models.Index(
                fields=["orchestration", "-ended_at"],
                condition=Q(ended_at__isnull=False),
                name="run_verdict_of_workload",
            ),
            models.Index(
                fields=["orchestration"],
                condition=Q(ended_at__isnull=True),
                name="run_unfinished_of_workload",
            ),
            # The retry of a run: where few are retries, SQLite takes the unique index, full of
            # nulls, for one that tells nothing apart, and reads the whole table instead.
            models.Index(
                fields=["retry_of"],
                condition=Q(retry_of__isnull=False),
                name="run_retries",
            ),
        ]
        constraints = [
            *Execution.Meta.constraints,
            models.UniqueConstraint(fields=["task", "due_at", "attempt"], name="one_run_a_tick"),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(trigger="continuous", status__in=UNFINISHED),
                name="one_live_run_of_a_continuous_task",
            ),
        ]

    def __str__(self) -> str:
        return f"Run of {self.task}"

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("tasks:run-detail", args=[self.pk])

    @classmethod
    def of(cls, task: Task, *, trigger: Trigger, at: datetime, **fields: Any) -> Self:
        """Return a new run, not saved, with what its task says at this moment."""
        run = cls(
            task=task,
            orchestration_id=task.orchestration_id,
            trigger=trigger,
            queued_at=at,
            **{
                "arguments_json": task.arguments_json,
                "timeout_seconds": task.timeout_seconds,
                **fields,
            },
        )
        if task.start_deadline_seconds is not None:
            run.start_by = (run.not_before or run.due_at or at) + timedelta(
                seconds=task.start_deadline_seconds
            )
        return run

    @property
    def chosen(self) -> Version | None:
        """Return the version that it runs, or would if it started now."""
        return self.version or self.task.version or self.task.orchestration.current

    @property
    def waits_for_packaging(self) -> bool:
        """Tell whether it is in the queue and what it would run is not packaged."""
        if self.status != Status.QUEUED:
            return False
        chosen = self.chosen
        return chosen is None or not chosen.is_ready

    @property
    def time_limit(self) -> timedelta | None:
        """Return how long the code may run; None for no limit."""
        return None if self.timeout_seconds is None else timedelta(seconds=self.timeout_seconds)

    @property
    def cause(self) -> str:
        """Return in words what made it."""
        person = self.requested_by or "somebody"
        words = {
            Trigger.TASK: f"Task made by {person}",
            Trigger.SCHEDULE: "By schedule",
            Trigger.CONTINUOUS: "After the run before",
            Trigger.PERSON: f"Run again by {person}",
        }
        return words[Trigger(self.trigger)]

    @property
    def attempts(self) -> int:
        """Return how many attempts there may be, this one included."""
        return max(self.attempt, self.task.retries + 1)

    @property
    def acts_for(self) -> "User | None":
        """Return the person whose rights it has: who decided last what it does.

        That is who asked for it, else its task's; but where it follows the latest version and
        that came only after they had decided, whoever uploaded it. Nobody's rights go to code
        that somebody else could put in place afterwards. Pinning the task decides for the
        version that it is pinned to, not for one that still runs.
        """
        version = self.version
        is_pinned_to_it = version is not None and version.pk == self.task.version_id
        if version and not is_pinned_to_it and version.created_at > self._decided_at:
            return version.created_by
        return self.requested_by or self.task.acts_for

    @property
    def _decided_at(self) -> datetime:
        """Return when it was known at the latest what it would run."""
        first = self
        while first.retry_of:  # A retry runs what the first attempt ran, for the same person.
            first = first.retry_of
        # Who edits a task is not taken to have looked at its code: they can pin a version.
        return first.queued_at if first.requested_by_id else self.task.created_at

    @property
    def ready_at(self) -> datetime:
        """Return when it could have started, had there been room."""
        return max(self.queued_at, self.not_before) if self.not_before else self.queued_at

    @property
    def waited(self) -> timedelta | None:
        """Return how long it stood in the queue, once it has started."""
        return self.started_at - self.ready_at if self.started_at else None

    @property
    def lateness(self) -> timedelta | None:
        """Return how long after its tick it started."""
        return self.started_at - self.due_at if self.started_at and self.due_at else None

    @property
    def last_success(self) -> "TaskRun | None":
        """Return the latest run of its task before it that worked, with node and version."""
        earlier = TaskRun.objects.filter(
            task=self.task_id, status=Status.SUCCESS, queued_at__lt=self.queued_at
        )
        run: TaskRun | None = earlier.select_related("node", "version").newest_first().first()
        return run

    @property
    def was_quick_failure(self) -> bool:
        """Tell whether it failed so soon that the next one should not follow at once."""
        quick = self.duration is None or self.duration < QUICK
        return self.status in FAILED and quick

    def log_context(self) -> dict[str, str]:
        """Return what a log line says of this run."""
        return {**super().log_context(), "run": str(self.pk), "task": str(self.task_id)}


class SkippedTicks(models.Model):
    """Neighbouring ticks of a schedule that made no run, and why: with the runs, the ledger.

    Attributes:
        first_due_at, last_due_at, count: which ticks, and how many.
        user: who paused the task, where it was paused.
        scheduler_seen_at: when a scheduler was last heard of before, where none was there.
    """

    class Reason(models.TextChoices):
        """Why a tick made no run."""

        OVERLAP = "overlap", "The previous run was still going"
        MISSED = "missed", "No scheduler was there"
        PAUSED = "paused", "The task was paused"

    task = models.ForeignKey(Task, models.CASCADE, related_name="skipped_ticks")
    reason = models.CharField(max_length=16, choices=Reason)
    first_due_at = models.DateTimeField()
    last_due_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    scheduler_seen_at = models.DateTimeField(null=True, blank=True)
    noticed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "skipped ticks"
        indexes = [models.Index(fields=["task", "-last_due_at"])]

    def __str__(self) -> str:
        return f"{self.count} of {self.task}: {self.get_reason_display()}"
