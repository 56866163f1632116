"""How a task has been doing: arithmetic over its latest runs.

Nothing here asks the database or the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from wallaroo_ui.executions.models import FAILED, FINISHED, Status

COUNTED = 200


@dataclass(frozen=True)
class RunFact:
    """What history needs to know of a run."""

    pk: UUID
    status: str
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def at(self) -> datetime:
        """Return when it ran; when it was asked for, if it never started."""
        return self.started_at or self.queued_at

    @property
    def is_finished(self) -> bool:
        """Tell whether the verdict is in."""
        return self.status in FINISHED

    @property
    def is_failed(self) -> bool:
        """Tell whether it ended badly, and not because somebody stopped it."""
        return self.status in FAILED

    def duration(self, *, at: datetime) -> timedelta | None:
        """Return how long it ran, or has been running at a moment; None if it never started."""
        if self.started_at is None:
            return None
        # Clocks of two hosts may disagree by a little.
        return max((self.ended_at or at) - self.started_at, timedelta(0))


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How the latest finished runs went.

    Attributes:
        succeeded, failed: how many; a run that somebody stopped is neither.
        p50, p95: of the runs that succeeded, half took at most the first, and 95 of 100 at
            most the second; None where none did.
        last_failure: the latest run that failed, if one of them did.
    """

    succeeded: int
    failed: int
    p50: timedelta | None
    p95: timedelta | None
    last_failure: RunFact | None

    @property
    def counted(self) -> int:
        """Return how many runs the success rate is of."""
        return self.succeeded + self.failed

    @property
    def success_rate(self) -> str:
        """Return the share of runs that succeeded, in percent; empty where there is none.

        It says 100 only where none failed, and 0 only where all did.
        """
        if not self.counted:
            return ""
        percent = round(100 * self.succeeded / self.counted, 1)
        if self.failed:
            percent = min(percent, 99.9)
        if self.succeeded:
            percent = max(percent, 0.1)
        return f"{percent:g} %"

    @classmethod
    def of(cls, runs: Sequence[RunFact]) -> "Statistics":
        """Count the newest finished ones of some runs, which come the newest first."""
        finished = [run for run in runs if run.is_finished][:COUNTED]
        succeeded = [run for run in finished if run.status == Status.SUCCESS]
        failed = [run for run in finished if run.is_failed]
        taken = [
            run.ended_at - run.started_at for run in succeeded if run.started_at and run.ended_at
        ]
        return cls(
            succeeded=len(succeeded),
            failed=len(failed),
            p50=percentile(taken, 50),
            p95=percentile(taken, 95),
            last_failure=failed[0] if failed else None,
        )


def percentile(values: Sequence[timedelta], percent: int) -> timedelta | None:
    """Return the smallest value that so many percent of all do not exceed; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]
