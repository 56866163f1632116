"""Schedules in plain English, and what may surprise in them.

Times are those of the schedule's own clock; its zone is not named.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from tasks.cron import LONGEST_MONTHS, MONTHS, WEEKDAYS, CronLine
from tasks.schedules import ClockChange, Schedule, in_short, listed

MANY_RUNS_A_DAY = 288  # every five minutes
MOST_TIMES_LISTED = 12

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)


def describe(schedule: Schedule) -> str:
    """Say when a schedule runs: "Every day at 08:30 and 17:00"."""
    phrases: list[str] = []
    for days, group in groupby(schedule.cron_lines, key=_days):
        lines = list(group)
        times = sorted({t for line in lines for t in line.times})
        if len(lines) > 1 and len(times) <= MOST_TIMES_LISTED:
            phrases.append(_sentence(days, "", times))
        else:
            phrases += [_sentence(days, _rhythm(line), line.times) for line in lines]
    text = "; ".join(dict.fromkeys(phrases))
    return text[0].upper() + text[1:]


def warnings(schedule: Schedule, *, at: datetime) -> list[str]:
    """Name what may surprise in the year after `at`: one sentence for a kind and a line."""
    changes = list(schedule.clock_changes(at, at + _YEAR))
    found = [_count(schedule)]
    for line in schedule.cron_lines:
        skipped = [_skipped(line, change) for change in changes]
        repeated = [_repeated(line, change) for change in changes]
        found += [_either_day(line), _missing_days(line), _first(skipped), _first(repeated)]
    return [sentence for sentence in dict.fromkeys(found) if sentence]


def _first(sentences: list[str]) -> str:
    return next(filter(None, sentences), "")


def _sentence(days: str, rhythm: str, times: Sequence[timedelta]) -> str:
    if rhythm:
        return f"{rhythm} {days.removeprefix('every day').lstrip()}".rstrip()
    at = f"at {listed([_clock(t) for t in times])}"
    return f"{at} {days}" if days.startswith("on the") else f"{days} {at}"


def _rhythm(line: CronLine) -> str:
    """Say how the times of a day follow each other; "" if they had better be listed."""
    evenly = _through_the_hour(line.minutes)
    if len(line.hours) == 24:
        if line.minutes == (0,):
            return "every hour on the hour"
        return evenly or f"every hour at {_plural('minute', line.minutes)}"
    gaps = {later - t for t, later in pairwise(line.times)}
    if len(line.times) >= 4 and len(gaps) == 1:
        return f"{_every(gaps.pop())} from {_clock(line.times[0])} to {_clock(line.times[-1])}"
    if len(line.times) <= MOST_TIMES_LISTED:
        return ""
    return (
        f"{evenly or 'at ' + _plural('minute', line.minutes)} of the {_plural('hour', line.hours)}"
    )


def _through_the_hour(minutes: tuple[int, ...]) -> str:
    """Say "every 15 minutes" if they go evenly from one hour into the next."""
    gaps = {later - minute for minute, later in pairwise((*minutes, 60))}
    return _every(gaps.pop() * _MINUTE) if minutes[0] == 0 and len(gaps) == 1 else ""


def _every(gap: timedelta) -> str:
    number, unit = (gap // _MINUTE, "minute") if gap % _HOUR else (gap // _HOUR, "hour")
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _days(line: CronLine) -> str:
    """Say on which days; what is not "every day" starts with "on"."""
    some_months = listed(_runs(line.months, _month)) if len(line.months) < 12 else ""
    in_months = f" in {some_months}" if some_months else ""
    of_months = f" of {some_months or 'every month'}"
    numbers = f"on the {listed(_runs(line.days, ordinal))}{of_months}"
    weekdays = f"on {listed(_runs(_from_monday(line), _weekdays))}{in_months}"
    if line.every_day:
        return f"every day{in_months}"
    if line.either:
        return f"{numbers}, or {weekdays}"
    if len(line.days) == 31:
        return weekdays
    if len(line.weekdays) == 7:
        return numbers
    return f"{numbers}, if that is a {_any_weekday(line)}"


def _count(schedule: Schedule) -> str:
    lines = schedule.cron_lines
    count = len({t for line in lines for t in line.times})
    if count <= MANY_RUNS_A_DAY:
        return ""
    up_to = "up to " if len({_days(line) for line in lines}) > 1 else ""
    if count == _DAY // _MINUTE and not up_to:
        return f"Runs every minute: {count:,} runs a day."
    return f"Runs {up_to}{count:,} times a day."


def _either_day(line: CronLine) -> str:
    if not line.either:
        return ""
    if line.every_day:
        return "Runs every day: a day of the month or a day of the week is enough."
    numbers = listed(_runs(line.days, ordinal), "or")
    comma = "," if len(line.days) + len(line.weekdays) > 2 else ""
    return f"Runs on the {numbers}{comma} or on a {_any_weekday(line)}, whichever comes."


def _missing_days(line: CronLine) -> str:
    """Name the months which are too short for every day that is named."""
    first = line.days[0]
    if first <= 28 or line.either:
        return ""
    if first == 29 and 2 in line.months:
        return "February has a 29th only in leap years: in other years it will not run then."
    short = [_month(month) for month in line.months if LONGEST_MONTHS[month - 1] < first]
    if not short:
        return ""
    days = listed([ordinal(day) for day in line.days], "or")
    return (
        f"{listed(short)} {'has' if len(short) == 1 else 'have'} no {days}: it will not run then."
    )


def _skipped(line: CronLine, change: ClockChange) -> str:
    if not change.skips or not line.catches_up:
        return ""
    walls = list(line.walls_between(*change.walls))
    if not walls:
        return ""
    run = change.walls[1]
    other_day = f" on {_date(run)}" if run.date() != walls[0].date() else ""
    when = f"at {run:%H:%M}{other_day}"
    if len(walls) == 1:
        return f"{_date(walls[0])}: {walls[0]:%H:%M} does not exist; it will run {when}."
    return f"{_date(walls[0])}: {_short(walls)} do not exist; it will run once, {when}."


def _repeated(line: CronLine, change: ClockChange) -> str:
    if change.skips or not line.catches_up:
        return ""
    start, end = change.walls
    walls = list(line.walls_between(start, end))
    if not walls:
        return ""
    day = _date(walls[0])
    if line.repeats:
        span = "hour from" if end - start == _HOUR else "time between"
        to = "" if end - start == _HOUR else f" and {end:%H:%M}"
        return f"{day}: the {span} {start:%H:%M}{to} comes twice; it will run in both."
    if len(walls) == 1:
        return f"{day}: {walls[0]:%H:%M} happens twice; it will run once, the first time."
    return f"{day}: {_short(walls)} happen twice; each will run once, the first time."


def ordinal(number: int) -> str:
    """Write 1 as 1st, 2 as 2nd, 11 as 11th."""
    teen = 10 < number % 100 < 20
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _runs(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """Name numbers in order, and only the ends of three or more that follow each other."""
    parts: list[str] = []
    for _, grouped in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [name(number) for _, number in grouped]
        parts += run if len(run) < 3 else [f"{run[0]} to {run[-1]}"]
    return parts


def _plural(unit: str, numbers: Sequence[int]) -> str:
    return f"{unit}{'s' if len(numbers) > 1 else ''} {listed(_runs(numbers, str))}"


def _any_weekday(line: CronLine) -> str:
    return listed([WEEKDAYS[day % 7] for day in _from_monday(line)], "or")


def _from_monday(line: CronLine) -> list[int]:
    """Give the days of the week with Sunday, 7, at the end."""
    return sorted(day or 7 for day in line.weekdays)


def _weekdays(number: int) -> str:
    return f"{WEEKDAYS[number % 7]}s"


def _month(number: int) -> str:
    return MONTHS[number - 1]


def _clock(t: timedelta) -> str:
    hours, rest = divmod(t, _HOUR)
    return f"{hours:02}:{rest // _MINUTE:02}"


def _short(walls: Sequence[datetime]) -> str:
    return in_short([f"{wall:%H:%M}" for wall in walls])


def _date(wall: datetime) -> str:
    return f"{wall.day} {wall:%b %Y}"
