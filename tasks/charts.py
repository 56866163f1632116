"""Drawings of a task's history: where each bar and cell goes. The templates make SVG of it.

Sideways everything is in percent, so that a drawing fits every screen and its words keep
their size; up and down it is in pixels. Nothing here asks the database or the clock.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import ceil, log
from statistics import median

from tasks.statistics import RunFact
from wallaroo_ui.executions.models import Status
from wallaroo_ui.templatetags.display import duration

# -- Durations: a bar a run -----------------------------------------------------------------

BARS = 50
FEWEST_SLOTS = 25  # So that a single bar is no wall.
CHART_HEIGHT = 190
# Above the highest bar there is room for its mark.
BARS_TOP = 18
LEAST_HEIGHT = 2.0
BAR_SHARE = 0.72
# Where one run took so many times longer than most, an even scale would flatten the rest.
UNEVEN = 20

SECONDS = 1.0
MINUTES = 60.0
HOURS = 3600.0
DAYS = 86_400.0
EVEN_STEPS = (
    *(SECONDS * step for step in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)),
    *(MINUTES * step for step in (1, 2, 5, 10, 15, 30)),
    *(HOURS * step for step in (1, 2, 3, 6, 12)),
    *(DAYS * step for step in (1, 2, 5, 10, 20, 50, 100)),
)
UNEVEN_STEPS = (0.1, SECONDS, 10, MINUTES, 10 * MINUTES, HOURS, 6 * HOURS, DAYS, 10 * DAYS)
MOST_LINES = 4


@dataclass(frozen=True)
class Bar:
    """One run. `x` and `width` are percent, `y` and `height` pixels; `mark` is for its sign."""

    run: RunFact
    x: str
    mark_x: str
    width: str
    y: str
    mark_y: str
    height: str
    words: str
    label: str


@dataclass(frozen=True)
class Line:
    """A duration on the scale."""

    y: str
    label: str


@dataclass(frozen=True)
class DurationChart:
    """How long the latest runs took, the oldest first."""

    bars: list[Bar]
    lines: list[Line]
    is_uneven: bool
    statuses: list[tuple[str, str, int]]
    height: int = CHART_HEIGHT

    @classmethod
    def of(cls, runs: Sequence[RunFact], *, at: datetime) -> "DurationChart":
        """Draw the newest of some runs that have begun or ended; they come the newest first."""
        shown = [run for run in runs if run.status != Status.QUEUED][:BARS][::-1]
        scale = _Scale.of([_seconds(run, at) for run in shown])
        slot = 100 / max(len(shown), FEWEST_SLOTS)
        counts = Counter(run.status for run in shown)
        return cls(
            bars=[_bar(run, number * slot, slot, scale, at) for number, run in enumerate(shown)],
            lines=scale.lines(),
            is_uneven=scale.is_uneven,
            statuses=[
                (status.value, status.label, counts[status]) for status in Status if counts[status]
            ],
        )


def _seconds(run: RunFact, at: datetime) -> float:
    taken = run.duration(at=at)
    return taken.total_seconds() if taken is not None else 0.0


def _bar(run: RunFact, left: float, slot: float, scale: "_Scale", at: datetime) -> Bar:
    height = max(scale.height(_seconds(run, at)), LEAST_HEIGHT)
    top = CHART_HEIGHT - height
    taken = run.duration(at=at)
    label = Status(run.status).label
    if taken is None:
        words = "did not start" if run.is_finished else "has not begun"
    elif run.is_finished:
        words = duration(taken)
    else:
        words = f"{duration(taken)} so far"
    return Bar(
        run=run,
        x=f"{left + slot * (1 - BAR_SHARE) / 2:.2f}%",
        mark_x=f"{left + slot / 2:.2f}%",
        width=f"{slot * BAR_SHARE:.2f}%",
        y=f"{top:.1f}",
        mark_y=f"{top - 9:.1f}",
        height=f"{height:.1f}",
        words=words,
        label=label,
    )


@dataclass(frozen=True)
class _Scale:
    """How high a duration stands."""

    least: float
    most: float
    is_uneven: bool

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "_Scale":
        known = [each for each in seconds if each > 0] or [1.0]
        most = max(known)
        is_uneven = most > UNEVEN * median(known)
        # A tenth of the shortest still stands out from nothing.
        return cls(least=min(known) / 2, most=most, is_uneven=is_uneven)

    def height(self, seconds: float) -> float:
        room = CHART_HEIGHT - BARS_TOP
        if seconds <= 0:
            return 0.0
        if self.is_uneven:
            return room * log(max(seconds / self.least, 1.0)) / log(self.most / self.least)
        return room * seconds / self.most

    def lines(self) -> list[Line]:
        if self.is_uneven:
            marks = [step for step in UNEVEN_STEPS if self.least < step <= self.most]
        else:
            fits = (step for step in EVEN_STEPS if self.most / step <= MOST_LINES)
            step = next(fits, self.most / MOST_LINES)
            marks = [step * number for number in range(1, int(self.most / step) + 1)]
        return [Line(f"{CHART_HEIGHT - self.height(mark):.1f}", duration(mark)) for mark in marks]


# -- A calendar: a column a day, a row an hour ----------------------------------------------

DAYS_SHOWN = 28
HOUR_HEIGHT = 9
LEVELS = 4
SATURDAY = 5


@dataclass(frozen=True)
class Cell:
    """One hour of one day in which something ran, or which the clock left out."""

    x: str
    mark_x: str
    y: int
    mark_y: float
    level: int
    runs: int
    failed: int
    words: str


@dataclass(frozen=True)
class Day:
    """One column."""

    date: date
    x: str
    is_weekend: bool
    runs: int
    failed: int
    failed_hours: str


@dataclass(frozen=True)
class Calendar:
    """How many runs there were in each hour of the last weeks, by the clock of a zone."""

    days: list[Day]
    cells: list[Cell]
    skipped: list[Cell]
    cell_width: str
    height: int = 24 * HOUR_HEIGHT
    cell_height: int = HOUR_HEIGHT - 1

    @property
    def weeks(self) -> list[date]:
        """Return the first day of each week shown."""
        return [day.date for day in self.days[::7]]

    @property
    def busy_days(self) -> list[Day]:
        """Return the days on which something ran, the latest first."""
        return [day for day in reversed(self.days) if day.runs]

    @classmethod
    def of(cls, runs: Sequence[RunFact], *, at: datetime, zone: tzinfo) -> "Calendar":
        """Draw the weeks that end with the present day."""
        today = at.astimezone(zone).date()
        first = today - timedelta(days=DAYS_SHOWN - 1)
        counts: Counter[tuple[date, int]] = Counter()
        failures: Counter[tuple[date, int]] = Counter()
        for run in runs:
            wall = run.at.astimezone(zone)
            if run.status != Status.QUEUED and first <= wall.date() <= today:
                counts[wall.date(), wall.hour] += 1
                failures[wall.date(), wall.hour] += run.is_failed
        most = max(counts.values(), default=1)
        width = 100 / DAYS_SHOWN
        days: list[Day] = []
        cells: list[Cell] = []
        skipped: list[Cell] = []
        for number in range(DAYS_SHOWN):
            day = first + timedelta(days=number)
            days.append(_day(day, number * width, counts, failures))
            for hour in range(24):
                count, failed = counts[day, hour], failures[day, hour]
                kind = _clock(day, hour, zone)
                if not count and kind != "skipped":
                    continue
                cell = Cell(
                    x=f"{number * width + width * 0.06:.2f}%",
                    mark_x=f"{(number + 0.5) * width:.2f}%",
                    y=hour * HOUR_HEIGHT,
                    mark_y=(hour + 0.5) * HOUR_HEIGHT - 0.5,
                    level=ceil(LEVELS * count / most),
                    runs=count,
                    failed=failed,
                    words=_cell_words(day, hour, count, failed, kind),
                )
                (cells if count else skipped).append(cell)
        return cls(days=days, cells=cells, skipped=skipped, cell_width=f"{width * 0.88:.2f}%")


def _day(
    day: date, left: float, counts: Counter[tuple[date, int]], failures: Counter[tuple[date, int]]
) -> Day:
    bad = [hour for hour in range(24) if failures[day, hour]]
    return Day(
        date=day,
        x=f"{left:.2f}%",
        is_weekend=day.weekday() >= SATURDAY,
        runs=sum(counts[day, hour] for hour in range(24)),
        failed=sum(failures[day, hour] for hour in range(24)),
        failed_hours=", ".join(f"{hour:02d}:00" for hour in bad),
    )


def _clock(day: date, hour: int, zone: tzinfo) -> str:
    """Tell whether a zone's clock leaves an hour out, shows it twice, or once as usual."""
    wall = datetime.combine(day, time(hour), zone)
    if wall.astimezone(UTC).astimezone(zone).hour != hour:
        return "skipped"
    later = wall.replace(minute=59, fold=1)
    is_twice = later.utcoffset() != later.replace(fold=0).utcoffset()
    return "twice" if is_twice else "once"


def _cell_words(day: date, hour: int, count: int, failed: int, kind: str) -> str:
    when = f"{day:%a} {day.day} {day:%b}, {hour:02d}:00 to {(hour + 1) % 24:02d}:00"
    if kind == "skipped" and not count:
        return f"{when}: the clock was put forward, this hour did not exist"
    runs = f"{count:,} run{'' if count == 1 else 's'}"
    twice = " (this hour came twice)" if kind == "twice" else ""
    return f"{when}{twice}: {runs}, {f'{failed:,} failed' if failed else 'none failed'}"
