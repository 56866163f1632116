"""One line of cron: which days and which times of day its five fields name.

croniter works out the values. What it is given was checked before, field by field and as
Vixie cron reads it: it would accept more, and explain less.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import cached_property

from croniter import croniter

YEARS_TO_SEARCH = 10

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class CronRefused(ValueError):
    """A line is not accepted; `problems` says why, each with its field."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(frozen=True)
class CronLine:
    """What a line names, and how it takes a change of the clock.

    Days of the week count from Sunday, 0. Values are in order.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def every_day(self) -> bool:
        """Tell whether no field restricts the days within a month."""
        all_days, all_weekdays = len(self.days) == 31, len(self.weekdays) == 7
        return all_days or all_weekdays if self.either else all_days and all_weekdays

    @cached_property
    def either(self) -> bool:
        """Tell whether the day of the month *or* that of the week is enough.

        So it is when neither field begins with a star; otherwise both must match.
        """
        _, _, day, _, weekday = self.text.split()
        return not day.startswith("*") and not weekday.startswith("*")

    @cached_property
    def repeats(self) -> bool:
        """Tell whether a time which comes twice counts twice: if the hour begins with a star."""
        return self.text.split()[1].startswith("*")

    @property
    def catches_up(self) -> bool:
        """Tell whether a time that the clock skips is made up for, right after the gap.

        With every hour there is nothing to make up for: real time goes on evenly.
        """
        return not self.repeats or len(self.hours) < 24

    @cached_property
    def times(self) -> tuple[timedelta, ...]:
        """The times of day as the clock on the wall shows them, counted from midnight."""
        return tuple(timedelta(hours=h, minutes=m) for h in self.hours for m in self.minutes)

    def runs_on(self, day: date) -> bool:
        """Tell whether the fields for month and day name this day."""
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        fits = in_month or in_week if self.either else in_month and in_week
        return fits and day.month in self.months

    def days_from(self, start: date) -> Iterator[date]:
        """Yield the days it names, from `start` on; end when ten years have none."""
        found = start.year
        for year in range(start.year, MAXYEAR):
            if year - found > YEARS_TO_SEARCH:
                return
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for number in range(1, monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= start and self.runs_on(day):
                        found = year
                        yield day

    def walls_between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield what it names in start <= wall < end; both are naive, as the clock shows them."""
        for number in range((end.date() - start.date()).days + 1):
            day = start.date() + timedelta(days=number)
            if self.runs_on(day):
                walls = (datetime.combine(day, time()) + t for t in self.times)
                yield from (wall for wall in walls if start <= wall < end)


@dataclass(frozen=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()  # from `first` on; a line has their first three letters
    hints: tuple[tuple[int, str], ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(range(self.first, self.last + 1))

    def value(self, text: str) -> int:
        shorts = [name[:3].upper() for name in self.names]
        if text in shorts:
            return shorts.index(text) + self.first
        if not text.isdigit():
            words = f" or {shorts[0]} to {shorts[-1]}" if shorts else ""
            raise ValueError(f"is not understood; write {self.first} to {self.last}{words}")
        value = int(text)
        sunday = value == 7 and self is _WEEKDAY
        if not self.first <= value <= self.last and not sunday:
            hint = dict(self.hints).get(value, "")
            raise ValueError(f"is out of range; write {self.first} to {self.last}{hint}")
        return value


_WEEKDAY = _Field("day of week", 0, 6, WEEKDAYS, ((8, " (Sunday is 0)"),))
_FIELDS = (
    _Field("minute", 0, 59, hints=((60, " (the full hour is 0)"),)),
    _Field("hour", 0, 23, hints=((24, " (midnight is 0)"),)),
    _Field("day of month", 1, 31, hints=((0, " (the first is 1)"),)),
    _Field("month", 1, 12, MONTHS, ((0, " (January is 1)"),)),
    _WEEKDAY,
)

_ITEM = re.compile(
    r"(?: \* | (?P<first>[0-9A-Z]+) (?:-(?P<last>[0-9A-Z]+))? ) (?:/(?P<step>[0-9]+))?",
    re.VERBOSE,
)
_ELSEWHERE = (  # what other schedulers understand, and what to write here
    (r"\?(?:/[0-9]+)?", "; write * for every value"),
    (r".*#.*", " (the nth weekday of a month); name days of the month, such as 8-14"),
    (r"[0-9]+W|LW", " (the nearest working day); name the days themselves"),
    (
        r"(?:[0-9]+|[A-Z]{3})?L(?:[0-9]|-[0-9]+|[A-Z]{3})?",
        " (the last day); run on the 1st of the next month, or on the 28th",
    ),
    (r"R(?:\(.*\))?(?:/[0-9]+)?", " (a random time); choose a time"),
    (r"H(?:\(.*\))?(?:/[0-9]+)?", " (a hashed time); choose a time"),
)


def read_line(text: str) -> CronLine:
    """Read five fields, or a nickname such as @daily, which is written out.

    White space and small letters are made alike. Whether the days ever come is not asked:
    30 February is read, too.

    Raises:
        CronRefused: the line says something else; every field at fault is named.
    """
    line = " ".join(text.split())
    if line.startswith("@"):
        line = _written_out(line)
    fields = line.upper().split(" ")
    if len(fields) != len(_FIELDS):
        few = {0: "is", 1: "is"}.get(len(fields), "are")
        extra = "; seconds are not supported" if len(fields) == 6 else ""
        raise CronRefused(
            f"there {few} {len(fields)} field{'' if few == 'is' else 's'}{extra}. "
            "Write five: minute, hour, day of month, month and day of week"
        )
    plain: list[str] = []
    problems: list[str] = []
    for field, part in zip(_FIELDS, fields, strict=True):
        try:
            plain.append(",".join(_plain(field, item) for item in part.split(",")))
        except ValueError as error:
            problems.append(f"the {field.name} {error}")
    if problems:
        raise CronRefused(*problems)
    values, _ = croniter.expand(" ".join(plain))
    numbers = (
        field.all if "*" in each else tuple(sorted({int(value) for value in each}))
        for field, each in zip(_FIELDS, values, strict=True)
    )
    return CronLine(" ".join(fields), *numbers)


def _written_out(line: str) -> str:
    name = line.lower()
    if name == "@reboot":
        raise CronRefused("@reboot names no time; write when to run, such as @daily")
    if name not in NICKNAMES:
        raise CronRefused(f"{quoted(line)} is not known; there are {', '.join(NICKNAMES)}")
    return NICKNAMES[name]


def _plain(field: _Field, item: str) -> str:
    """Write one item of a list in numbers; a ValueError says what is wrong with it."""
    try:
        return _numbers(field, item)
    except ValueError as error:
        raise ValueError(f"{quoted(item)} {error}" if item else "has an empty part") from None


def _numbers(field: _Field, item: str) -> str:
    for pattern, advice in _ELSEWHERE:
        if re.fullmatch(pattern, item):
            raise ValueError(f"is not supported{advice}")
    parts = _ITEM.fullmatch(item)
    if parts is None:
        raise ValueError("is not understood; write *, 5, 1-5, */10 or a list such as 1,15")
    first, last, step = parts.group("first", "last", "step")
    low = field.value(first) if first else field.first
    high = field.value(last) if last else field.last if step or not first else low
    if field is _WEEKDAY and high == 0 < low:
        high = 7  # FRI-SUN ends on a Sunday.
    if high < low:
        hint = f"{first}-{field.last},{field.first}-{last}"
        raise ValueError(f"runs backwards; write {hint}" if not step else "runs backwards")
    size = field.last - field.first + 1
    if step and not 1 <= int(step) <= size:
        raise ValueError(f"has a step out of range; write 1 to {size}, as each {size} start anew")
    # croniter takes `5-5` for every value there is, and gives a full range as a star.
    return str(low) if low == high else f"{low}-{high}/{step or 1}"


def quoted(text: str) -> str:
    """Set off what somebody wrote: cut short, and without characters nobody can see."""
    shown = "".join(c if c.isprintable() else "�" for c in text[:40])
    return f"“{shown}{'…' if len(text) > 40 else ''}”"
