"""The keeper: follows what runs on this host, and finds work that nobody rang for."""

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, connection

from orchestrations import services as orchestrations
from orchestrations.models import Packaging
from tasks import services as tasks
from tasks.models import TaskRun
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Execution, Node

logger = logging.getLogger(__name__)

# What waits this long beside a free slot was probably never rung for.
UNHEARD = timedelta(seconds=3)


class Keeper:
    """Keeps the rows of one node's executions in step with their supervisors."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def step(self, *, at: datetime) -> None:
        """Take in everything that has happened until now.

        Raises:
            DatabaseError: the database is away; nothing is lost, the next step goes on.
        """
        for execution in self.held():
            try:
                executions.follow(execution, at=at)
            except DatabaseError:
                raise
            except Exception:  # What is wrong with one must not keep the others waiting.
                logger.exception("execution cannot be followed", extra=execution.log_context())

    def held(self) -> list[Execution]:
        """Return what takes up a slot of this node."""
        return [
            *TaskRun.objects.held_by(self.node).with_relations(),
            *Packaging.objects.held_by(self.node).with_relations(),
        ]

    def sweep(self, *, at: datetime) -> None:
        """Ring again for what waits although there is room: a doorbell may have been lost."""
        waiting_since = at - UNHEARD
        for kind, slots, ring in (
            (TaskRun, self.node.slots, tasks.ring),
            (Packaging, orchestrations.slots(), orchestrations.ring),
        ):
            unheard = kind.objects.startable().filter(queued_at__lt=waiting_since)
            if unheard.exists() and kind.objects.held_by(self.node).count() < slots:
                ring()

    def end_everything(self, *, reason: str, grace_seconds: float) -> None:
        """Order every execution of this node to end: the server is being stopped."""
        for execution in self.held():
            if execution.spool.directory.exists():
                execution.spool.order_stop(reason=reason, grace_seconds=grace_seconds)


def reconnect() -> None:
    """Let go of a connection that failed, so that the next step makes a new one."""
    try:
        connection.close()
    except DatabaseError:
        logger.warning("closing the database connection failed")
