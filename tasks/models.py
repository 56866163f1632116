"""Tasks and their runs."""

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Prefetch, Q, Subquery
from django.urls import reverse

from orchestrations.models import Orchestration
from wallaroo_ui.executions.models import Execution, ExecutionQuerySet
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User

MAX_TIMEOUT_SECONDS = 30 * 24 * 3600


class Kind(models.TextChoices):
    """When a task runs."""

    ONCE = "once", "Run Once"  # One run, at once.


class TaskQuerySet(models.QuerySet["Task"]):
    """Questions about tasks."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the orchestrations that `user` may see."""
        return self.filter(orchestration__in=Orchestration.objects.visible_to(user))

    def newest_first(self) -> Self:
        """Return the latest made first."""
        return self.order_by("-created_at", "-pk")

    def with_last_run(self) -> Self:
        """Fetch each task's newest run along, as `Task.last_run` wants it."""
        newest = TaskRun.objects.filter(task=OuterRef("task")).newest_first().values("pk")[:1]
        newest_runs = TaskRun.objects.filter(pk=Subquery(newest))
        return self.prefetch_related(
            Prefetch("runs", queryset=newest_runs, to_attr="prefetched_last_runs")
        )


class Task(models.Model):
    """When, and with what, an orchestration runs.

    Attributes:
        arguments_json: a JSON object, kept as it was sent: what the code reads.
        timeout_seconds: how long one run may take.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    orchestration = models.ForeignKey(Orchestration, models.CASCADE, related_name="tasks")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.ONCE)
    arguments_json = models.TextField("JSON arguments", default="{}")
    timeout_seconds = models.PositiveIntegerField(default=settings.RUN_TIMEOUT_SECONDS)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = TaskQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["orchestration", "-created_at", "-id"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(timeout_seconds__gte=1, timeout_seconds__lte=MAX_TIMEOUT_SECONDS),
                name="task_timeout_from_1_s_to_30_days",
            )
        ]

    def __str__(self) -> str:
        return self.name

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
    def last_run(self) -> "TaskRun | None":
        """Return the newest run; free of a query after `with_last_run`."""
        if hasattr(self, "prefetched_last_runs"):
            return next(iter(self.prefetched_last_runs), None)
        run: TaskRun | None = self.runs.newest_first().first()
        return run


class TaskRunQuerySet(ExecutionQuerySet):
    """Questions about task runs."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the tasks that `user` may see."""
        return self.filter(task__orchestration__in=Orchestration.objects.visible_to(user))

    def with_relations(self) -> Self:
        """Fetch along what launching, following and showing a run look at."""
        return self.select_related("node", "task__created_by", "task__orchestration__workspace")

    def startable(self) -> Self:
        """Return those that may start: a run waits for its orchestration's packaging."""
        ready = Orchestration.Status.READY
        return super().startable().filter(task__orchestration__status=ready)


class TaskRun(Execution):
    """One execution of a task."""

    spool_name = "runs"

    task = models.ForeignKey(Task, models.CASCADE, related_name="runs")

    objects: ClassVar[Any] = TaskRunQuerySet.as_manager()

    class Meta(Execution.Meta):
        indexes = [
            models.Index(fields=["status", "queued_at"]),
            models.Index(fields=["task", "-queued_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"Run of {self.task}"

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("tasks:run-detail", args=[self.pk])

    @property
    def time_limit(self) -> timedelta | None:
        """Return how long the code may run; None for no limit."""
        return timedelta(seconds=self.task.timeout_seconds)

    def log_context(self) -> dict[str, str]:
        """Return what a log line says of this run."""
        return {**super().log_context(), "run": str(self.pk), "task": str(self.task_id)}
