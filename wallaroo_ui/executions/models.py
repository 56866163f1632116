"""Executions: what a packaging and a task run have in common, and the nodes they run on.

    queued -> starting -> running -> success | failure | timed_out | killed | lost

The row is the truth. A status changes by a conditional update that tells whether it
won, and a finished execution never changes again.
"""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from wallaroo_ui.executions.logstore import LogSize, measure
from wallaroo_ui.executions.spool import Spool, Verdict


class Isolation(models.TextChoices):
    """How far user code is kept from the host."""

    BUBBLEWRAP = "bubblewrap", "Sandboxed (bubblewrap)"
    PROCESS = "process", "Not sandboxed (plain process)"


# An agent reports every 5 s; after so long it counts as away, before its lease is over.
AGENT_AWAY = timedelta(seconds=12)


class Node(models.Model):
    """A host that executes. Its agent and its cluster report here."""

    name = models.CharField(max_length=255, unique=True)
    slots = models.PositiveIntegerField(help_text="How many runs it holds at once.")
    isolation = models.CharField(max_length=16, choices=Isolation)
    isolation_detail = models.CharField(max_length=255, blank=True)
    versions = models.CharField(max_length=255, blank=True)
    is_draining = models.BooleanField(
        default=False, help_text="It takes no more work; what it holds goes on to its end."
    )
    agent_seen_at = models.DateTimeField(null=True, blank=True)
    cluster_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When a background job last ran to its end here."
    )
    cluster_restarted_at = models.DateTimeField(
        null=True, blank=True, help_text="When its cluster was last restarted for taking no jobs."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    def is_answering(self, *, at: datetime) -> bool:
        """Tell whether both agent and cluster reported lately."""
        oldest = at - timedelta(seconds=settings.NODE_LEASE_SECONDS)
        return (
            self.agent_seen_at is not None
            and self.cluster_seen_at is not None
            and min(self.agent_seen_at, self.cluster_seen_at) >= oldest
        )

    def has_agent(self, *, at: datetime) -> bool:
        """Tell whether its agent reported lately, and so asks its cluster to do so."""
        return self.agent_seen_at is not None and self.agent_seen_at > at - AGENT_AWAY

    def takes_work(self, *, at: datetime) -> bool:
        """Tell whether it may claim: not draining, and followed by an agent that lives.

        What a node without its agent started would be given up as lost with its lease.
        """
        is_followed = self.agent_seen_at is None or self.has_agent(at=at)
        return is_followed and not self.is_draining


class Status(models.TextChoices):
    """Where an execution stands."""

    QUEUED = "queued", "Queued"  # Waits for its turn and a free slot.
    STARTING = "starting", "Starting"  # Claimed by a node, which prepares it.
    RUNNING = "running", "Running"  # Its supervisor has started the code.
    SUCCESS = "success", "Success"  # The code ended with exit status 0.
    FAILURE = "failure", "Failure"  # It ended otherwise, or could not be started.
    TIMED_OUT = "timed_out", "Timed_out"  # Stopped by its timeout.
    KILLED = "killed", "Killed"  # Stopped because somebody asked for it.
    LOST = "lost", "Lost"  # Its supervisor is gone and left no verdict.


# Sorted: constraints list them, and must read alike in every process.
# The statuses in which a node holds an execution, and so one of its slots.
HELD = tuple(sorted({Status.STARTING, Status.RUNNING}))
UNFINISHED = tuple(sorted({Status.QUEUED, *HELD}))
FINISHED = tuple(sorted(set(Status) - set(UNFINISHED)))
FAILED = tuple(sorted({Status.FAILURE, Status.TIMED_OUT, Status.LOST}))


class ExecutionQuerySet(models.QuerySet[Any]):
    """Questions about executions."""

    def unfinished(self) -> Self:
        """Return those that are waiting or going on."""
        return self.filter(ended_at__isnull=True)

    def finished(self) -> Self:
        """Return those that have their verdict."""
        return self.filter(ended_at__isnull=False)

    def held_by(self, node: Node) -> Self:
        """Return those that take up a slot of `node`."""
        return self.filter(node=node, status__in=HELD)

    def startable(self, *, at: datetime) -> Self:
        """Return those that may start at a moment, the longest waiting first."""
        return self.filter(status=Status.QUEUED).order_by("queued_at", "pk")

    def unheard(self, *, at: datetime, after: timedelta) -> Self:
        """Return those that could start and have been waiting for longer than a ring takes."""
        return self.startable(at=at).filter(queued_at__lt=at - after)

    def newest_first(self) -> Self:
        """Return the latest first."""
        return self.order_by("-queued_at", "-pk")

    def with_relations(self) -> Self:
        """Fetch along what launching and following an execution look at."""
        return self.select_related("node")


class Execution(models.Model):
    """One supervised process and what became of it.

    Attributes:
        fence: raised by every claim; a verdict is accepted only with the fence of the
            claim that it belongs to, so a node that was given up cannot change history.
        reason: in words a person can act on, why it ended as it did.
        log_tail: the last lines, kept when the execution ends, for lists.
    """

    # The folder under DATA_DIR that holds one spool for each execution of this kind.
    spool_name: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    reason = models.TextField(blank=True)
    node = models.ForeignKey(Node, models.PROTECT, null=True, blank=True, related_name="+")
    fence = models.PositiveIntegerField(default=0)
    queued_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.TextField(blank=True)
    isolation = models.CharField(max_length=16, choices=Isolation, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    signal_name = models.CharField(max_length=16, blank=True)
    peak_memory_bytes = models.BigIntegerField(null=True, blank=True)
    cpu_seconds = models.FloatField(null=True, blank=True)
    log_lines = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    log_tail = models.TextField(blank=True)

    objects: ClassVar[Any] = ExecutionQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=UNFINISHED, ended_at=None)
                | (Q(status__in=FINISHED) & Q(ended_at__isnull=False)),
                name="%(app_label)s_%(class)s_ended_when_finished",
            )
        ]

    @property
    def spool(self) -> Spool:
        """Return the files shared with the supervisor of the present claim.

        A later claim has a folder of its own: what an earlier launch, given up as dead, does
        after all happens apart from it.
        """
        return self._spool_of(self.fence)

    @property
    def all_spools(self) -> list[Spool]:
        """Return the spools that its claims may have made, the present one's last."""
        return [self._spool_of(fence) for fence in range(1, max(1, self.fence) + 1)]

    def _spool_of(self, fence: int) -> Spool:
        name = str(self.pk) if fence <= 1 else f"{self.pk}.{fence}"
        return Spool(self.spools() / name)

    @classmethod
    def spools(cls) -> Path:
        """Return the folder that holds the spools of this kind."""
        return Path(settings.DATA_DIR) / cls.spool_name

    @property
    def time_limit(self) -> timedelta | None:
        """Return how long the code may run; None for no limit."""
        return None

    @property
    def is_finished(self) -> bool:
        """Tell whether the verdict is in."""
        return self.status in FINISHED

    @property
    def may_stop(self) -> bool:
        """Tell whether asking for a stop would change anything."""
        return not self.is_finished and self.stop_requested_at is None

    @property
    def waited(self) -> timedelta | None:
        """Return how long it stood in the queue, once it has started."""
        return self.started_at - self.queued_at if self.started_at else None

    @property
    def duration(self) -> timedelta | None:
        """Return how long the code ran, or has been running."""
        if self.started_at is None:
            return None
        return (self.ended_at or timezone.now()) - self.started_at

    @property
    def log_size(self) -> LogSize:
        """Return how long the log is: as recorded at the end, until then as it grows."""
        if self.is_finished:
            return LogSize(lines=self.log_lines, bytes=self.log_bytes)
        return measure(self.spool)

    # -- Changes of status. Each is one conditional update and tells whether it won. ----

    def claim(self, *, node: Node, at: datetime) -> bool:
        """Take it from the queue for `node`. False: somebody else was first."""
        return self._change(
            Q(status=Status.QUEUED),
            status=Status.STARTING,
            node=node,
            isolation=node.isolation,
            fence=F("fence") + 1,
            claimed_at=at,
        )

    def give_back(self) -> bool:
        """Put a claimed execution back into the queue, before anything was started.

        The fence rises: what the old claimant says from now on is refused.
        """
        return self._change(
            Q(status=Status.STARTING, fence=self.fence),
            status=Status.QUEUED,
            fence=F("fence") + 1,
            node=None,
            isolation="",
            claimed_at=None,
        )

    def mark_running(self, *, started_at: datetime) -> bool:
        """Record that the supervisor has started the code."""
        return self._change(
            Q(status=Status.STARTING, fence=self.fence),
            status=Status.RUNNING,
            started_at=started_at,
        )

    def cancel_queued(self, *, reason: str, at: datetime) -> bool:
        """End it before it began. False: it has begun, or ended."""
        return self._change(
            Q(status=Status.QUEUED),
            status=Status.KILLED,
            reason=reason,
            stop_requested_at=at,
            ended_at=at,
        )

    def ask_to_stop(self, *, reason: str, at: datetime) -> bool:
        """Record that somebody wants it to end. False: it has ended, or was asked before."""
        return self._change(
            Q(status__in=HELD, stop_requested_at=None),
            stop_reason=reason,
            stop_requested_at=at,
        )

    def finish(self, verdict: Verdict) -> bool:
        """Record how it ended. False: it had ended before, or belongs to another claim."""
        return self._change(
            Q(status__in=UNFINISHED, fence=self.fence),
            status=verdict.status,
            reason=verdict.reason,
            started_at=verdict.started_at or self.started_at,
            ended_at=verdict.ended_at,
            exit_code=verdict.exit_code,
            signal_name=verdict.signal_name,
            peak_memory_bytes=verdict.peak_memory_bytes,
            cpu_seconds=verdict.cpu_seconds,
        )

    def keep_log_summary(self, size: LogSize, *, tail: str) -> None:
        """Keep what lists show of a log that has come to its end."""
        self.log_lines, self.log_bytes, self.log_tail = size.lines, size.bytes, tail
        self.save(update_fields=["log_lines", "log_bytes", "log_tail"])

    def _change(self, condition: Q, **changes: Any) -> bool:
        rows = type(self).objects.filter(condition, pk=self.pk)
        return bool(rows.update(updated_at=timezone.now(), **changes) == 1)

    # -- What a kind of execution adds -------------------------------------------------

    def explain(self, verdict: Verdict) -> Verdict:
        """Return a verdict in better words, where this kind knows them."""
        return verdict

    def log_context(self) -> dict[str, str]:
        """Return what a log line says of this execution."""
        return {"execution": str(self.pk), "node": self.node.name if self.node else ""}
