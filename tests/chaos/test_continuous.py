"""Continuous tasks: one run after the other, whatever happens between them."""

import enum
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest
from django.utils import timezone

from tasks import services
from tasks.models import Kind, Task, TaskRun
from tests.chaos.census import kill, take_census
from tests.chaos.invariants import assert_sound
from tests.chaos.load import MANY_FILES, Load, have_begun
from tests.chaos.sizes import FULL, SIZES
from tests.factories import make_user
from tests.processes import Processes, wait_until
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.chaos

GAP_SECONDS = 2.0
KILL_SECONDS = 15.0
FAILING = {"main.py": "raise SystemExit('no')"}


class Stage(enum.StrEnum):
    """Where a continuous task stands when something happens to it."""

    BACKOFF = "backoff"  # The next run waits, because the last ones failed at once.
    START = "start"  # A run has been claimed and is being prepared.
    RUN = "run"  # A script goes on.


def live(task: Task) -> list[TaskRun]:
    """Return the runs of a task that wait or go on; there is never more than one."""
    runs = list(TaskRun.objects.filter(task=task).unfinished().with_relations())
    assert len(runs) <= 1, f"{len(runs)} live runs"
    return runs


def reach(stage: Stage) -> Task:
    """Start a continuous task and wait until it is at a stage."""
    files = {Stage.BACKOFF: FAILING, Stage.START: MANY_FILES, Stage.RUN: {}}[stage]
    # Those that start take a moment: what happens comes before they are over.
    task = Load(files).start(Kind.CONTINUOUS, seconds=300 if stage == Stage.RUN else 1)

    def is_there() -> bool:
        task.refresh_from_db()
        for run in live(task):
            if stage == Stage.BACKOFF:
                return task.quick_failures >= 2 and run.status == Status.QUEUED
            if stage == Stage.START:
                return bool(run.status == Status.STARTING)
            return have_begun([run])
        return False

    wait_until(is_there, f"a continuous task at its {stage}")
    return task


def stop(task: Task) -> None:
    """Stop a task for good, as a person does."""
    assert services.kill_task(task=task, user=make_user(), at=timezone.now())


def stop_and_see(task: Task) -> float:
    """Stop a task for good, and check that nothing follows; return how long it took to end."""
    (last,) = live(task)
    began = time.monotonic()
    stop(task)

    def is_over() -> bool:
        task.refresh_from_db()
        return task.state == Task.State.KILLED

    wait_until(is_over, "the end of the task", KILL_SECONDS)
    took = time.monotonic() - began
    assert not live(task)
    # Longer than its next run would have waited.
    waits = (last.not_before - timezone.now()).total_seconds() if last.not_before else 0.0
    time.sleep(max(0.0, waits) + GAP_SECONDS)
    assert not TaskRun.objects.filter(task=task, queued_at__gt=last.queued_at).exists()
    assert not any(run.spool.directory.exists() for run in TaskRun.objects.filter(task=task))
    return took


@pytest.mark.parametrize("seconds", SIZES.cycle_seconds)
def test_runs_of_a_continuous_task_follow_one_another_at_once_and_never_overlap(
    seconds: float, server: Processes, chaos_report: Callable[[str], None]
) -> None:
    server.start("cluster")
    server.start("agent")
    task = Load().start(Kind.CONTINUOUS, seconds=seconds)
    ended = TaskRun.objects.filter(task=task, status=Status.SUCCESS)

    def are_enough() -> bool:
        assert len(live(task)) == 1
        return bool(ended.count() > SIZES.cycles)

    wait_until(are_enough, "the cycles", 60 + SIZES.cycles * (seconds + GAP_SECONDS))
    stop(task)
    wait_until(lambda: not live(task), "the end of the last run", KILL_SECONDS)

    runs = list(TaskRun.objects.filter(task=task, started_at__isnull=False).order_by("queued_at"))
    gaps = [
        (later.started_at - earlier.ended_at).total_seconds()
        for earlier, later in pairwise(runs)
        if later.started_at is not None and earlier.ended_at is not None
    ]
    assert len(gaps) >= SIZES.cycles
    assert min(gaps) >= 0, "two runs at once"
    p95 = statistics.quantiles(gaps, n=20)[-1]
    assert p95 <= GAP_SECONDS
    assert {run.status for run in runs} <= {Status.SUCCESS, Status.KILLED}
    assert_sound()
    chaos_report(
        f"{len(runs)} runs of {seconds:g} s: from the end of one to the start of the next "
        f"{statistics.median(gaps):.2f} s (median), {p95:.2f} s (p95), {max(gaps):.2f} s at most"
    )


def test_a_continuous_task_that_is_stopped_at_any_stage_makes_no_run_any_more(
    server: Processes, chaos_report: Callable[[str], None]
) -> None:
    server.start("cluster")
    server.start("agent")
    took = {stage: stop_and_see(reach(stage)) for stage in Stage}
    assert_sound()
    figures = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in took.items())
    chaos_report(f"over after {figures}; no run after it, logs deleted")


@pytest.mark.parametrize("stage", Stage if SIZES is FULL else [Stage.START])
def test_a_continuous_task_goes_on_after_the_death_of_everything(
    stage: Stage, server: Processes, chaos_report: Callable[[str], None]
) -> None:
    serve = server.start("serve")
    task = reach(stage)
    (before,) = live(task)

    everything: list[psutil.Process] = [*serve.children(recursive=True), serve]
    census = take_census()
    everything += [each for run in census.supervisors for each in census.family(run)]
    for process in everything:
        kill(process)
    serve.wait()
    server.start("serve")
    restarted_at = time.time()

    def next_start() -> float | None:
        live(task)
        later = TaskRun.objects.filter(
            task=task, started_at__isnull=False, queued_at__gte=before.queued_at
        )
        starts = [run.started_at.timestamp() for run in later if run.started_at is not None]
        return next((start for start in sorted(starts) if start > restarted_at), None)

    started_at = wait_until(next_start, "the next run", 60)
    stop(task)
    wait_until(lambda: not live(task), "the end of the last run", KILL_SECONDS)
    assert_sound()
    chaos_report(f"next start {started_at - restarted_at:.1f} s after the restart, one at a time")
