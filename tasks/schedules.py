"""When a task runs: cron lines and a time zone give ticks, as moments in UTC.

Lines speak of the clock on the wall. Where the zone puts that clock forward or back:

- A time which is skipped runs at the first minute after the gap. Only when the hour is `*`
  is it left out, since real time then goes on evenly.
- A time which comes twice runs once, the first time. When the hour begins with a star
  (`*`, `*/2`) it runs both times.

Nothing here reads the clock: the moment is always given.
"""

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import takewhile
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from tasks.cron import LONGEST_MONTHS, MONTHS, CronLine, CronRefused, quoted, read_line
from wallaroo_ui.time_zones import zone_names

MAX_LINES = 20
MAX_LINE_CHARACTERS = 200

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_FIVE_YEARS = timedelta(days=5 * 365 + 2)

_read_line = lru_cache(maxsize=256)(read_line)


class ScheduleRefused(ValueError):
    """A schedule is not accepted; `problems` says why, in sentences for people."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class ClockChange(NamedTuple):
    """A moment in UTC at which a zone's distance from UTC changes."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def skips(self) -> bool:
        """Tell whether the clock is put forward; otherwise it is put back."""
        return self.before < self.after

    @property
    def walls(self) -> tuple[datetime, datetime]:
        """What the clock on the wall skips or shows twice: naive, the end not included."""
        moment = self.at.replace(tzinfo=None)
        return moment + min(self.before, self.after), moment + max(self.before, self.after)

    def ticks_on(self, day: date, line: CronLine) -> Iterator[datetime]:
        """Yield what a line names on a day about the change, by the old clock and the new."""
        midnight = datetime.combine(day, time(), UTC)
        for t in line.times:
            old, new = midnight - self.before + t, midnight - self.after + t
            if old < self.at:
                yield old
                if new >= self.at and line.repeats:
                    yield new
            elif new >= self.at:
                yield new
            elif line.catches_up:
                yield self.at


@dataclass(frozen=True)
class Schedule:
    """One or more lines of cron, and the zone whose clock they speak of.

    A tick is the earliest time that any line names; lines which name the same moment
    make one tick. Moments given may be in any zone, but not naive; ticks are in UTC.
    """

    lines: tuple[str, ...]
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone_name: str, *, at: datetime) -> Self:
        """Read what a person wrote: a line of cron each, and the name of an IANA zone.

        `at` is the present: each line must run in the five years after it.

        Raises:
            ScheduleRefused: something is wrong; all problems are named at once.
        """
        return cls._read(text, zone_name, at)

    @classmethod
    def stored(cls, text: str, zone_name: str) -> Self:
        """Read what was accepted before, however long ago.

        Raises:
            ScheduleRefused: it is not understood any more, as when a zone was removed.
        """
        return cls._read(text, zone_name, None)

    @classmethod
    def _read(cls, text: str, zone_name: str, at: datetime | None) -> Self:
        numbered, problems = _read_lines(text)
        zone = ZoneInfo(zone_name) if zone_name in zone_names() else None
        if at is not None:
            for number, line in numbered.items():
                schedule = cls((line.text,), zone or ZoneInfo("UTC"))
                if next(schedule.ticks_between(at, at + _FIVE_YEARS), None) is None:
                    problems.append(f"Line {number}: {_why_never(line)}.")
        if zone is None:
            problems.append(_unknown_zone(zone_name))
        if zone is None or problems:
            raise ScheduleRefused(problems)
        return cls(tuple(dict.fromkeys(line.text for line in numbered.values())), zone)

    @property
    def text(self) -> str:
        """The lines, as `stored` reads them again."""
        return "\n".join(self.lines)

    @property
    def cron_lines(self) -> tuple[CronLine, ...]:
        """The lines, read."""
        return tuple(_read_line(line) for line in self.lines)

    def ticks_after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the ticks after a moment, in order, as they are asked for.

        It ends only where ten years go by without a tick.
        """
        last = moment.astimezone(UTC)
        for tick in merge(*(self._ticks(line, last) for line in self.cron_lines)):
            if tick > last:
                yield tick
                last = tick

    def next_after(self, moment: datetime) -> datetime | None:
        """Give the first tick after a moment; None if ten years have none."""
        return next(self.ticks_after(moment), None)

    def ticks_between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the ticks in after < tick <= until."""
        return takewhile(lambda tick: tick <= until, self.ticks_after(after))

    def moved(self, tick: datetime) -> str:
        """Say in words which times a tick makes up for; "" for a tick at its own time."""
        tick = tick.astimezone(UTC)
        skipped = sorted(
            {
                wall
                for change in self.clock_changes(tick - _MINUTE, tick)
                for line in self.cron_lines
                if change.skips and line.catches_up
                for wall in line.walls_between(*change.walls)
            }
        )
        if not skipped:
            return ""
        shown = tick.astimezone(self.zone).replace(tzinfo=None)
        regular = any(any(line.walls_between(shown, shown + _MINUTE)) for line in self.cron_lines)
        reason = "which the clock change skips"
        if skipped[0].date() == shown.date():
            times, reason = [f"{wall:%H:%M}" for wall in skipped], f"{reason} on this day"
        else:
            times = [f"{wall.day} {wall:%b %H:%M}" for wall in skipped]
        return f"{'also for' if regular else 'moved from'} {in_short(times)}, {reason}"

    def clock_changes(self, after: datetime, until: datetime) -> Iterator[ClockChange]:
        """Yield the changes of the zone's clock in after < change <= until.

        They are looked for a day at a time: no zone ever had two within two days.
        """
        start = after.astimezone(UTC).replace(second=0, microsecond=0)
        until = until.astimezone(UTC)
        while start < until:
            end = min(start + _DAY, until)
            old, new = self._offset(start), self._offset(end)
            if old != new:
                yield ClockChange(self._first_minute(start, end, new), old, new)
            start = end

    def _first_minute(self, start: datetime, end: datetime, offset: timedelta) -> datetime:
        minutes = range((end - start) // _MINUTE)
        number = bisect_left(
            minutes, True, key=lambda number: self._offset(start + number * _MINUTE) == offset
        )
        return start + number * _MINUTE

    def _ticks(self, line: CronLine, after: datetime) -> Iterator[datetime]:
        """Yield what one line names: in order, maybe twice, and little of what is too early."""
        held: list[datetime] = []  # A change across midnight mixes the ticks of two days.
        yesterday = after.astimezone(self.zone).date() - _DAY  # It may come again, in part.
        for day in line.days_from(yesterday):
            start = min(self._midnights(day))
            change = next(self.clock_changes(start, max(self._midnights(day + _DAY))), None)
            if change is None:
                yield from held
                held = []
                yield from (
                    start + t for t in line.times[bisect_right(line.times, after - start) :]
                )
            else:
                ticks = sorted(change.ticks_on(day, line))
                if held and ticks and held[-1] < ticks[0]:
                    yield from held
                    held = []
                held = sorted(held + ticks)
        yield from held

    def _midnights(self, day: date) -> list[datetime]:
        """Give the moments a day may be said to begin: two if it does so twice, or never."""
        midnight = datetime.combine(day, time(), self.zone)
        return [midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).replace(tzinfo=UTC) - moment


def listed(words: Sequence[str], last: str = "and") -> str:
    """Write words as a list in a sentence: a, b and c."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def in_short(words: Sequence[str]) -> str:
    """Write at most four words as a list, and of more only the ends."""
    return listed(words) if len(words) <= 4 else f"{words[0]} to {words[-1]}"


def _read_lines(text: str) -> tuple[dict[int, CronLine], list[str]]:
    """Read the lines which can be read, by their number, and say what is wrong with others."""
    written = {
        number: line
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1)
        if line.strip()
    }
    if not written:
        return {}, ["Write at least one line, such as 0 8 * * *."]
    if len(written) > MAX_LINES:
        return {}, [f"There are {len(written):,} lines; at most {MAX_LINES} are possible."]
    numbered: dict[int, CronLine] = {}
    problems: list[str] = []
    for number, line in written.items():
        if len(line) > MAX_LINE_CHARACTERS:
            problems.append(f"Line {number}: it is longer than {MAX_LINE_CHARACTERS} characters.")
            continue
        try:
            numbered[number] = _read_line(line)
        except CronRefused as error:
            problems += [f"Line {number}: {problem}." for problem in error.problems]
    return numbered, problems


def _why_never(line: CronLine) -> str:
    dates = [(day, month) for day in line.days for month in line.months]
    if any(day <= LONGEST_MONTHS[month - 1] for day, month in dates):
        return "it would not run in the next five years"
    names = [f"{day} {MONTHS[month - 1]}" for day, month in dates]
    return f"there is no {listed(names, 'or')}, so it would never run"


def _unknown_zone(name: str) -> str:
    if not name.strip():
        return "Choose a time zone, such as Europe/Berlin."
    spellings = {zone.rpartition("/")[2].lower(): zone for zone in sorted(zone_names())}
    spellings |= {zone.lower(): zone for zone in zone_names()}
    wanted = name.strip()[:60].lower().replace(" ", "_")
    close = difflib.get_close_matches(wanted, spellings, cutoff=0.75)
    names = list(dict.fromkeys(spellings[spelling] for spelling in close))
    hint = f"did you mean {listed(names, 'or')}?" if names else "an example is Europe/Berlin."
    return f"There is no time zone {quoted(name)}; {hint}"
