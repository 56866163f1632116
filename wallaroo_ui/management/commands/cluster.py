import logging
import os
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q import cluster as django_q_cluster
from django_q.cluster import Cluster, Sentinel

from wallaroo_ui import processes

logger = logging.getLogger(__name__)

LOOKED_AT_EVERY_SECONDS = 1.0


class StrictSentinel(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """A sentinel that ends the cluster where one of its processes was killed.

    The stock one puts another in its place. But the killed one may have held the lock of a
    queue: then the cluster looks healthy and never takes a job again.
    """

    def guard(self) -> None:
        """Guard as the stock one does; and look for the killed beside it.

        A worker hands in its results under a lock for which the stock guard waits: killed at
        that moment, it would keep the guard from ever noticing a death again.
        """
        threading.Thread(target=self._look_for_the_killed, daemon=True).start()
        super().guard()

    def reincarnate(self, process: Any) -> None:
        """Replace a process that ended by itself; a killed one takes the cluster along."""
        _end_with(process)
        super().reincarnate(process)

    def _look_for_the_killed(self) -> None:
        while True:
            for process in (*self.pool, self.monitor, self.pusher):
                _end_with(process)
            time.sleep(LOOKED_AT_EVERY_SECONDS)


def _end_with(process: Any) -> None:
    """End the cluster if one of its processes was killed."""
    code = process.exitcode
    if code is not None and code < 0:
        words = "one of the cluster's processes was killed"
        logger.error(words, extra={"signal_number": -code})
        os._exit(1)


class Command(BaseCommand):
    """Run django-q2's cluster, as `qcluster` does, without its three ways to go wrong.

    Its stock signal handler waits inside the handler, which can deadlock; its processes go
    on working when their parent was killed; and one that is killed can leave a lock behind.
    """

    help = "Runs django-q2's cluster, which carries out background jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what `serve` passes on."""
        parser.add_argument("--die-with-parent", type=int, metavar="PID", help="used by serve")

    def handle(self, *, die_with_parent: int | None, **_: Any) -> None:
        """Run until SIGTERM or SIGINT; fail if the cluster ends by itself."""
        if die_with_parent is not None:
            processes.die_with_parent(die_with_parent)
        processes.leave_no_orphans()
        asked_to_stop = False

        def ask(number: int, frame: FrameType | None) -> None:
            nonlocal asked_to_stop
            asked_to_stop = True

        django_q_cluster.Sentinel = StrictSentinel
        cluster = Cluster()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        cluster.start()
        logger.info("cluster started")
        while not asked_to_stop:
            if not cluster.sentinel.is_alive():
                raise CommandError("The cluster's sentinel is gone.")
            time.sleep(0.1)
        cluster.stop()
