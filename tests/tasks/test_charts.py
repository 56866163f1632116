"""Where the bars and cells of a task's history go."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from tasks.charts import BARS, CHART_HEIGHT, Calendar, Cell, DurationChart
from tasks.statistics import RunFact
from tests.factories import NOON
from tests.tasks.test_statistics import fact
from wallaroo_ui.executions.models import Status

MONTH = 30 * 86_400
BERLIN = ZoneInfo("Europe/Berlin")


def chart(*runs: RunFact) -> DurationChart:
    return DurationChart.of(runs, at=NOON)


def heights(drawn: DurationChart) -> list[float]:
    return [float(bar.height) for bar in drawn.bars]


# -- Bars -----------------------------------------------------------------------------------


def test_no_runs_make_an_empty_chart() -> None:
    assert chart().bars == []


def test_one_run_is_one_bar_and_no_wall() -> None:
    (bar,) = chart(fact()).bars
    assert float(bar.width.rstrip("%")) < 5
    assert float(bar.height) > CHART_HEIGHT / 2
    assert (bar.label, bar.words) == ("Success", "10 s")


def test_bars_go_from_the_oldest_to_the_newest_and_are_as_high_as_runs_were_long() -> None:
    drawn = chart(fact(seconds=30), fact(seconds=20), fact(seconds=10))
    low, middle, high = heights(drawn)
    assert high == pytest.approx(3 * low, abs=0.2)
    assert middle == pytest.approx(2 * low, abs=0.2)
    assert [bar.words for bar in drawn.bars] == ["10 s", "20 s", "30 s"]


def test_only_the_newest_fit() -> None:
    runs = [fact(hours_ago=hours) for hours in range(BARS + 10)]
    drawn = chart(*runs)
    assert [bar.run for bar in drawn.bars] == runs[:BARS][::-1]
    last = drawn.bars[-1]
    assert float(last.x.rstrip("%")) + float(last.width.rstrip("%")) <= 100


def test_a_run_of_a_month_does_not_flatten_the_others() -> None:
    drawn = chart(fact(seconds=MONTH), fact(seconds=2), fact(seconds=4), fact(seconds=3))
    assert drawn.is_uneven
    assert min(heights(drawn)) > 5
    assert max(heights(drawn)) < CHART_HEIGHT
    assert {"1 min", "1 d"} <= {line.label for line in drawn.lines}


def test_lines_stand_at_round_durations_where_a_bar_of_that_length_ends() -> None:
    drawn = chart(fact(seconds=90), fact(seconds=30))
    assert [line.label for line in drawn.lines] == ["30 s", "1 min", "1 min 30 s"]
    assert drawn.lines[0].y == drawn.bars[0].y
    assert drawn.lines[2].y == drawn.bars[1].y


def test_what_did_not_start_and_what_still_runs_are_told_apart() -> None:
    drawn = chart(
        fact(Status.QUEUED, None),
        fact(Status.STARTING, None),
        fact(Status.RUNNING, hours_ago=1),
        fact(Status.FAILURE, None),
    )
    assert [(bar.label, bar.words) for bar in drawn.bars] == [
        ("Failure", "did not start"),
        ("Running", "1 h so far"),
        ("Starting", "has not begun"),
    ]
    assert float(drawn.bars[0].height) > 0


def test_all_failed_are_all_counted_as_such() -> None:
    drawn = chart(fact(Status.FAILURE), fact(Status.LOST), fact(Status.FAILURE))
    assert drawn.statuses == [("failure", "Failure", 2), ("lost", "Lost", 1)]


def test_runs_that_took_no_time_at_all_are_drawn() -> None:
    drawn = chart(fact(seconds=0), fact(seconds=0))
    assert min(heights(drawn)) > 0


# -- The calendar ---------------------------------------------------------------------------


def at(moment: datetime, status: str = Status.SUCCESS) -> RunFact:
    return RunFact(uuid4(), status, moment, moment, moment + timedelta(minutes=1))


def calendar(*runs: RunFact, present: datetime, zone: ZoneInfo = BERLIN) -> Calendar:
    return Calendar.of(runs, at=present, zone=zone)


def said(cells: list[Cell]) -> list[str]:
    return [cell.words for cell in cells]


def test_no_runs_make_four_empty_weeks_that_end_today() -> None:
    drawn = calendar(present=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    assert (drawn.cells, len(drawn.days)) == ([], 28)
    assert drawn.days[-1].date == date(2026, 3, 2)  # By the clock of Berlin.
    assert [week.weekday() for week in drawn.weeks] == [1, 1, 1, 1]


def test_an_hour_tells_how_many_ran_and_how_many_failed() -> None:
    hour = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
    runs = [at(hour), at(hour + timedelta(minutes=40), Status.TIMED_OUT), at(hour, Status.KILLED)]
    drawn = calendar(*runs, at(hour + timedelta(hours=1)), present=NOON)
    assert said(drawn.cells) == [
        "Sun 1 Mar, 03:00 to 04:00: 3 runs, 1 failed",
        "Sun 1 Mar, 04:00 to 05:00: 1 run, none failed",
    ]
    assert [cell.level for cell in drawn.cells] == [4, 2]
    (day,) = drawn.busy_days
    assert (day.runs, day.failed, day.failed_hours) == (4, 1, "03:00")


def test_what_is_older_than_the_weeks_or_still_waits_is_not_in_it() -> None:
    old = at(NOON - timedelta(days=28))
    assert calendar(old, fact(Status.QUEUED, None), present=NOON).cells == []


def test_the_hour_that_the_clock_leaves_out_says_so() -> None:
    spring = datetime(2026, 3, 29, 12, tzinfo=UTC)
    before, after = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)
    drawn = calendar(at(before), at(after), present=spring)
    assert said(drawn.skipped) == [
        "Sun 29 Mar, 02:00 to 03:00: the clock was put forward, this hour did not exist"
    ]
    assert [words[:21] for words in said(drawn.cells)] == [
        "Sun 29 Mar, 01:00 to ",
        "Sun 29 Mar, 03:00 to ",
    ]


def test_the_hour_that_comes_twice_counts_both() -> None:
    autumn = datetime(2026, 10, 25, 12, tzinfo=UTC)
    first, second = (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    drawn = calendar(at(first), at(second, Status.FAILURE), present=autumn)
    (words,) = said(drawn.cells)
    assert words == "Sun 25 Oct, 02:00 to 03:00 (this hour came twice): 2 runs, 1 failed"


def test_a_zone_whose_clock_moves_by_half_an_hour_keeps_all_its_hours() -> None:
    present = datetime(2026, 10, 5, 12, tzinfo=UTC)
    drawn = calendar(present=present, zone=ZoneInfo("Australia/Lord_Howe"))
    assert drawn.skipped == []
