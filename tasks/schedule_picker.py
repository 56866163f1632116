"""The form's choices of months, days and times of day, written as cron lines and read back."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tasks.cron import quoted, read_line
from tasks.schedules import MAX_LINES, ScheduleRefused

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True)
class Choices:
    """What was chosen; nothing chosen means every one, save for the times.

    Days of the week count from Sunday, 0. Times are those of the clock: "08:30".
    """

    months: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    times: tuple[str, ...] = ()

    def normalised(self) -> "Choices":
        """Put in order what was chosen, each once; all of a kind is none.

        Raises:
            ScheduleRefused: no time is given, or something is out of range.
        """
        problems: list[str] = []
        if not self.times:
            problems.append("Choose at least one time of day.")
        times: set[str] = set()
        for time in self.times:
            if found := _TIME.fullmatch(time.strip()):
                times.add(f"{int(found[1]):02}:{found[2]}")
            else:
                problems.append(
                    f"{quoted(time)} is no time of day; write hours and minutes like 20:00."
                )
        for name, chosen, first, last in (
            ("month", self.months, 1, 12),
            ("day of month", self.days, 1, 31),
            ("day of week", self.weekdays, 0, 6),
        ):
            problems += [
                f"There is no {name} {number}; there are {first} to {last}."
                for number in chosen
                if not first <= number <= last
            ]
        if problems:
            raise ScheduleRefused(problems)
        return Choices(
            months=_some(self.months, 12),
            days=_some(self.days, 31),
            weekdays=_some(self.weekdays, 7),
            times=tuple(sorted(times)),
        )


def lines_for(choices: Choices) -> tuple[str, ...]:
    """Write choices as cron lines: one for the hours which share their minutes.

    Raises:
        ScheduleRefused: no time is given, or something is out of range, or the times are
            too many for one schedule.
    """
    chosen = choices.normalised()
    minutes_of: dict[int, list[int]] = {}
    for time in chosen.times:
        hour, minute = map(int, time.split(":"))
        minutes_of.setdefault(hour, []).append(minute)
    hours_with: dict[str, list[int]] = {}
    for hour, minutes in minutes_of.items():
        hours_with.setdefault(_written(minutes), []).append(hour)
    if len(hours_with) > MAX_LINES:
        raise ScheduleRefused([f"The times need more than {MAX_LINES} lines; choose fewer."])
    days, months, weekdays = map(_written, (chosen.days, chosen.months, chosen.weekdays))
    return tuple(
        f"{minutes} {_written(hours)} {days} {months} {weekdays}"
        for minutes, hours in hours_with.items()
    )


def choices_of(lines: Iterable[str]) -> Choices | None:
    """Read choices from the lines of a schedule; None if the form cannot show what they mean.

    Raises:
        CronRefused: a line is not one of cron.
    """
    read = [read_line(line) for line in lines]
    if len({(line.months, line.days, line.weekdays, line.either) for line in read}) != 1:
        return None
    if any(line.repeats or line.text.startswith("* ") for line in read):
        return None
    line = read[0]
    chosen = Choices(
        months=line.months,
        days=line.days,
        weekdays=line.weekdays,
        times=tuple(
            f"{hour:02}:{minute:02}"
            for line in read
            for hour in line.hours
            for minute in line.minutes
        ),
    ).normalised()
    # Written as numbers, two restricted fields mean either day: stars may have meant both.
    return chosen if line.either == bool(chosen.days and chosen.weekdays) else None


def _some(chosen: tuple[int, ...], all_there_are: int) -> tuple[int, ...]:
    numbers = tuple(sorted(set(chosen)))
    return () if len(numbers) == all_there_are else numbers


def _written(numbers: Sequence[int]) -> str:
    """Write a field: * for every value, and a range for three or more in a row."""
    parts: list[str] = []
    for _, grouped in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in grouped]
        parts += map(str, run) if len(run) < 3 else [f"{run[0]}-{run[-1]}"]
    return ",".join(parts) or "*"
