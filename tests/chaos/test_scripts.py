"""Scripts that are killed from outside: by an operator, or by a host that has no memory left."""

import random
import time
from collections.abc import Callable

import psutil
import pytest

from tasks.models import TaskRun
from tests.chaos.census import kill, take_census
from tests.chaos.invariants import assert_sound
from tests.chaos.load import Load, expected_lines, printed, refreshed
from tests.chaos.sizes import SIZES
from tests.processes import Processes, wait_until
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.chaos

# The last are killed at their very end, or just too late.
SCRIPT_SECONDS = 1.5


class Killer:
    """Kills each script that it sees, once, at a moment of its own."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.moments: dict[str, float] = {}
        self.killed: set[str] = set()
        self.processes: dict[str, psutil.Process] = {}

    def step(self) -> None:
        """Kill what is due."""
        for run, process in take_census().scripts().items():
            self.processes[run] = process
            if run not in self.moments:
                self.moments[run] = time.monotonic() + self.chance.uniform(0, SCRIPT_SECONDS)
        for run, process in list(self.processes.items()):
            if time.monotonic() >= self.moments[run]:
                del self.processes[run]
                if kill(process):
                    self.killed.add(run)


def test_each_run_whose_script_is_killed_has_its_verdict_once(
    server: Processes, chance: random.Random, chaos_report: Callable[[str], None]
) -> None:
    server.variables["RUN_SLOTS"] = str(SIZES.slots)
    server.start("cluster")
    server.start("agent")
    load = Load()
    for _ in range(SIZES.scripts):
        load.add(seconds=SCRIPT_SECONDS)
    killer = Killer(chance)

    def all_over() -> bool:
        killer.step()
        return not TaskRun.objects.unfinished().exists()

    wait_until(all_over, "the verdicts", 60 + SIZES.scripts * SCRIPT_SECONDS)

    runs = refreshed(load.runs)
    for run in runs:
        is_whole = printed(run.spool) == expected_lines(run)
        if run.status == Status.SUCCESS:
            assert is_whole
        else:
            assert str(run.pk) in killer.killed, f"nobody killed {run.pk}: {run.reason}"
            assert (run.status, run.signal_name) == (Status.FAILURE, "SIGKILL"), run.reason
    failed = [run for run in runs if run.status == Status.FAILURE]
    assert failed
    assert_sound()
    chaos_report(
        f"{len(runs)} runs, {len(killer.killed)} scripts killed: {len(failed)} ended by SIGKILL, "
        f"{len(runs) - len(failed)} had ended by themselves, 0 lost, 0 twice"
    )
