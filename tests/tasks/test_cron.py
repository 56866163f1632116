from datetime import date, datetime, timedelta
from itertools import islice

import pytest

from tasks.cron import NICKNAMES, CronRefused, read_line


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        ("5 * * * *", "minutes", [5]),
        ("05,5,007 * * * *", "minutes", [5, 7]),
        ("* * * * *", "minutes", list(range(60))),
        ("*/20 * * * *", "minutes", [0, 20, 40]),
        ("5/20 * * * *", "minutes", [5, 25, 45]),
        ("10-20/5,*/30 * * * *", "minutes", [0, 10, 15, 20, 30]),
        ("*/60 * * * *", "minutes", [0]),
        ("5-5 * * * *", "minutes", [5]),
        ("0 22-23,0-3 * * *", "hours", [0, 1, 2, 3, 22, 23]),
        ("0 0 31,1 * *", "days", [1, 31]),
        ("0 0 */10 * *", "days", [1, 11, 21, 31]),
        ("0 0 * jan,Mar-may,12 *", "months", [1, 3, 4, 5, 12]),
        ("0 0 * * 0", "weekdays", [0]),
        ("0 0 * * 7", "weekdays", [0]),
        ("0 0 * * 7-7", "weekdays", [0]),
        ("0 0 * * sun-tue", "weekdays", [0, 1, 2]),
        ("0 0 * * 5-7", "weekdays", [0, 5, 6]),
        ("0 0 * * Fri-Sun", "weekdays", [0, 5, 6]),
        ("0 0 * * 0-7", "weekdays", list(range(7))),
        ("0 0 * * 1-6/2", "weekdays", [1, 3, 5]),
        ("0 0 * * 1/2", "weekdays", [1, 3, 5]),
        ("0 0 * * */2", "weekdays", [0, 2, 4, 6]),
    ],
)
def test_fields_name_their_values(line: str, name: str, values: list[int]) -> None:
    assert getattr(read_line(line), name) == tuple(values)


def test_white_space_and_small_letters_are_made_alike() -> None:
    assert read_line("\t0  8 *\u00a0jan  mon-FRI ").text == "0 8 * JAN MON-FRI"


@pytest.mark.parametrize(("name", "line"), NICKNAMES.items())
def test_nicknames_are_written_out(name: str, line: str) -> None:
    assert read_line(f" {name.upper()} ") == read_line(line)
    assert read_line(name).text == line


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("* * * *", "there are 4 fields. Write five: minute, hour, day of month, month and"),
        ("*", "there is 1 field. Write five"),
        ("* * * * * *", "there are 6 fields; seconds are not supported. Write five"),
        ("0 0 1 1 * 2026 x", "there are 7 fields. Write five"),
        ("@reboot", "@reboot names no time"),
        ("@fortnightly", "“@fortnightly” is not known; there are @hourly, @daily"),
        ("60 * * * *", "the minute “60” is out of range; write 0 to 59 (the full hour is 0)"),
        ("-1 * * * *", "the minute “-1” is not understood"),
        ("0 24 * * *", "the hour “24” is out of range; write 0 to 23 (midnight is 0)"),
        ("0 0 0 * *", "the day of month “0” is out of range; write 1 to 31 (the first is 1)"),
        ("0 0 32 * *", "the day of month “32” is out of range; write 1 to 31"),
        ("0 0 * 0 *", "the month “0” is out of range; write 1 to 12 (January is 1)"),
        ("0 0 * 7,13 *", "the month “13” is out of range; write 1 to 12"),
        ("0 0 * * 8", "the day of week “8” is out of range; write 0 to 6 (Sunday is 0)"),
        ("0 0 * * MOND", "the day of week “MOND” is not understood; write 0 to 6 or SUN to SAT"),
        ("0 0 * WED *", "the month “WED” is not understood; write 1 to 12 or JAN to DEC"),
        ("JAN 0 * * *", "the minute “JAN” is not understood; write 0 to 59"),
        ("*/0 * * * *", "the minute “*/0” has a step out of range; write 1 to 60"),
        ("*/90 * * * *", "the minute “*/90” has a step out of range; write 1 to 60"),
        (f"*/{'9' * 150} * * * *", "has a step out of range"),
        (f"{'9' * 150} * * * *", "is out of range"),
        ("0 22-3 * * *", "the hour “22-3” runs backwards; write 22-23,0-3"),
        ("0 22-3/2 * * *", "the hour “22-3/2” runs backwards"),
        ("0 0 * * 6-1", "the day of week “6-1” runs backwards; write 6-6,0-1"),
        ("1,,2 * * * *", "the minute has an empty part"),
        ("1-2-3 * * * *", "the minute “1-2-3” is not understood; write *"),
        ("1/2/3 * * * *", "is not understood"),
        ("*-5 * * * *", "is not understood"),
        ("٣ * * * *", "the minute “٣” is not understood"),
        ("1² * * * *", "is not understood"),
        ("\0 * * * *", "the minute “�” is not understood"),
        ("0 0 ? * *", "the day of month “?” is not supported; write * for every value"),
        ("0 0 L * *", "the day of month “L” is not supported (the last day)"),
        ("0 0 L-3 * *", "(the last day)"),
        ("0 0 * * 5L", "(the last day)"),
        ("0 0 * * L5", "(the last day)"),
        ("0 0 15W * *", "the day of month “15W” is not supported (the nearest working day)"),
        ("0 0 LW * *", "(the nearest working day)"),
        ("0 0 * * 1#2", "the day of week “1#2” is not supported (the nth weekday of a month)"),
        ("R 0 * * *", "the minute “R” is not supported (a random time)"),
        ("H(0-29)/10 0 * * *", "the minute “H(0-29)/10” is not supported (a hashed time)"),
    ],
)
def test_anything_else_is_refused_with_its_field(line: str, problem: str) -> None:
    with pytest.raises(CronRefused) as refusal:
        read_line(line)
    assert len(refusal.value.problems) == 1
    assert problem in refusal.value.problems[0]
    assert len(refusal.value.problems[0]) < 200


def test_every_field_at_fault_is_named() -> None:
    with pytest.raises(CronRefused) as refusal:
        read_line("60 24 1 x 8")
    assert [problem.split(" “")[0] for problem in refusal.value.problems] == [
        "the minute",
        "the hour",
        "the month",
        "the day of week",
    ]


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 0 * * *", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("0 0 3 * *", [3]),
        ("0 0 * * 1", [5]),
        ("0 0 3 * 1", [3, 5]),  # either
        ("0 0 */3 * 3,6", [7, 10]),  # both, as Vixie cron has it of a star
        ("0 0 3,4,7 * */3", [3, 4, 7]),
        ("0 0 2-5 * */3", [3, 4]),
        ("0 0 1-31 * 1", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("0 0 3 * 0-6", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("0 0 3 2 1", []),
    ],
)
def test_days_of_month_and_of_week_go_together(line: str, days: list[int]) -> None:
    january = [date(2026, 1, day) for day in range(1, 11)]  # from a Thursday on
    assert [day.day for day in january if read_line(line).runs_on(day)] == days


def test_leap_days_are_found_across_2100() -> None:
    found = list(islice(read_line("0 0 29 2 *").days_from(date(2092, 3, 1)), 2))
    assert found == [date(2096, 2, 29), date(2104, 2, 29)]


@pytest.mark.parametrize("line", ["0 0 30 2 *", "0 0 29 2 */7"])
def test_a_search_for_days_ends(line: str) -> None:
    assert list(read_line(line).days_from(date(2090, 1, 1))) == []


def test_a_search_for_days_ends_with_the_calendar() -> None:
    assert list(read_line("0 0 1 1 *").days_from(date(9997, 1, 2))) == [date(9998, 1, 1)]


def test_walls_are_found_between_two() -> None:
    line = read_line("0 0,12 * * 4,5")  # Thursday, Friday
    noon = datetime.fromisoformat("2026-01-01 12:00")
    walls = line.walls_between(noon, noon + timedelta(days=1))
    assert list(walls) == [noon, noon + timedelta(hours=12)]
