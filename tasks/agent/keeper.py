"""The keeper: follows what runs on this host, and finds work that nobody rang for."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django_q.tasks import async_task

from orchestrations import services as orchestrations
from orchestrations.models import Packaging
from tasks import launching
from tasks import services as tasks
from tasks.models import Task, TaskRun
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import HELD, Execution, Node, Status
from wallaroo_ui.executions.spool import Verdict
from wallaroo_ui.queue import is_backed_up, this_nodes_key

logger = logging.getLogger(__name__)

# What tells that the database is away; other errors are about what was asked of it.
DATABASE_AWAY = (OperationalError, InterfaceError)

# What waits this long beside a free slot was probably never rung for.
UNHEARD = timedelta(seconds=3)

# Whoever has not looked for so long was away.
AWAY = timedelta(seconds=10)

# How long a node that was given up may be away and still find what it has to stop.
GIVEN_UP_FOR = timedelta(days=7)


class Watch:
    """Tells which nodes are silent, from what is seen here: no two hosts' clocks are compared.

    Whoever was away itself, with or without the database, knows nothing of the others and
    begins anew.
    """

    def __init__(self) -> None:
        self.looked_at: datetime | None = None
        # Of each node its last report, and when it was seen here for the first time.
        self.reports: dict[int, tuple[datetime | None, datetime]] = {}

    def silent(self, nodes: Iterable[Node], *, at: datetime) -> list[Node]:
        """Return those whose report has been the same for longer than the lease."""
        if self.looked_at is None or not timedelta(0) <= at - self.looked_at < AWAY:
            self.reports = {}
        self.looked_at = at
        oldest = at - timedelta(seconds=settings.NODE_LEASE_SECONDS)
        found = []
        for node in nodes:
            report, seen_at = self.reports.get(node.pk, (None, at))
            if node.pk not in self.reports or report != node.agent_seen_at:
                seen_at = at
            self.reports[node.pk] = (node.agent_seen_at, seen_at)
            if seen_at < oldest:
                found.append(node)
        return found


class Keeper:
    """Keeps the rows of one node's executions in step with their supervisors."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.watch = Watch()
        # What was given up, and of which nothing is left here.
        self.settled: set[UUID] = set()

    def step(self, *, at: datetime) -> None:
        """Take in everything that has happened until now.

        Raises:
            OperationalError: the database is away; nothing is lost, the next step goes on.
        """
        for_each(self.held(), lambda execution: executions.follow(execution, at=at))

    def held(self) -> list[Execution]:
        """Return what takes up a slot of this node."""
        return [
            *TaskRun.objects.held_by(self.node).with_relations(),
            *Packaging.objects.held_by(self.node).with_relations(),
        ]

    def lose_the_dead(self, *, at: datetime) -> None:
        """Give up what is held by nodes that were not heard of for longer than their lease.

        The fence keeps a node that comes back from changing it again.
        """
        dead = self.watch.silent(Node.objects.exclude(pk=self.node.pk), at=at)
        if not dead:
            return
        for kind in (TaskRun, Packaging):
            held = kind.objects.with_relations().filter(node__in=dead, status__in=HELD)
            for_each(held, lambda execution: give_up(execution, at=at))

    def stop_the_given_up(self, *, at: datetime) -> None:
        """Stop what still goes on here although it was given up: this node has come back."""
        since = at - GIVEN_UP_FOR
        for kind in (TaskRun, Packaging):
            lost = kind.objects.filter(node=self.node, status=Status.LOST, ended_at__gt=since)
            keys = set(lost.values_list("pk", flat=True)) - self.settled
            for execution in kind.objects.filter(pk__in=keys).with_relations():
                if executions.stop_given_up(execution):
                    self.settled.add(execution.pk)

    def sweep(self, *, at: datetime) -> None:
        """Ring again for what waits although there is room: a doorbell may have been lost."""
        self.node.refresh_from_db()
        if is_backed_up(this_nodes_key()) or not self.node.takes_work(at=at):
            return  # More rings would only pile up.
        for kind, slots, ring in (
            (TaskRun, self.node.slots, launching.ring),
            (Packaging, orchestrations.slots(), orchestrations.ring),
        ):
            unheard = kind.objects.unheard(at=at, after=UNHEARD)
            if unheard.exists() and kind.objects.held_by(self.node).count() < slots:
                ring(this_nodes_key())  # A ring for all might reach a node that is full.

    def tidy(self, *, at: datetime) -> None:
        """Find what nobody finished: kills left halfway, runs that can never start."""
        tasks.fail_unrunnable(at=at)
        if Task.objects.filter(state=Task.State.PENDING_KILL).exists() and not is_backed_up():
            async_task("tasks.jobs.conclude_kills")

    def end_everything(self, *, reason: str, grace_seconds: float) -> None:
        """Order every execution of this node to end: the server is being stopped."""
        spools = [each.spool for each in self.held() if each.spool.directory.exists()]
        # All orders first: whoever has one ends, even if this agent does not come further.
        for spool in spools:
            spool.order_stop(reason=reason, grace_seconds=grace_seconds, wake=False)
        for spool in spools:
            spool.wake()


def for_each(found: Iterable[Execution], action: Callable[[Execution], None]) -> None:
    """Do something with each; what is wrong with one must not keep the others waiting."""
    for execution in found:
        try:
            action(execution)
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("execution cannot be followed", extra=execution.log_context())


def give_up(execution: Execution, *, at: datetime) -> None:
    """Record that an execution is lost with its node."""
    name = execution.node.name if execution.node else "?"
    reason = f"Its node {name} has not been heard of any more."
    executions.end(execution, Verdict(status=Status.LOST, reason=reason, ended_at=at))


def reconnect() -> None:
    """Let go of a connection that failed, so that the next step makes a new one."""
    try:
        connection.close()
    except (DatabaseError, InterfaceError):
        logger.warning("closing the database connection failed")
