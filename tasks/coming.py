"""What a schedule is about to do, as pages show it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Self
from zoneinfo import ZoneInfo

from tasks.schedule_words import describe, warnings
from tasks.schedules import Schedule

RUNS_SHOWN = 10


@dataclass(frozen=True)
class ComingRun:
    """One tick to come; `note` says where the clock change has moved it from."""

    due_at: datetime
    note: str


@dataclass(frozen=True)
class Preview:
    """A schedule in words, what may surprise in it, and its next runs."""

    words: str
    warnings: list[str]
    runs: list[ComingRun]
    zone: ZoneInfo

    @classmethod
    def of(cls, schedule: Schedule, *, at: datetime) -> Self:
        """Look ahead from a moment."""
        return cls(
            words=describe(schedule),
            warnings=warnings(schedule, at=at),
            runs=coming_runs(schedule, at=at, count=RUNS_SHOWN),
            zone=schedule.zone,
        )


def coming_runs(schedule: Schedule, *, at: datetime, count: int) -> list[ComingRun]:
    """Return the next ticks after a moment."""
    ticks = islice(schedule.ticks_after(at), count)
    return [ComingRun(tick, schedule.moved(tick)) for tick in ticks]
