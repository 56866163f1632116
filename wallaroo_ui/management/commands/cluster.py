import logging
import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q.cluster import Cluster

from wallaroo_ui import processes

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Run django-q2's cluster, as `qcluster` does, without its two ways to go wrong.

    Its stock signal handler waits inside the handler, which can deadlock; and its
    processes go on working when their parent was killed.
    """

    help = "Runs django-q2's cluster, which carries out background jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what `serve` passes on."""
        parser.add_argument("--die-with-parent", action="store_true", help="used by serve")

    def handle(self, *, die_with_parent: bool, **_: Any) -> None:
        """Run until SIGTERM or SIGINT; fail if the cluster ends by itself."""
        if die_with_parent:
            processes.die_with_parent()
        processes.leave_no_orphans()
        asked_to_stop = False

        def ask(number: int, frame: FrameType | None) -> None:
            nonlocal asked_to_stop
            asked_to_stop = True

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
