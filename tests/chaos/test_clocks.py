"""Many clocks over the same tasks: each tick makes one run."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import IO

import pytest
from django.conf import settings

from tasks.models import Kind, SkippedTicks, TaskRun
from tests.chaos.sizes import SIZES
from tests.factories import NOON, make_orchestration, make_task, make_user
from tests.processes import Processes

pytestmark = pytest.mark.chaos

MINUTE = timedelta(minutes=1)
# So far apart are the clocks of different hosts.
SKEW_SECONDS = 1.5


class ClockProcess:
    """One clock, which is told the time."""

    def __init__(self, server: Processes) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.clocks"],
            cwd=settings.BASE_DIR,
            env=os.environ | server.variables | {"CONN_MAX_AGE": "600", "LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, moment: str) -> None:
        pipe: IO[str] | None = self.process.stdin
        assert pipe is not None
        pipe.write(f"{moment}\n")
        pipe.flush()

    def answer(self) -> str:
        pipe: IO[str] | None = self.process.stdout
        assert pipe is not None
        return pipe.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=20)


@pytest.mark.parametrize("count", SIZES.clocks)
def test_each_tick_makes_one_run_whatever_the_number_of_clocks(
    count: int, server: Processes, chance: random.Random, chaos_report: Callable[[str], None]
) -> None:
    orchestration, user = make_orchestration(), make_user()
    tasks = [
        make_task(
            orchestration,
            kind=Kind.SCHEDULED,
            schedule="* * * * *",
            next_run_at=NOON + MINUTE,
            created_by=user,
        )
        for _ in range(SIZES.clock_tasks)
    ]
    ticks = [NOON + MINUTE * (number + 1) for number in range(SIZES.clock_minutes)]
    clocks = [ClockProcess(server) for _ in range(count)]
    assert {clock.answer() for clock in clocks} == {"ready"}

    errors: list[str] = []
    slowest = 0.0
    for tick in ticks:
        # All at once, once before the tick for those that are slow, once after it for all.
        for middle in (0.0, 2 * SKEW_SECONDS):
            for clock in clocks:
                skew = timedelta(seconds=middle + chance.uniform(-SKEW_SECONDS, SKEW_SECONDS))
                clock.tell((tick + skew).isoformat())
            began = time.monotonic()
            errors += [answer for clock in clocks if (answer := clock.answer()) != "ok"]
            slowest = max(slowest, time.monotonic() - began)
    for clock in clocks:
        clock.end()

    assert not errors
    made = list(TaskRun.objects.values_list("task", "due_at"))
    assert len(made) == len(tasks) * len(ticks)
    assert set(made) == {(task.pk, tick) for task in tasks for tick in ticks}
    assert not SkippedTicks.objects.exists()
    chaos_report(
        f"{len(tasks)} tasks, {len(ticks)} minutes: {len(made)} runs for "
        f"{len(tasks) * len(ticks)} ticks, 0 twice, 0 errors; slowest step {slowest:.2f} s"
    )
