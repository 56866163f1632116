"""From ticks to runs: exactly one for each, and a row for those that made none."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from tasks import ticks
from tasks.agent.clock import Clock
from tasks.models import Missed, Overlap, SkippedTicks, Task, TaskRun
from tasks.ticks import decide, run_due_ticks
from tests.factories import NOON, make_node, make_orchestration, make_run, make_task
from wallaroo_ui.executions.models import Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def make_scheduled(schedule: str = "* * * * *", **fields: Any) -> Task:
    """Make a task whose first tick is at noon."""
    return make_task(kind="scheduled", schedule=schedule, **{"next_run_at": NOON} | fields)


def due(task: Task) -> list[datetime]:
    """Return the ticks that made runs."""
    return list(task.runs.order_by("due_at").values_list("due_at", flat=True))


def skipped(task: Task) -> list[tuple[str, datetime, datetime, int]]:
    rows = SkippedTicks.objects.filter(task=task).order_by("first_due_at")
    return list(rows.values_list("reason", "first_due_at", "last_due_at", "count"))


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + number * MINUTE for number in numbers]


# -- Deciding --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missed", "late", "runs"),
    [
        (Missed.LATEST, timedelta(), 1),
        (Missed.LATEST, 3 * DAY, 1),
        (Missed.SKIP, timedelta(seconds=59), 1),
        (Missed.SKIP, timedelta(seconds=61), 0),
        (Missed.ALL, 3 * DAY, 5),
    ],
)
def test_of_five_due_ticks_the_policy_chooses(missed: str, late: timedelta, runs: int) -> None:
    due_ticks = minutes(0, 1, 2, 3, 4)

    decision = decide(due_ticks, missed=missed, deadline=None, at=due_ticks[-1] + late)

    assert list(decision.runs) == due_ticks[5 - runs :]
    assert list(decision.skipped) == due_ticks[: 5 - runs]


def test_all_means_the_latest_hundred() -> None:
    due_ticks = minutes(*range(150))

    decision = decide(due_ticks, missed=Missed.ALL, deadline=None, at=due_ticks[-1])

    assert (len(decision.skipped), len(decision.runs)) == (50, 100)
    assert decision.runs[-1] == due_ticks[-1]


def test_a_tick_past_its_start_deadline_makes_no_run() -> None:
    decision = decide(minutes(0, 1, 2, 3), missed=Missed.ALL, deadline=MINUTE, at=NOON + 3 * MINUTE)

    assert list(decision.runs) == minutes(2, 3)


# -- Running what is due ---------------------------------------------------------------


def test_a_tick_makes_one_run_with_what_its_task_says(queued_jobs: list[str]) -> None:
    task = make_scheduled(arguments={"a": 1}, timeout_seconds=5, start_deadline_seconds=30)

    assert run_due_ticks(at=NOON) == 1
    assert run_due_ticks(at=NOON) == 0

    run = task.runs.get()
    assert (run.due_at, run.attempt, run.trigger, run.status) == (NOON, 1, "schedule", "queued")
    assert (run.arguments_json, run.timeout_seconds) == ('{"a": 1}', 5)
    assert run.start_by == NOON + timedelta(seconds=30)
    task.refresh_from_db()
    assert task.next_run_at == NOON + MINUTE


def test_nothing_runs_before_its_tick_or_without_being_active() -> None:
    early = make_scheduled()
    others = [make_scheduled(state=state) for state in ("paused", "pending_kill", "killed")]

    assert run_due_ticks(at=NOON - timedelta(microseconds=1)) == 0
    run_due_ticks(at=NOON)

    assert len(due(early)) == 1
    assert not any(due(task) for task in others)


def test_hundreds_of_tasks_are_all_run() -> None:
    orchestration = make_orchestration()
    for _ in range(ticks.BATCH + 5):
        make_scheduled(orchestration=orchestration)

    assert run_due_ticks(at=NOON) == ticks.BATCH + 5
    assert TaskRun.objects.count() == ticks.BATCH + 5


def test_a_tick_that_has_its_run_already_gets_no_second_one() -> None:
    task = make_scheduled()
    make_run(task, due_at=NOON, status=Status.SUCCESS)

    run_due_ticks(at=NOON)

    assert due(task) == [NOON]
    task.refresh_from_db()
    assert task.next_run_at == NOON + MINUTE


def test_a_schedule_that_cannot_be_followed_does_not_stop_the_others() -> None:
    broken = make_scheduled("a b c d e")
    good = make_scheduled()

    run_due_ticks(at=NOON)

    broken.refresh_from_db()
    assert broken.next_run_at is None
    assert broken.schedule_error.startswith("Its schedule cannot be followed any more: ")
    assert due(good) == [NOON]


def test_an_orchestration_whose_packaging_failed_gives_a_run_that_says_so() -> None:
    task = make_scheduled(orchestration=make_orchestration(status="error"))

    run_due_ticks(at=NOON)

    run = task.runs.get()
    assert (run.status, run.ended_at) == (Status.FAILURE, NOON)
    assert "Package it again" in run.reason


# -- Overlap ---------------------------------------------------------------------------


def test_by_default_a_tick_makes_a_run_beside_one_that_goes_on() -> None:
    task = make_scheduled()
    for number in range(3):
        run_due_ticks(at=NOON + number * MINUTE)
    assert due(task) == minutes(0, 1, 2)


def test_with_skip_ticks_during_a_run_share_one_row_of_the_ledger() -> None:
    task = make_scheduled(overlap=Overlap.SKIP)
    for number in range(4):
        run_due_ticks(at=NOON + number * MINUTE)
    task.runs.update(status=Status.SUCCESS, ended_at=NOON)
    run_due_ticks(at=NOON + 4 * MINUTE)

    assert due(task) == minutes(0, 4)
    assert skipped(task) == [("overlap", *minutes(1, 3), 3)]


def test_with_skip_a_retry_that_waits_counts_as_going_on() -> None:
    task = make_scheduled(overlap=Overlap.SKIP)
    make_run(task, not_before=NOON + HOUR)

    run_due_ticks(at=NOON)

    assert skipped(task) == [("overlap", NOON, NOON, 1)]


def test_with_skip_of_all_missed_ticks_the_first_runs() -> None:
    task = make_scheduled(overlap=Overlap.SKIP, missed=Missed.ALL)

    run_due_ticks(at=NOON + 3 * MINUTE)

    assert due(task) == [NOON]
    assert skipped(task) == [("overlap", *minutes(1, 3), 3)]


# -- After an outage -------------------------------------------------------------------


@pytest.mark.parametrize(("outage", "ticks_due"), [(MINUTE, 1), (HOUR, 60), (3 * DAY, 3 * 24 * 60)])
@pytest.mark.parametrize(
    ("missed", "most_runs"), [(Missed.LATEST, 1), (Missed.SKIP, 0), (Missed.ALL, 100)]
)
def test_after_an_outage_every_tick_has_its_run_or_its_reason(
    outage: timedelta, ticks_due: int, missed: str, most_runs: int
) -> None:
    # The scheduler was last seen half a minute before noon, and is back half a minute after
    # the last tick that it missed.
    task = make_scheduled(missed=missed)
    seen_at = NOON - timedelta(seconds=30)
    make_node(agent_seen_at=seen_at)
    at = NOON + outage - timedelta(seconds=30)

    run_due_ticks(at=at)

    last = NOON + (ticks_due - 1) * MINUTE
    # Half a minute late is late, not missed.
    runs = max(1, min(most_runs, ticks_due))
    assert len(due(task)) == runs
    assert due(task)[-1] == last
    gaps = skipped(task)
    assert sum(count for *_, count in gaps) == ticks_due - runs
    if gaps:
        assert gaps == [("missed", NOON, last - runs * MINUTE, ticks_due - runs)]
        row = SkippedTicks.objects.get()
        assert (row.scheduler_seen_at, row.noticed_at) == (seen_at, at)
    task.refresh_from_db()
    assert task.next_run_at == last + MINUTE


def test_with_skip_nothing_runs_that_is_more_than_a_minute_late() -> None:
    task = make_scheduled("0 * * * *", missed=Missed.SKIP)

    run_due_ticks(at=NOON + 90 * MINUTE)

    assert due(task) == []
    assert skipped(task) == [("missed", NOON, NOON + HOUR, 2)]


def test_an_outage_of_months_is_worked_off_in_pieces_with_one_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ticks, "MOST_TICKS", 7)
    task = make_scheduled()

    run_due_ticks(at=NOON + 19 * MINUTE)

    assert due(task) == minutes(19)
    assert skipped(task) == [("missed", *minutes(0, 18), 19)]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_makes_no_tick_run_twice(jump: timedelta) -> None:
    task = make_scheduled()
    clock = Clock()
    moments = [NOON + n * timedelta(seconds=30) for n in range(6)]
    moments += [moments[-1] + jump + n * timedelta(seconds=30) for n in range(200)]

    for moment in moments:
        clock.step(at=moment)

    ran = due(task)
    assert len(ran) == len(set(ran))
    missed = sum(count for *_, count in skipped(task))
    # Forward, an hour was missed; backward, the ticks that had run are not run again.
    assert len(ran) + missed == (max(moments) - NOON) // MINUTE + 1


def test_a_clock_that_jumped_is_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[datetime] = []

    def look(at: datetime) -> None:
        looks.append(at)

    monkeypatch.setattr("tasks.agent.clock.run_due_ticks", look)
    clock = Clock()
    make_scheduled(next_run_at=NOON + HOUR)
    for start in (NOON, NOON - HOUR, NOON + HOUR / 2):
        for tenth in range(20):
            clock.step(at=start + tenth * timedelta(seconds=0.1))
            assert 0 <= clock.seconds_to_wait(at=start + tenth * timedelta(seconds=0.1)) <= 1

    assert len(looks) == 6  # Once a second.


def test_what_another_clock_has_locked_is_not_asked_for_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.agent.clock.run_due_ticks", lambda at: 0)
    make_scheduled()
    clock = Clock()

    clock.step(at=NOON)

    assert clock.seconds_to_wait(at=NOON) == pytest.approx(0.1)


def test_the_clock_wakes_for_the_next_tick_and_for_a_run_that_waits() -> None:
    clock = Clock()
    make_scheduled(next_run_at=NOON + timedelta(seconds=0.7))
    clock.step(at=NOON)
    assert clock.seconds_to_wait(at=NOON) == pytest.approx(0.7)

    make_run(not_before=NOON + timedelta(seconds=1.2))
    clock.step(at=NOON + timedelta(seconds=0.8))
    assert clock.seconds_to_wait(at=NOON + timedelta(seconds=0.8)) == pytest.approx(0.4)


# -- Daylight saving, end to end -------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "until", "count"),
    [
        ("30 2 * * *", "Europe/Berlin", (2026, 10, 24, 12), (2026, 10, 26, 12), 2),
        ("30 2 * * *", "Europe/Berlin", (2026, 3, 28, 12), (2026, 3, 30, 12), 2),
        ("*/15 * * * *", "Europe/Berlin", (2026, 10, 25, 0), (2026, 10, 25, 3), 11),
        ("0 0 * * *", "America/Sao_Paulo", (2018, 11, 3, 12), (2018, 11, 5, 12), 2),
    ],
)
def test_a_change_of_clocks_makes_no_run_twice_and_loses_none(
    schedule: str, zone: str, start: Sequence[int], until: Sequence[int], count: int
) -> None:
    at, end = datetime(*start, tzinfo=UTC), datetime(*until, tzinfo=UTC)  # type: ignore[misc,arg-type]
    task = make_task(kind="scheduled", schedule=schedule, time_zone=zone)
    task.next_run_at = task.cron.next_after(at)
    task.save()

    while at < end:
        run_due_ticks(at=at)
        at += timedelta(minutes=15)

    assert len(due(task)) == count
    assert not skipped(task)


# -- Many clocks -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_clocks_at_once_make_each_run_once() -> None:
    orchestration = make_orchestration()
    tasks = [make_scheduled(orchestration=orchestration) for _ in range(30)]
    clocks = 4
    barrier = threading.Barrier(clocks)

    def work() -> None:
        try:
            for minute in range(5):
                barrier.wait()
                run_due_ticks(at=NOON + minute * MINUTE)
        finally:
            connection.close()

    with ThreadPoolExecutor(clocks) as pool:
        for future in [pool.submit(work) for _ in range(clocks)]:
            future.result()

    for task in tasks:
        assert due(task) == minutes(0, 1, 2, 3, 4)
    assert not SkippedTicks.objects.exists()
