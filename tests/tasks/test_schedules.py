from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.schedules import Schedule, ScheduleRefused

AT = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
SAO_PAULO = "America/Sao_Paulo"  # midnight gaps
ST_JOHNS = "America/St_Johns"  # changed at 00:01, so across midnight
HAVANA = "America/Havana"  # midnight comes twice
CAIRO = "Africa/Cairo"
CASABLANCA = "Africa/Casablanca"  # changes about Ramadan
TROLL = "Antarctica/Troll"  # two hours
KATHMANDU = "Asia/Kathmandu"
LORD_HOWE = "Australia/Lord_Howe"  # half an hour
APIA = "Pacific/Apia"  # lost a day
ZONES = [
    "UTC", BERLIN, NEW_YORK, SAO_PAULO, ST_JOHNS, HAVANA, CAIRO, CASABLANCA, TROLL, KATHMANDU,
    LORD_HOWE, APIA,
]  # fmt: skip


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "zone", "after", "ticks"),
    [
        # What everybody expects.
        ("0 8 * * *", "UTC", "2026-01-01 08:00", "01-02 08:00+00:00, 01-03 08:00+00:00"),
        ("59 23 31 12 *", "UTC", "2026-12-31 23:58", "12-31 23:59+00:00, 12-31 23:59+00:00"),
        ("0 0 1 1 *", KATHMANDU, "2026-12-31 23:59", "01-01 00:00+05:45"),
        ("*/40 * * * *", KATHMANDU, "2026-05-05 05:05", "05-05 05:40+05:45"),
        ("0 0 29 2 *", "UTC", "2026-01-01 00:00", "02-29 00:00+00:00"),
        ("30 8 * * *\n0 17 * * *", "UTC", "2026-01-01 09:00", "01-01 17:00, 01-02 08:30"),
        ("0 8 * * *\n0 8 1 * *", "UTC", "2026-01-31 09:00", "02-01 08:00, 02-02 08:00"),
        ("0 0 31 * 1", "UTC", "2026-01-30 00:00", "01-31 00:00, 02-02 00:00"),
        # A time which is skipped runs right after the gap.
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", "03-29 03:00+02:00, 03-30 02:30"),
        ("* 2 * * *", BERLIN, "2026-03-28 12:00", "03-29 03:00+02:00, 03-30 02:00"),
        ("0,30 2,3 * * *", BERLIN, "2026-03-28 12:00", "03-29 03:00, 03-29 03:30"),
        ("30 2 * * *\n0 3 * * *", BERLIN, "2026-03-28 12:00", "03-29 03:00, 03-30 02:30"),
        ("30 2 29 3 *", BERLIN, "2026-03-28 12:00", "03-29 03:00+02:00, 03-29 02:30"),
        ("30 2 25-31 3 */7", BERLIN, "2026-01-01 00:00", "03-29 03:00, 03-28 03:00"),
        ("0 0 * * *", SAO_PAULO, "2018-11-03 12:00", "11-04 01:00-02:00, 11-05 00:00"),
        ("15 0 * * *", CAIRO, "2026-04-23 12:00", "04-24 01:00+03:00, 04-25 00:15"),
        ("15 2 * * *", LORD_HOWE, "2026-10-03 12:00", "10-04 02:30+11:00, 10-05 02:15"),
        ("0 6 * * *", NEW_YORK, "2026-03-07 12:00", "03-08 06:00-04:00"),
        ("30 0 * * *", ST_JOHNS, "2011-03-12 12:00", "03-13 01:01-02:30, 03-14 00:30"),
        # A whole day may be skipped.
        ("0 0 * * *", APIA, "2011-12-29 00:00", "12-31 00:00+14:00, 01-01 00:00"),
        (
            "0 13 * * *",
            APIA,
            "2011-12-29 12:00",
            "12-29 13:00-10:00, 12-31 00:00+14:00, 12-31 13:00",
        ),
        ("0 13 30 12 *", APIA, "2011-12-29 12:00", "12-31 00:00+14:00, 12-30 13:00"),
        ("0 * * * *", APIA, "2011-12-29 23:00", "12-31 00:00+14:00, 12-31 01:00"),
        # With every hour, what is skipped is left out, and time goes on evenly.
        (
            "*/15 * * * *",
            BERLIN,
            "2026-03-29 01:30",
            "03-29 01:45+01:00, 03-29 03:00+02:00, 03-29 03:15",
        ),
        ("30 * * * *", BERLIN, "2026-03-29 01:00", "03-29 01:30+01:00, 03-29 03:30+02:00"),
        ("15 * * * *", LORD_HOWE, "2026-10-04 01:00", "10-04 01:15, 10-04 03:15"),
        ("0 */2 * * *", BERLIN, "2026-03-29 00:00", "03-29 03:00+02:00, 03-29 04:00"),
        ("15 */2 * * *", LORD_HOWE, "2026-10-04 01:00", "10-04 02:30+11:00, 10-04 04:15"),
        # A time which comes twice runs the first time only.
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", "10-25 02:30+02:00, 10-26 02:30+01:00"),
        ("*/30 2,3 * * *", BERLIN, "2026-10-25 02:00", "10-25 02:30+02:00, 10-25 03:00+01:00"),
        ("0 6 * * *", NEW_YORK, "2026-10-31 12:00", "11-01 06:00-05:00"),
        ("30 1 * * *", LORD_HOWE, "2026-04-04 12:00", "04-05 01:30+11:00, 04-06 01:30+10:30"),
        ("0 0 * * *", HAVANA, "2026-10-31 12:00", "11-01 00:00-04:00, 11-02 00:00-05:00"),
        # With a star, it runs both times.
        (
            "*/15 * * * *",
            BERLIN,
            "2026-10-25 02:30",
            "10-25 02:45+02:00, 10-25 02:00+01:00, 10-25 02:15+01:00",
        ),
        (
            "0 */2 * * *",
            BERLIN,
            "2026-10-25 00:00",
            "10-25 02:00+02:00, 10-25 02:00+01:00, 10-25 04:00",
        ),
        ("45 * * * *", LORD_HOWE, "2026-04-05 01:00", "04-05 01:45+11:00, 04-05 01:45+10:30"),
        (
            "0,30 * * * *",
            ST_JOHNS,
            "2010-11-06 23:10",
            "11-06 23:30-02:30, 11-07 00:00-02:30, 11-06 23:30-03:30, 11-07 00:00-03:30",
        ),
        ("30 * * * *", ST_JOHNS, "2010-11-07 00:00", "11-06 23:30-03:30, 11-07 00:30-03:30"),
    ],
)
def test_ticks(text: str, zone: str, after: str, ticks: str) -> None:
    schedule = Schedule.stored(text, zone)
    expected = ticks.split(", ")
    found = islice(schedule.ticks_after(local(after, zone)), len(expected))
    shown = [tick.astimezone(schedule.zone).isoformat(" ", "minutes")[5:] for tick in found]
    assert [have[: len(want)] for have, want in zip(shown, expected, strict=True)] == expected


def test_ticks_are_utc_and_whole_minutes() -> None:
    schedule = Schedule.parse("* * * * *", "Asia/Kathmandu", at=AT)
    tick = schedule.next_after(datetime(2026, 5, 5, 12, 0, 59, 999_999, tzinfo=UTC))
    assert tick == datetime(2026, 5, 5, 12, 1, tzinfo=UTC)
    assert tick.tzinfo is UTC
    assert schedule.next_after(tick - timedelta(microseconds=1)) == tick
    assert schedule.next_after(tick) == tick + MINUTE


def test_the_next_tick_is_later_in_the_second_pass_of_an_hour() -> None:
    schedule = Schedule.parse("30 2 * * *", BERLIN, at=AT)
    second = local("2026-10-25 02:15", BERLIN).replace(fold=1)
    assert schedule.next_after(second) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    hourly = Schedule.parse("30 * * * *", BERLIN, at=AT)
    assert hourly.next_after(second) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_schedule_without_days_ends() -> None:
    schedule = Schedule.stored("0 0 30 2 *", "UTC")
    assert schedule.next_after(AT) is None
    assert list(schedule.ticks_between(AT, AT + 9999 * DAY)) == []


@pytest.mark.parametrize(
    ("text", "zone", "tick", "words"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28 02:30", ""),
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-29 03:00",
            "moved from 02:30, which the clock change skips on this day",
        ),
        (
            "*/20 2 * * *",
            BERLIN,
            "2026-03-29 03:00",
            "moved from 02:00, 02:20 and 02:40, which the clock change skips on this day",
        ),
        (
            "* 2 * * *",
            BERLIN,
            "2026-03-29 03:00",
            "moved from 02:00 to 02:59, which the clock change skips on this day",
        ),
        (
            "30 2 * * *\n0 3 * * *",
            BERLIN,
            "2026-03-29 03:00",
            "also for 02:30, which the clock change skips on this day",
        ),
        (
            "0 13 * * *",
            APIA,
            "2011-12-31 00:00",
            "moved from 30 Dec 13:00, which the clock change skips",
        ),
        ("*/15 * * * *", BERLIN, "2026-03-29 03:00", ""),
        ("30 2 * * *", BERLIN, "2026-10-25 02:30", ""),
        ("0 1 * * *", BERLIN, "2026-03-29 01:00", ""),
    ],
)
def test_moved_ticks_say_from_where(text: str, zone: str, tick: str, words: str) -> None:
    assert Schedule.stored(text, zone).moved(local(tick, zone)) == words


def test_rare_ticks_are_found_without_looking_at_every_day() -> None:
    schedule = Schedule.parse("* * * * *", BERLIN, at=AT)
    assert sum(1 for _ in schedule.ticks_between(AT, AT + 3 * DAY)) == 4320
    assert schedule.next_after(AT) == AT + MINUTE
    only_when_clocks_change = Schedule.parse("30 2 25-31 3 */7", BERLIN, at=AT)
    assert only_when_clocks_change.next_after(AT) == datetime(2026, 3, 29, 1, tzinfo=UTC)


# Reading what a person wrote


def test_lines_are_made_alike_and_kept_once() -> None:
    schedule = Schedule.parse("\r\n  0  8 * *\tmon \n\n@daily\r0 8 * * MON\n", "UTC", at=AT)
    assert schedule.lines == ("0 8 * * MON", "0 0 * * *")
    assert schedule.text == "0 8 * * MON\n0 0 * * *"
    assert Schedule.stored(schedule.text, "UTC") == schedule


@pytest.mark.parametrize(
    ("text", "zone", "problems"),
    [
        ("", "UTC", ["Write at least one line, such as 0 8 * * *."]),
        (" \n\t\r\n", "UTC", ["Write at least one line, such as 0 8 * * *."]),
        ("0 8 * * *\n" * 21, "UTC", ["There are 21 lines; at most 20 are possible."]),
        (f"0 {'1,' * 100}1 * * *", "UTC", ["Line 1: it is longer than 200 characters."]),
        (
            "0 8 * * *\n\n0 24 * * *\n* * * * * *",
            "Mars/Olympus",
            [
                "Line 3: the hour “24” is out of range; write 0 to 23 (midnight is 0).",
                (
                    "Line 4: there are 6 fields; seconds are not supported. "
                    "Write five: minute, hour, day of month, month and day of week."
                ),
                "There is no time zone “Mars/Olympus”; an example is Europe/Berlin.",
            ],
        ),
        ("0 0 30 2 *", "UTC", ["Line 1: there is no 30 February, so it would never run."]),
        (
            "0 8 * * *\n0 0 31 2,4 *",
            "Mars",
            [
                "Line 2: there is no 31 February or 31 April, so it would never run.",
                "There is no time zone “Mars”; an example is Europe/Berlin.",
            ],
        ),
        ("0 0 29 2 */7", "UTC", ["Line 1: it would not run in the next five years."]),
        ("@daily", "", ["Choose a time zone, such as Europe/Berlin."]),
        ("@daily", "berlin", ["There is no time zone “berlin”; did you mean Europe/Berlin?"]),
        (
            "@daily",
            "New York",
            ["There is no time zone “New York”; did you mean America/New_York?"],
        ),
        (
            "@daily",
            "../etc/passwd",
            ["There is no time zone “../etc/passwd”; an example is Europe/Berlin."],
        ),
    ],
)
def test_all_problems_are_named_at_once(text: str, zone: str, problems: list[str]) -> None:
    with pytest.raises(ScheduleRefused) as refusal:
        Schedule.parse(text, zone, at=AT)
    assert refusal.value.problems == problems
    assert str(refusal.value) == " ".join(problems)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 30 2 1", "0 8 * * *\n" * 20])
def test_what_runs_in_five_years_is_accepted(text: str) -> None:
    assert Schedule.parse(text, "UTC", at=AT).next_after(AT)


def test_only_parse_asks_for_a_tick_in_five_years() -> None:
    leap_day = "0 0 29 2 *"
    assert Schedule.parse(leap_day, "UTC", at=datetime(2099, 2, 28, 12, tzinfo=UTC))
    with pytest.raises(ScheduleRefused):
        Schedule.parse(leap_day, "UTC", at=datetime(2098, 2, 28, tzinfo=UTC))
    assert Schedule.stored(leap_day, "UTC")


@given(text=st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text, "UTC")


@given(text=st.text("0123456789*/-,# \n\0@LWRH?SUNMONJAN²", max_size=30))
@settings(max_examples=300, deadline=None)
def test_almost_cron_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text + " * * * *", "UTC")


@given(
    zone=st.text(min_size=1) | st.sampled_from(["\ud800", "\0", "/", "..", "Europe", "localtime"])
)
@settings(max_examples=30, deadline=None)
def test_any_zone_is_known_or_refused(zone: str) -> None:
    _read_or_refuse("@daily", zone)


def _read_or_refuse(text: str, zone: str) -> None:
    problems = []
    try:
        schedule = Schedule.parse(text, zone, at=AT)
        assert Schedule.stored(schedule.text, zone) == schedule
    except ScheduleRefused as refusal:
        problems = refusal.problems
        assert problems
    assert all(problem.isprintable() for problem in problems)
    assert all(problem.endswith((".", "?")) for problem in problems)


# What holds for every schedule


def items(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).filter(lambda ends: ends[0] != ends[1]).map(sorted)
    step = st.integers(1, last - first + 1)
    return (
        number.map(str)
        | span.map(lambda ends: f"{ends[0]}-{ends[1]}")
        | st.builds(lambda ends, step: f"{ends[0]}-{ends[1]}/{step}", span, step)
    )


def numbers(first: int, last: int) -> st.SearchStrategy[str]:
    return st.lists(items(first, last), min_size=1, max_size=3).map(",".join)


def stars(first: int, last: int) -> st.SearchStrategy[str]:
    return st.just("*") | st.integers(1, last - first + 1).map(lambda step: f"*/{step}")


day_fields = st.tuples(numbers(1, 31), numbers(0, 6)) | st.sampled_from(
    [("*", "*"), ("*", "1-5"), ("*", "0"), ("1", "*"), ("29-31", "*"), ("31", "1")]
)
month_fields = st.just("*") | numbers(1, 12)
lines = st.builds(
    lambda minute, hour, days, month: f"{minute} {hour} {days[0]} {month} {days[1]}",
    numbers(0, 59) | stars(0, 59),
    numbers(0, 23) | numbers(0, 3) | stars(0, 23),
    day_fields,
    month_fields,
)
texts = st.lists(lines, min_size=1, max_size=3).map("\n".join)
everyday_texts = st.lists(
    st.builds(
        lambda minute, hour: f"{minute} {hour} * * *",
        numbers(0, 59) | stars(0, 59),
        numbers(0, 3) | stars(0, 23),
    ),
    min_size=1,
    max_size=2,
).map("\n".join)
years = st.datetimes(datetime(1985, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def eventful(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment, often just before its clock changes."""
    zone, moment = draw(st.sampled_from(ZONES)), draw(years)
    if changes := list(Schedule((), ZoneInfo(zone)).clock_changes(moment, moment + 250 * DAY)):
        at = draw(st.sampled_from(changes)).at
        moment = at - draw(st.integers(-90, 1500)) * MINUTE
    return zone, moment


def by_brute_force(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Apply the rules to every minute there is, one by one."""
    tick = after.replace(second=0, microsecond=0) + MINUTE
    while tick <= until:
        shown = tick.astimezone(schedule.zone)
        wall = shown.replace(tzinfo=None)
        before = (tick - MINUTE).astimezone(schedule.zone).replace(tzinfo=None) + MINUTE
        for line in schedule.cron_lines:
            matches = (
                line.runs_on(wall) and shown.hour in line.hours and shown.minute in line.minutes
            )
            in_star = line.text.split()[1][0] == "*"
            skipped = before < wall and any(line.walls_between(before, wall))
            if (matches and (not shown.fold or in_star)) or (
                skipped and (not in_star or len(line.hours) < 24)
            ):
                yield tick
                break
        tick += MINUTE


@given(texts | everyday_texts, eventful())
@settings(max_examples=60, deadline=None)
def test_ticks_are_those_which_every_minute_would_give(
    text: str, where: tuple[str, datetime]
) -> None:
    zone, moment = where
    schedule = Schedule.stored(text, zone)
    until = moment + timedelta(hours=30)
    ticks = list(schedule.ticks_between(moment, until))
    assert ticks == list(by_brute_force(schedule, moment, until))


@given(texts | everyday_texts, eventful())
@settings(max_examples=70, deadline=None)
def test_ticks_go_forward_and_are_what_next_after_gives(
    text: str, where: tuple[str, datetime]
) -> None:
    zone, moment = where
    schedule = Schedule.stored(text, zone)
    ticks = list(islice(schedule.ticks_after(moment), 12))
    assert all(tick.tzinfo is UTC and not tick.second for tick in ticks)
    previous = moment
    for tick in ticks:
        assert previous < tick == schedule.next_after(previous)
        assert schedule.next_after(tick - MINUTE) == tick
        previous = tick
    if ticks:
        assert list(schedule.ticks_between(moment, ticks[-1])) == ticks


@given(texts, eventful())
@settings(max_examples=70, deadline=None)
def test_a_tick_shows_a_time_that_a_line_names_or_was_moved(
    text: str, where: tuple[str, datetime]
) -> None:
    zone, moment = where
    schedule = Schedule.stored(text, zone)
    for tick in islice(schedule.ticks_after(moment), 12):
        wall = tick.astimezone(schedule.zone).replace(tzinfo=None)
        named = any(any(line.walls_between(wall, wall + MINUTE)) for line in schedule.cron_lines)
        assert named != schedule.moved(tick).startswith("moved from")


@given(lines, years)
@settings(max_examples=70, deadline=None)
def test_utc_ticks_are_those_of_croniter(line: str, moment: datetime) -> None:
    ticks = list(islice(Schedule.stored(line, "UTC").ticks_after(moment), 3))
    assume(ticks)
    other = croniter(line, moment)
    assert ticks == [other.get_next(datetime) for _ in ticks]


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 4) | st.integers(0, 23),
    days=day_fields,
    zone=st.sampled_from([zone for zone in ZONES if zone != APIA]),
    moment=years,
)
@settings(max_examples=70, deadline=None)
def test_one_time_a_day_gives_one_tick_for_each_day(
    minute: int, hour: int, days: tuple[str, str], zone: str, moment: datetime
) -> None:
    schedule = Schedule.stored(f"{minute} {hour} {days[0]} * {days[1]}", zone)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=schedule.zone)
    shown = schedule.ticks_between(midnight - MINUTE, midnight + 400 * DAY - MINUTE)
    found = [tick.astimezone(schedule.zone).date() for tick in shown]
    (line,) = schedule.cron_lines
    calendar = [midnight.date() + number * DAY for number in range(400)]
    assert found == [day for day in calendar if line.runs_on(day)]
