import logging
import os
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from wallaroo_ui.executions import sandbox
from wallaroo_ui.executions.models import Node

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 8.0
# A child that stayed up for this long has forgotten its earlier deaths.
STEADY_SECONDS = 30.0
GOODBYE_SECONDS = 2.0
AGENT_GOODBYE_SECONDS = 4.5
WATCH_EVERY_SECONDS = 2.0
# A cluster that has carried out no job for so long, asked every 5 s, is stuck; one that was
# just started may take longer for its first.
STUCK_SECONDS = 15.0
STUCK_AT_START_SECONDS = 30.0
# Whoever has not looked for so long was away: the host slept, or the database did not answer.
AWAY_SECONDS = 10.0


class Child:
    """One of the processes that make up the server."""

    def __init__(self, name: str, *arguments: str, keeps_connection: bool) -> None:
        self.name = name
        parent = f"--die-with-parent={os.getpid()}"
        self.command = [sys.executable, sys.argv[0], name, parent, *arguments]
        self.environment = os.environ | ({"CONN_MAX_AGE": "600"} if keeps_connection else {})
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self.started_at = 0.0
        self.start_at = 0.0

    def start(self, *, now: float) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches `serve` alone."""
        self.process = subprocess.Popen(
            self.command, env=self.environment, start_new_session=True, stdin=subprocess.DEVNULL
        )
        self.started_at = now

    def look_after(self, *, now: float) -> None:
        """Start it, or start it again after a pause that grows with each death."""
        if self.process is None:
            if now >= self.start_at:
                self.start(now=now)
            return
        code = self.process.poll()
        if code is None:
            return
        if now - self.started_at >= STEADY_SECONDS:
            self.deaths = 0
        pause = min(0.5 * 2**self.deaths, LONGEST_BACKOFF_SECONDS)
        self.deaths += 1
        self.process, self.start_at = None, now + pause
        logger.error(
            "process died; starting it again",
            extra={"process_name": self.name, "exit_status": code, "pause_seconds": pause},
        )

    def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, *, until: float) -> None:
        """Wait for its end, and force it when it takes too long."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("process did not end in time", extra={"process_name": self.name})
            self.process.kill()
            self.process.wait()


class Watchdog:
    """Tells that a cluster is stuck: asked for a sign of life, for long, and giving none.

    It counts only the time in which it saw somebody ask. When the agent, the database or the
    whole host was away, the cluster has had no chance to give a sign.
    """

    def __init__(self) -> None:
        self.looked_at = 0.0
        self.quiet_since = 0.0
        self.sign: datetime | None = None
        self.started_at = 0.0
        self.has_worked = False

    def is_stuck(self, node: Node, *, started_at: float, at: datetime, now: float) -> bool:
        """Look at a node's row.

        Args:
            node: as it is now.
            started_at: when its cluster was started, by the same clock as `now`.
            at: the present, as nodes report it.
            now: the present by a clock that nobody sets.
        """
        was_away = now - self.looked_at > AWAY_SECONDS
        self.looked_at = now
        if started_at != self.started_at:
            self.started_at, self.has_worked, was_away = started_at, False, True
        elif node.cluster_seen_at != self.sign:
            self.has_worked, was_away = True, True
        self.sign = node.cluster_seen_at
        if was_away or not node.has_agent(at=at):
            self.quiet_since = now
        limit = STUCK_SECONDS if self.has_worked else STUCK_AT_START_SECONDS
        return now - self.quiet_since > limit


class Command(BaseCommand):
    """Run the whole server: web, cluster and agent, each started again if it dies."""

    help = "Runs web, cluster and agent. Ctrl-C stops all of it within 5 s."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what happens to running runs at the end."""
        parser.add_argument(
            "--end-runs",
            action="store_true",
            help="end running runs when the server is stopped; otherwise they go on, and the "
            "next start finds them",
        )

    def handle(self, *, end_runs: bool, **_: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        found = sandbox.probe()  # Refuses to start where a required sandbox does not work.
        if found.bwrap is None:
            logger.warning("runs are NOT sandboxed here", extra={"because": found.detail})
        require_free_port(settings.HOST, settings.PORT)
        web = Child("web", keeps_connection=False)
        cluster = Child("cluster", keeps_connection=True)
        agent = Child("agent", *(["--end-runs"] if end_runs else []), keeps_connection=True)
        announced = False
        watchdog, watched_at = Watchdog(), 0.0
        while not self.stopping:
            now = time.monotonic()
            for child in (web, cluster, agent):
                child.look_after(now=now)
            if now - watched_at >= WATCH_EVERY_SECONDS:
                kill_if_stuck(cluster, watchdog, now=now)
                watched_at = now
            if not announced and is_listening(shown_host(), settings.PORT):
                self.stdout.write(f"\nWallaroo UI is at http://{shown_host()}:{settings.PORT}/\n")
                self.stdout.flush()
                announced = True
            time.sleep(POLL_SECONDS)
        self._stop(web, cluster, agent)

    def _ask_to_stop(self, *_: Any) -> None:
        self.stopping = True

    def _stop(self, web: Child, cluster: Child, agent: Child) -> None:
        """Stop who could start runs first, then the agent, which may have runs to end."""
        until = time.monotonic() + GOODBYE_SECONDS
        for child in (web, cluster):
            child.stop()
        cluster.wait(until=until)
        agent.stop()
        web.wait(until=until)
        agent.wait(until=until + AGENT_GOODBYE_SECONDS - GOODBYE_SECONDS)
        logger.info("stopped")


def kill_if_stuck(cluster: Child, watchdog: Watchdog, *, now: float) -> None:
    """Kill a cluster that takes no jobs, to have it started again.

    django-q2 can deadlock with every one of its processes alive and looking healthy; it does
    not hear SIGTERM then.
    """
    if cluster.process is None:
        return
    at = timezone.now()
    try:
        node = Node.objects.filter(name=settings.NODE_NAME).first()
        if node is None or not watchdog.is_stuck(
            node, started_at=cluster.started_at, at=at, now=now
        ):
            return
        Node.objects.filter(pk=node.pk).update(cluster_restarted_at=at)
    except (DatabaseError, InterfaceError):
        connection.close()
        return  # Then it is not the cluster that is stuck.
    logger.error("cluster takes no jobs; killing it to start it again", extra={"node": node.name})
    cluster.process.kill()


def shown_host() -> str:
    """Return the host as a person on this machine would type it."""
    return "127.0.0.1" if settings.HOST in {"0.0.0.0", "::", ""} else settings.HOST  # noqa: S104


def require_free_port(host: str, port: int) -> None:
    """Stop with one sentence where somebody else has the address already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another by PORT=."
            ) from error


def is_listening(host: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.2):
            return True
    except OSError:
        return False
