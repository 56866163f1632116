"""Orchestrations, their versions, which are uploaded archives of code, and packaging."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.urls import reverse

from orchestrations.environments import Environment, environment_for
from orchestrations.packager import RESULT
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import (
    FAILED,
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


def case_of_workload_status(*, error: object, active: object, inactive: object) -> Case:
    """Return the value for the status of a workload, in SQL; after `with_workload_status`."""
    return Case(
        When(newest__status=Version.Status.ERROR, then=Value(error)),
        When(latest_verdict__in=FAILED, then=Value(error)),
        When(is_going_on=True, then=Value(active)),
        default=Value(inactive),
    )


class OrchestrationQuerySet(models.QuerySet["Orchestration"]):
    """Questions about orchestrations."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those in the workspaces that `user` may see."""
        return self.filter(workspace__in=Workspace.objects.visible_to(user))

    def locked(self) -> Self:
        """Lock them until the transaction ends, against all but new runs of theirs.

        PostgreSQL looks at a run's orchestration as the run is committed. Whoever held that
        row for good and waited for a task, as a deletion does, would wait for whoever holds
        the task and makes the run, and they for it.
        """
        return self.select_for_update(no_key=True)

    def newest_first(self) -> Self:
        """Return the latest upload first."""
        return self.order_by("-created_at", "-pk")

    def search(self, text: str) -> Self:
        """Return those whose shown name holds `text`, in any case."""
        return self.with_shown_name().filter(shown_name__icontains=text) if text else self

    def with_shown_name(self) -> Self:
        """Add `shown_name`, as `Orchestration.display_name` says it."""
        shown = Case(When(name="", then=F("newest__file_name")), default=F("name"))
        return self.alias(shown_name=shown)

    def with_workload_status(self) -> Self:
        """Add `workload_status`, `is_going_on`, and when its last run was and its next will be."""
        # By name: this floor knows that tasks have runs and a next one, and nothing more of them.
        runs = apps.get_model("tasks.TaskRun").objects.filter(orchestration=OuterRef("pk"))
        tasks = apps.get_model("tasks.Task").objects.filter(orchestration=OuterRef("pk"))
        latest = runs.filter(ended_at__isnull=False).order_by("-ended_at").values("status")[:1]
        last_run = runs.order_by("-queued_at").values("queued_at")[:1]
        next_run = (
            tasks.filter(state="active", next_run_at__isnull=False)
            .order_by("next_run_at")
            .values("next_run_at")[:1]
        )
        has_run = runs.filter(ended_at__isnull=True)
        return self.annotate(
            latest_verdict=Subquery(latest),
            last_run_at=Subquery(last_run),
            next_run_at=Subquery(next_run),
            is_going_on=Q(Exists(has_run)) | Q(next_run_at__isnull=False),
        ).annotate(
            workload_status=case_of_workload_status(
                error=WorkloadStatus.ERROR,
                active=WorkloadStatus.ACTIVE,
                inactive=WorkloadStatus.INACTIVE,
            )
        )

    def with_current_number(self) -> Self:
        """Add `current_number`, that of `Orchestration.current`; None where nothing can run."""
        current = Version.objects.filter(orchestration=OuterRef("pk")).current()
        return self.annotate(current_number=Subquery(current.values("number")[:1]))

    def having_workload_status(self, status: str) -> Self:
        """Return those of one `WorkloadStatus`; after `with_workload_status`."""
        return self.filter(Q(workload_status=status))


class Orchestration(models.Model):
    """Code that runs: what was uploaded under one name, version by version.

    Attributes:
        newest: the version that was uploaded last. It could be found by its number; lists of
            many orchestrations want it without looking. `services.upload_version` moves it on.
        updated_at: when a version came, or its packaging came further.
    """

    workload_status: str  # These where `with_workload_status` was asked for.
    is_going_on: bool
    last_run_at: datetime | None
    next_run_at: datetime | None
    newest_runs: "list[TaskRun]"  # Where `with_newest_runs` was asked for.
    current_number: int | None  # Where `with_current_number` was asked for.

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="orchestrations")
    name = models.CharField(max_length=255, blank=True)
    # Both name each other: the constraint is checked when the transaction that makes them ends.
    newest = models.OneToOneField("Version", models.RESTRICT, related_name="+")
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
        """Return the name, or the newest file's name where none was given."""
        return self.name or self.newest.file_name

    @property
    def workload_status_label(self) -> str:
        """Return the words for the annotated `workload_status`."""
        return str(WorkloadStatus(self.workload_status).label)

    @property
    def current(self) -> "Version | None":
        """Return the version that runs unless a task is pinned to another one."""
        if self.newest.packaged_at is not None:
            return self.newest
        version: Version | None = self.versions.current().first()
        return version


class VersionQuerySet(models.QuerySet["Version"]):
    """Questions about versions."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those of the orchestrations that `user` may see."""
        return self.filter(orchestration__workspace__in=Workspace.objects.visible_to(user))

    def newest_first(self) -> Self:
        """Return the latest upload first."""
        return self.order_by("-number")

    def current(self) -> Self:
        """Return those that have been packaged, the newest first.

        The first one of an orchestration is what its tasks run unless they are pinned: a new
        version that is still being packaged, or cannot be, stops none of them.
        """
        return self.filter(packaged_at__isnull=False).newest_first()

    def usable(self) -> Self:
        """Return those that can be run, or may be once their packaging has ended."""
        return self.exclude(status=Version.Status.ERROR)


class Version(models.Model):
    """One uploaded archive of an orchestration, and whether it is ready to run.

    Attributes:
        number: 1, 2, 3 .. in the order of their uploads.
        sha: SHA-256 of the archive's bytes, as 64 hex digits.
        entry_point: the `main.py` that runs, relative to the archive.
        requirements: what `requirements.txt` asks for, a normalised line each.
        changes: in short, in which way it differs from the version before.
        packaged_at: when packaging last succeeded; None before, and again if it fails since.
            A version that is merely packaged once more keeps it.
    """

    class Status(models.TextChoices):
        """How far packaging is, in the SDK's words."""

        PENDING_PACKAGING = "pending_packaging", "Waiting for packaging"
        PACKAGING = "packaging", "Packaging"
        READY = "ready", "Ready"
        ERROR = "error", "Packaging failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    orchestration = models.ForeignKey(Orchestration, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=24, choices=Status, default=Status.PENDING_PACKAGING)
    packaged_at = models.DateTimeField(null=True, blank=True)
    archive = models.FileField(upload_to="archives/", max_length=255)
    file_name = models.CharField(max_length=255)
    file_size = models.BigIntegerField()
    sha = models.CharField(max_length=64, db_index=True)
    entry_point = models.CharField(max_length=1024)
    requirements_path = models.CharField(max_length=1024, blank=True)
    requirements = models.JSONField(default=list, blank=True)
    packaging_notes = models.JSONField(default=list, blank=True)
    changes = models.CharField(max_length=255, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = VersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["orchestration", "number"], name="version_number"),
            models.CheckConstraint(
                condition=Q(status="ready", packaged_at__isnull=False)
                | Q(status="error", packaged_at=None)
                | Q(status__in=["pending_packaging", "packaging"]),
                name="version_packaged_when_ready",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("orchestrations:version", args=[self.orchestration_id, self.number])

    @property
    def workspace(self) -> Workspace:
        """Return the workspace that it belongs to: its orchestration's."""
        return self.orchestration.workspace

    @property
    def is_ready(self) -> bool:
        """Tell whether its environment has been made."""
        return self.status == self.Status.READY

    @property
    def has_archive(self) -> bool:
        """Tell whether the uploaded file is still where it was put."""
        return self.archive.storage.exists(str(self.archive.name))

    @property
    def is_settled(self) -> bool:
        """Tell whether its packaging has come to an end."""
        return self.status in {self.Status.READY, self.Status.ERROR}

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
        workspaces = Workspace.objects.visible_to(user)
        return self.filter(version__orchestration__workspace__in=workspaces)

    def with_relations(self) -> Self:
        """Fetch along what launching and following a packaging look at."""
        return self.select_related("node", "version__orchestration__newest")


class Packaging(Execution):
    """One attempt at making the environment of a version."""

    spool_name = "packagings"

    version = models.ForeignKey(Version, models.CASCADE, related_name="packagings")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects: ClassVar[Any] = PackagingQuerySet.as_manager()

    class Meta(Execution.Meta):
        indexes = [
            models.Index(fields=["status", "queued_at"]),
            models.Index(fields=["version", "-queued_at"]),
        ]

    def __str__(self) -> str:
        return f"Packaging of {self.orchestration}, {self.version}"

    @property
    def orchestration(self) -> Orchestration:
        """Return what it packages a version of."""
        return self.version.orchestration

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
            "orchestration": str(self.version.orchestration_id),
            "version": str(self.version.number),
        }
