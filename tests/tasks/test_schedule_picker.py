import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.cron import CronRefused
from tasks.schedule_picker import Choices, choices_of, lines_for
from tasks.schedules import ScheduleRefused


@pytest.mark.parametrize(
    ("choices", "lines"),
    [
        (Choices(times=("08:00",)), ["0 8 * * *"]),
        (Choices(times=("20:00", "8:00", "08:00")), ["0 8,20 * * *"]),
        (Choices(times=("17:00", "08:30")), ["30 8 * * *", "0 17 * * *"]),
        (Choices(times=("08:00", "08:30", "17:00")), ["0,30 8 * * *", "0 17 * * *"]),
        (Choices(weekdays=(5, 4, 3, 2, 1), times=("00:00",)), ["0 0 * * 1-5"]),
        (Choices(weekdays=(0, 6), times=("00:00",)), ["0 0 * * 0,6"]),
        (
            Choices(months=(1, 3, 5), days=(1, 7, 15, 30), times=("20:00",)),
            ["0 20 1,7,15,30 1,3,5 *"],
        ),
        (
            Choices(months=tuple(range(1, 13)), weekdays=tuple(range(7)), times=("20:00",)),
            ["0 20 * * *"],
        ),
        (Choices(times=tuple(f"{hour:02}:05" for hour in range(24))), ["5 0-23 * * *"]),
    ],
)
def test_choices_become_lines(choices: Choices, lines: list[str]) -> None:
    assert lines_for(choices) == tuple(lines)
    assert choices_of(lines) == choices.normalised()


@pytest.mark.parametrize(
    ("choices", "problems"),
    [
        (Choices(), ["Choose at least one time of day."]),
        (
            Choices(times=("25:00", "08:00", "8", "\0")),
            [
                "“25:00” is no time of day; write hours and minutes like 20:00.",
                "“8” is no time of day; write hours and minutes like 20:00.",
                "“�” is no time of day; write hours and minutes like 20:00.",
            ],
        ),
        (
            Choices(months=(0,), days=(32,), weekdays=(7,), times=("08:00",)),
            [
                "There is no month 0; there are 1 to 12.",
                "There is no day of month 32; there are 1 to 31.",
                "There is no day of week 7; there are 0 to 6.",
            ],
        ),
        (
            Choices(times=tuple(f"{hour:02}:{hour:02}" for hour in range(21))),
            ["The times need more than 20 lines; choose fewer."],
        ),
    ],
)
def test_choices_out_of_range_are_refused(choices: Choices, problems: list[str]) -> None:
    with pytest.raises(ScheduleRefused) as refusal:
        lines_for(choices)
    assert refusal.value.problems == problems


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["*/15 * * * *"],
        ["0 * * * *"],
        ["0 */2 * * *"],
        ["* 9 * * *"],
        ["0 8 * * *", "0 9 * * 1"],
        ["0 8 */2 * 1"],  # both
        ["0 8 1-31 * 1"],  # every day
        ["0 8 1 * 0-6"],
    ],
)
def test_what_the_form_cannot_show_is_none(lines: list[str]) -> None:
    assert choices_of(lines) is None


def test_lines_with_the_meaning_of_choices_are_shown() -> None:
    lines = ["*/30 9 */15 JAN *", "0 17 1,16,31 1 *"]
    assert choices_of(lines) == Choices((1,), (1, 16, 31), (), ("09:00", "09:30", "17:00"))


def test_what_is_no_cron_is_refused() -> None:
    with pytest.raises(CronRefused):
        choices_of(["0 8 * *"])


def some(first: int, last: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(first, last), max_size=40).map(tuple)


@given(
    st.builds(
        Choices,
        months=some(1, 12),
        days=some(1, 31),
        weekdays=some(0, 6),
        times=st.lists(st.times().map(lambda t: f"{t:%H:%M}"), min_size=1, max_size=20).map(tuple),
    )
)
@settings(max_examples=200, deadline=None)
def test_choices_are_read_back_as_they_were(choices: Choices) -> None:
    assert choices_of(lines_for(choices)) == choices.normalised()
