"""Orchestrations: uploaded archives of code, and their packaging."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.urls import reverse

from orchestrations.environments import Environment, environment_for
from orchestrations.packager import RESULT
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import (
    FAILED,
    FINISHED,
    UNFINISHED,
    Execution,
    ExecutionQuerySet,
    Status,
)
from wallaroo_ui.executions.spool import Verdict
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from tasks.models import TaskRun
    from wallaroo_ui.accounts.models import User


class WorkloadStatus(models.TextChoices):
    """What the Workloads list says of an orchestration. Error wins over Active."""

    ACTIVE = "active", "Active"  # It has a live task.
    INACTIVE = "inactive", "Inactive"  # Nothing is going on.
    ERROR = "error", "Error"  # Packaging or its latest finished run failed.


class OrchestrationQuerySet(models.QuerySet["Orchestration"]):
    """Questions about orchestrations."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those in the workspaces that `user` may see."""
        return self.filter(workspace__in=Workspace.objects.visible_to(user))

    def newest_first(self) -> Self:
        """Return the latest upload first."""
        return self.order_by("-created_at", "-pk")

    def search(self, text: str) -> Self:
        """Return those whose shown name holds `text`, in any case."""
        return self.with_shown_name().filter(shown_name__icontains=text) if text else self

    def with_shown_name(self) -> Self:
        """Add `shown_name`, as `Orchestration.display_name` says it."""
        return self.alias(shown_name=Case(When(name="", then=F("file_name")), default=F("name")))

    def with_workload_status(self) -> Self:
        """Add `workload_status`, `is_going_on`, and when its last run was and its next will be."""
        # Through the reverse relation: this floor knows that tasks have runs and a next one.
        same = Orchestration.objects.filter(pk=OuterRef("pk"))
        latest = (
            same.filter(runs__status__in=FINISHED)
            .order_by("-runs__ended_at")
            .values("runs__status")[:1]
        )
        next_run = (
            same.filter(tasks__state="active", tasks__next_run_at__isnull=False)
            .order_by("tasks__next_run_at")
            .values("tasks__next_run_at")[:1]
        )
        last_run = same.order_by("-runs__queued_at").values("runs__queued_at")[:1]
        has_run = same.filter(runs__status__in=UNFINISHED)
        return self.annotate(
            latest_verdict=Subquery(latest),
            last_run_at=Subquery(last_run),
            next_run_at=Subquery(next_run),
            is_going_on=Q(Exists(has_run)) | Q(next_run_at__isnull=False),
        ).annotate(
            workload_status=Case(
                When(status=Orchestration.Status.ERROR, then=Value(WorkloadStatus.ERROR)),
                When(latest_verdict__in=FAILED, then=Value(WorkloadStatus.ERROR)),
                When(is_going_on=True, then=Value(WorkloadStatus.ACTIVE)),
                default=Value(WorkloadStatus.INACTIVE),
                output_field=models.CharField(),
            )
        )

    def having_workload_status(self, status: str) -> Self:
        """Return those of one `WorkloadStatus`; after `with_workload_status`."""
        return self.filter(Q(workload_status=status))


class Orchestration(models.Model):
    """An uploaded archive of code, and whether it is ready to run.

    Attributes:
        sha: SHA-256 of the archive's bytes, as 64 hex digits.
        entry_point: the `main.py` that runs, relative to the archive.
        requirements: what `requirements.txt` asks for, a normalised line each.
    """

    class Status(models.TextChoices):
        """How far packaging is, in the SDK's words."""

        PENDING_PACKAGING = "pending_packaging", "Waiting for packaging"
        PACKAGING = "packaging", "Packaging"
        READY = "ready", "Ready"
        ERROR = "error", "Packaging failed"

    workload_status: str  # These where `with_workload_status` was asked for.
    is_going_on: bool
    last_run_at: datetime | None
    next_run_at: datetime | None
    newest_runs: "list[TaskRun]"  # Where `with_newest_runs` was asked for.

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="orchestrations")
    name = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=24, choices=Status, default=Status.PENDING_PACKAGING)
    archive = models.FileField(upload_to="archives/", max_length=255)
    file_name = models.CharField(max_length=255)
    file_size = models.BigIntegerField()
    sha = models.CharField(max_length=64, db_index=True)
    entry_point = models.CharField(max_length=1024)
    requirements_path = models.CharField(max_length=1024, blank=True)
    requirements = models.JSONField(default=list, blank=True)
    packaging_notes = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = OrchestrationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"])]

    def __str__(self) -> str:
        return self.display_name

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("orchestrations:detail", args=[self.pk])

    @property
    def display_name(self) -> str:
        """Return the name, or the file's name where none was given."""
        return self.name or self.file_name

    @property
    def workload_status_label(self) -> str:
        """Return the words for the annotated `workload_status`."""
        return str(WorkloadStatus(self.workload_status).label)

    @property
    def is_ready(self) -> bool:
        """Tell whether its environment has been made."""
        return self.status == self.Status.READY

    @property
    def environment(self) -> Environment:
        """Return the environment in which it runs, built or not."""
        return environment_for(
            settings.DATA_DIR / "environments", settings.BASE_REQUIREMENTS, self.requirements
        )

    @property
    def latest_packaging(self) -> "Packaging | None":
        """Return the newest attempt at packaging."""
        packaging: Packaging | None = self.packagings.newest_first().first()
        return packaging


@dataclass(frozen=True)
class PackagingStep:
    """How far a packaging is: step `number` of `total`."""

    number: int
    total: int
    words: str


STEP = re.compile(r"\[(\d+)/(\d+)\] (.+)")


class PackagingQuerySet(ExecutionQuerySet):
    """Questions about packagings."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the orchestrations that `user` may see."""
        return self.filter(orchestration__in=Orchestration.objects.visible_to(user))

    def with_relations(self) -> Self:
        """Fetch along what launching and following a packaging look at."""
        return self.select_related("node", "orchestration")


class Packaging(Execution):
    """One attempt at making an orchestration's environment."""

    spool_name = "packagings"

    orchestration = models.ForeignKey(Orchestration, models.CASCADE, related_name="packagings")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects: ClassVar[Any] = PackagingQuerySet.as_manager()

    class Meta(Execution.Meta):
        indexes = [
            models.Index(fields=["status", "queued_at"]),
            models.Index(fields=["orchestration", "-queued_at"]),
        ]

    def __str__(self) -> str:
        return f"Packaging of {self.orchestration}"

    @property
    def step(self) -> PackagingStep | None:
        """Return the step it is at, read from the end of its log."""
        last = None
        for match in self._steps():
            last = PackagingStep(int(match[1]), int(match[2]), match[3])
        return last

    def _steps(self) -> Iterator[re.Match[str]]:
        for line in logstore.read_tail(self.spool).lines:
            if match := STEP.fullmatch(line.text):
                yield match

    @property
    def time_limit(self) -> timedelta:
        """Return how long it may take."""
        return timedelta(seconds=settings.PACKAGING_TIMEOUT_SECONDS)

    def explain(self, verdict: Verdict) -> Verdict:
        """Put the packager's own words in place of an exit status."""
        if verdict.status != Status.FAILURE:
            return verdict
        try:
            result = json.loads((self.spool.directory / RESULT).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return verdict
        return replace(verdict, reason=result.get("error", verdict.reason))

    def log_context(self) -> dict[str, str]:
        """Return what a log line says of this packaging."""
        return {
            **super().log_context(),
            "packaging": str(self.pk),
            "orchestration": str(self.orchestration_id),
        }
