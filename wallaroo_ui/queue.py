"""The queue of background jobs: django-q2's database broker, with a doorbell.

Three things differ from the stock broker (docs/decisions/0002-django-q2.md): jobs come
out in the order they went in; enqueueing wakes the cluster at once instead of at its next
poll; and beside the queue that all nodes share, each node has one of its own. A job's row
is deleted when it is handed out, so that no job is offered twice; what must not be
forgotten is in our own tables and is looked for again.
"""

import logging
import signal
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections, transaction
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_spawn

from wallaroo_ui.executions import doorbell

logger = logging.getLogger(__name__)

MANY_JOBS = 50


class DoorbellBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """Hands out jobs first in, first out; waits at a doorbell."""

    _bell: doorbell.Doorbell | None = None

    def enqueue(self, task: str) -> Any:
        """Add a job, and ring once its row is there to be seen."""
        pk = super().enqueue(task)
        transaction.on_commit(lambda: doorbell.ring(doorbell.QUEUE), using=Conf.ORM)
        return pk

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return the oldest job, or wait for a ring."""
        if self._bell is None:
            self._bell = doorbell.Doorbell(doorbell.QUEUE).__enter__()
        try:
            jobs = self._take()
        except (DatabaseError, InterfaceError) as error:
            # django-q2 would let ten seconds pass before it looks again.
            logger.warning("queue away", extra={"error": str(error).strip()})
            connections[Conf.ORM].close()
            jobs = []
        if jobs == []:
            self._bell.wait(Conf.POLL)
        return jobs or None

    def _take(self) -> list[tuple[Any, str]] | None:
        """Return the oldest job, nothing, or None where another cluster was faster."""
        keys = [self.list_key, this_nodes_key()]
        # Its own come first, by their name: asked for a sign of life, a busy cluster gives it.
        jobs = self.get_connection().filter(key__in=keys).order_by("-key", "pk")
        for job in jobs[: Conf.BULK]:
            if self.get_connection().filter(pk=job.pk).delete()[0]:
                return [(job.pk, job.payload)]
            return None
        return []


def this_nodes_key() -> str:
    """Return the name of the queue whose jobs this node's cluster alone takes."""
    return f"{Conf.CLUSTER_NAME}@{settings.NODE_NAME}"


def is_backed_up(key: str | None = None) -> bool:
    """Tell whether so many jobs wait, in one queue or the shared one, that nobody takes them."""
    return bool(OrmQ.objects.filter(key=key or Conf.CLUSTER_NAME).count() >= MANY_JOBS)


def restore_interrupt(**_: Any) -> None:
    """Undo django-q2's ignoring of SIGINT in a worker.

    Ignored signals are inherited: a script started from there would never hear Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


post_spawn.connect(restore_interrupt, dispatch_uid="restore_interrupt")
