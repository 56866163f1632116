"""The agent: one for each host. Its clock makes due ticks into runs, its keeper follows them.

Whatever it misses it finds again.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from django_q.tasks import async_task

from tasks.agent.clock import Clock
from tasks.agent.keeper import DATABASE_AWAY, Keeper, reconnect
from wallaroo_ui.executions.doorbell import AGENT, Doorbell, ring
from wallaroo_ui.executions.models import Node
from wallaroo_ui.executions.services import register_node
from wallaroo_ui.queue import is_backed_up, this_nodes_key

logger = logging.getLogger(__name__)

STEP_SECONDS = 1.0
REPORT_EVERY = timedelta(seconds=5)
CLEAN_UP_EVERY = timedelta(minutes=10)
ENDING_GRACE_SECONDS = 1.0
ENDING_SECONDS = 3.5
DATABASE_AWAY_SECONDS = 1.0


class Agent:
    """Runs until `stop` is called; each step, and each of its parts, stands for itself."""

    def __init__(self, *, ends_runs: bool) -> None:
        self.ends_runs = ends_runs
        self.stopping = False
        self.keeper: Keeper | None = None
        self.clock = Clock()
        self.reported_at: datetime | None = None
        self.cleaned_up_at: datetime | None = None

    def stop(self) -> None:
        """Ask the agent to end after its present step."""
        self.stopping = True
        ring(AGENT)

    def run(self) -> None:
        """Step at every ring and at least once a second, whatever the database does."""
        with Doorbell(AGENT) as bell:
            while not self.stopping:
                try:
                    self.step(at=timezone.now())
                except (DatabaseError, InterfaceError) as error:
                    logger.warning("database away", extra={"error": str(error).strip()})
                    reconnect()
                    time.sleep(DATABASE_AWAY_SECONDS)
                bell.wait(min(STEP_SECONDS, self.clock.seconds_to_wait(at=timezone.now())))
            if self.ends_runs:
                self.end_runs(bell)

    def step(self, *, at: datetime) -> None:
        """Run what is due, follow this host's executions; now and then sweep and report."""
        keeper = self.keeper = self.keeper or self.begin()
        looked = self.attempt(self.clock.step, at=at)
        keeper.step(at=at)
        # Once a second, and when a run that waited for its time may start.
        if looked is not False:
            self.attempt(keeper.lose_the_dead, at=at)
            self.attempt(keeper.sweep, at=at)
        if self.is_time(self.reported_at, REPORT_EVERY, at=at):
            self.attempt(keeper.tidy, at=at)
            # Before the report: from then on the others count this node as alive again.
            self.attempt(keeper.stop_the_given_up, at=at)
            self.report(keeper.node, at=at)
        if self.is_time(self.cleaned_up_at, CLEAN_UP_EVERY, at=at):
            async_task("tasks.jobs.clean_up", cluster=this_nodes_key())
            self.cleaned_up_at = at

    @staticmethod
    def attempt(part: Callable[..., bool | None], *, at: datetime) -> bool | None:
        """Do one part of a step; what is wrong with it must not keep the others from being done.

        A node that does not report is given up, with all that runs there.
        """
        try:
            return part(at=at)
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("part of a step failed", extra={"part": part.__name__})
            return None

    def begin(self) -> Keeper:
        """Enter this host among the nodes."""
        node = register_node()
        logger.info("agent started", extra={"node": node.name, "isolation": node.isolation})
        return Keeper(node)

    @staticmethod
    def is_time(last: datetime | None, every: timedelta, *, at: datetime) -> bool:
        """Tell whether something is to be done again, even where the clock was put back."""
        return last is None or not timedelta(0) <= at - last < every

    def report(self, node: Node, *, at: datetime) -> None:
        """Say that this agent lives, and ask the cluster to say so for itself."""
        Node.objects.filter(pk=node.pk).update(agent_seen_at=at)
        if not is_backed_up(this_nodes_key()):
            async_task("tasks.jobs.report_cluster", cluster=this_nodes_key())
        self.reported_at = at

    def end_runs(self, bell: Doorbell) -> None:
        """End what runs here and wait for the verdicts, a few seconds at the most."""
        keeper = self.keeper
        if keeper is None:
            return
        keeper.end_everything(reason="The server was stopped.", grace_seconds=ENDING_GRACE_SECONDS)
        until = time.monotonic() + ENDING_SECONDS
        while keeper.held() and time.monotonic() < until:
            keeper.step(at=timezone.now())
            bell.wait(0.1)
