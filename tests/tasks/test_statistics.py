"""The figures of a task's history."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tasks.statistics import COUNTED, RunFact, Statistics, percentile
from tests.factories import NOON
from wallaroo_ui.executions.models import Status


def fact(
    status: str = Status.SUCCESS, seconds: float | None = 10, *, hours_ago: float = 0
) -> RunFact:
    start = NOON - timedelta(hours=hours_ago)
    began = start if seconds is not None else None
    is_over = status not in {Status.QUEUED, Status.STARTING, Status.RUNNING}
    ended = start + timedelta(seconds=seconds or 0) if is_over else None
    return RunFact(uuid4(), status, start, began, ended)


def seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def test_percentiles_are_values_that_occurred() -> None:
    values = [timedelta(seconds=number) for number in range(100, 0, -1)]
    assert seconds(percentile(values, 50)) == 50
    assert seconds(percentile(values, 95)) == 95
    assert seconds(percentile(values[-1:], 95)) == 1
    assert percentile([], 50) is None


def test_the_rate_is_of_what_ended_by_itself() -> None:
    statuses = [Status.SUCCESS, Status.FAILURE, Status.TIMED_OUT, Status.LOST, Status.KILLED]
    runs = [fact(status) for status in [*statuses, Status.RUNNING, Status.QUEUED]]
    found = Statistics.of(runs)
    assert (found.succeeded, found.failed, found.counted) == (1, 3, 4)
    assert found.success_rate == "25 %"
    assert found.last_failure == runs[1]


def test_durations_are_those_of_success() -> None:
    runs = [fact(seconds=4), fact(Status.FAILURE, 500), fact(seconds=2), fact(seconds=3)]
    found = Statistics.of(runs)
    assert (seconds(found.p50), seconds(found.p95)) == (3, 4)


@pytest.mark.parametrize(
    ("succeeded", "failed", "words"),
    [(0, 0, ""), (0, 3, "0 %"), (3, 0, "100 %"), (1999, 1, "99.9 %"), (1, 1999, "0.1 %")],
)
def test_a_rate_is_whole_only_where_it_is_true(succeeded: int, failed: int, words: str) -> None:
    found = Statistics(succeeded=succeeded, failed=failed, p50=None, p95=None, last_failure=None)
    assert found.success_rate == words


def test_nothing_gives_no_figures() -> None:
    found = Statistics.of([])
    assert (found.counted, found.p50, found.p95, found.last_failure) == (0, None, None, None)


def test_all_failed_gives_a_rate_and_no_duration() -> None:
    found = Statistics.of([fact(Status.FAILURE), fact(Status.LOST, None)])
    assert (found.success_rate, found.p50) == ("0 %", None)


def test_only_the_newest_finished_ones_count() -> None:
    running = [fact(Status.RUNNING)]
    runs = [*running, *(fact() for _ in range(COUNTED)), fact(Status.FAILURE)]
    assert Statistics.of(runs).success_rate == "100 %"


def test_clocks_that_disagree_make_no_negative_duration() -> None:
    run = fact(Status.RUNNING)
    assert run.duration(at=NOON - timedelta(seconds=5)) == timedelta(0)
