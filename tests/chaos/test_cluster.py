"""django-q2's processes, killed one by one while runs are being made."""

import enum
import random
import time
from collections.abc import Callable

import psutil
import pytest
from django_q.models import Failure
from django_q.tasks import async_task

from tasks.models import TaskRun
from tests.chaos.census import (
    ClusterWatch,
    Role,
    cluster_processes,
    holders,
    is_alive,
    kill,
)
from tests.chaos.invariants import assert_sound
from tests.chaos.load import MANY_FILES, Load, open_archive, refreshed, succeed
from tests.chaos.sizes import SIZES
from tests.processes import Processes, end_tree, parts, wait_until

pytestmark = pytest.mark.chaos

RECOVERY_SECONDS = 20.0
# How often a run is made.
EVERY_SECONDS = 0.3


class Victim(enum.StrEnum):
    """Who is killed."""

    BUSY_WORKER = "busy worker"
    IDLE_WORKER = "idle worker"
    # One of them waits at the queue, with its lock: that one's death blocks all others.
    ALL_WORKERS = "all workers"
    SENTINEL = "sentinel"
    MONITOR = "monitor"
    PUSHER = "pusher"
    MAIN = "main process"


class Round:
    """One server, whose cluster is killed again and again."""

    def __init__(self, server: Processes, chance: random.Random) -> None:
        self.chance = chance
        self.load = Load()
        self.heavy = Load(MANY_FILES)
        self.serve = server.start("serve")
        self.watch = ClusterWatch(self.serve)
        self.next_at = 0.0

    def add_runs(self) -> None:
        """Make a run, if it is time for the next one."""
        if time.monotonic() >= self.next_at:
            self.load.add()
            self.next_at = time.monotonic() + EVERY_SECONDS

    def choose(self, victim: Victim) -> list[psutil.Process]:
        """Wait for the moment and return who is to die."""
        workers = self.watch.of(Role.WORKER)
        if victim == Victim.BUSY_WORKER:
            archive = open_archive(self.heavy.add())
            return [wait_until(lambda: holders(archive, workers), "a worker that unpacks")[0]]
        if victim == Victim.ALL_WORKERS:
            return workers
        if victim == Victim.IDLE_WORKER:
            return [self.chance.choice(workers)]
        return self.watch.of(Role(victim.value))

    def kill(self, victim: Victim) -> tuple[float, float]:
        """Kill, and wait until all is well again.

        Returns:
            How long it took until the next run started, and until the cluster was whole.
        """
        self.watch.wait()
        before = time.monotonic() + self.chance.uniform(0, 1)

        def pass_time() -> bool:
            self.add_runs()
            return time.monotonic() >= before

        wait_until(pass_time, "the moment")
        self.watch.wait()
        chosen = self.choose(victim)
        killed_at = time.time()
        made_before = len(self.load.runs)
        for process in chosen:
            assert kill(process), f"{victim} was gone before it was killed"
        self.next_at = 0.0

        def next_start() -> float | None:
            self.add_runs()
            later = refreshed(self.load.runs[made_before:])
            starts = [run.started_at.timestamp() for run in later if run.started_at is not None]
            return min(starts, default=None)

        started_at = wait_until(
            next_start, f"the next run after the death of the {victim}", RECOVERY_SECONDS
        )
        self.watch_the_old_go(killed_at, victim)
        wait_until(
            lambda: self.is_whole(chosen),
            f"a whole cluster after the death of the {victim}",
            RECOVERY_SECONDS,
        )
        return started_at - killed_at, time.time() - killed_at

    def watch_the_old_go(self, killed_at: float, victim: Victim) -> None:
        """Wait until no process works for a cluster that `serve` does not look after."""

        def orphans() -> set[psutil.Process]:
            main = parts(self.serve).get("cluster")
            try:
                family = {main, *main.children(recursive=True)} if main is not None else set()
            except psutil.NoSuchProcess:
                family = set()
            return cluster_processes() - family

        left = max(1.0, RECOVERY_SECONDS - (time.time() - killed_at))
        wait_until(lambda: not orphans(), f"no orphans after the death of the {victim}", left)

    def finishes_jobs(self) -> None:
        """Wait for the result of a job, which the monitor alone records: that of a failed one.

        A monitor in place of a dead one may wait for ever for its lock. Nobody misses it until
        so many results have piled up that no worker can end any more.
        """
        job = async_task("tasks.jobs.there_is_no_such_job")
        results = Failure.objects.filter(pk=job)
        wait_until(results.exists, "the result of a job", RECOVERY_SECONDS)

    def is_whole(self, killed: list[psutil.Process]) -> bool:
        """Tell whether the cluster is complete, and nothing of an earlier one is left."""
        return (
            self.watch.look()
            and not any(is_alive(process) for process in killed)
            and cluster_processes() == self.watch.everyone()
        )

    def runs(self) -> list[TaskRun]:
        """Return all runs that were made."""
        return [*self.load.runs, *self.heavy.runs]


@pytest.mark.parametrize(
    "victims",
    [
        (Victim.BUSY_WORKER, Victim.MONITOR, Victim.MAIN),
        (Victim.IDLE_WORKER, Victim.SENTINEL, Victim.PUSHER, Victim.ALL_WORKERS),
    ],
    ids=["busy worker, monitor or main process", "idle worker, sentinel, pusher or all workers"],
)
def test_the_next_run_starts_soon_after_the_death_of_the_clusters(
    victims: tuple[Victim, ...],
    server: Processes,
    chance: random.Random,
    chaos_report: Callable[[str], None],
) -> None:
    starts, wholes = dict.fromkeys(victims, 0.0), dict.fromkeys(victims, 0.0)
    count = 0
    for _ in range(SIZES.cluster_rounds):
        # A few deaths in a row, and a new server: `serve` waits longer after each, as it should.
        this = Round(server, chance)
        for victim in chance.sample(victims, len(victims)):
            started, whole = this.kill(victim)
            starts[victim] = max(starts[victim], started)
            wholes[victim] = max(wholes[victim], whole)
            this.finishes_jobs()
        succeed(this.runs(), 60)
        assert_sound()
        count += len(this.runs())
        end_tree(this.serve)
    figures = ", ".join(
        f"{victim} {starts[victim]:.1f} s ({wholes[victim]:.1f} s)" for victim in victims
    )
    chaos_report(
        f"{SIZES.cluster_rounds} times, {count} runs, all a success: next start (cluster whole "
        f"again) at the latest after {figures}"
    )
