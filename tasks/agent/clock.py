"""The clock: makes due ticks into runs, and knows when to look again."""

from datetime import datetime, timedelta

from django.db.models import Min

from tasks.models import Task, TaskRun
from tasks.ticks import run_due_ticks
from wallaroo_ui.executions.models import Status

LOOK_EVERY = timedelta(seconds=1)
# What is due and in other hands at this moment is looked at again after so long.
LOOK_AGAIN = timedelta(seconds=0.1)


class Clock:
    """One of any number: what one has made a run of, the others find done."""

    def __init__(self) -> None:
        self.look_at: datetime | None = None

    def step(self, *, at: datetime) -> bool:
        """Make the runs that are due, if it is time to look: once a second, and when one is.

        Returns:
            Whether it looked.
        """
        # The system's clock may have been put back: then `look_at` is far ahead.
        if self.look_at is not None and self.look_at - LOOK_EVERY <= at < self.look_at:
            return False
        run_due_ticks(at=at)
        event = next_event(at=at) or at + LOOK_EVERY
        # A task that another clock has locked is passed over, and is still due.
        self.look_at = min(at + LOOK_EVERY, event if event > at else at + LOOK_AGAIN)
        return True

    def seconds_to_wait(self, *, at: datetime) -> float:
        """Return how long nothing is due."""
        if self.look_at is None:
            return 0.0
        return max(0.0, min((self.look_at - at).total_seconds(), LOOK_EVERY.total_seconds()))


def next_event(*, at: datetime) -> datetime | None:
    """Return when the next tick is due, or the next run that waits for its time may start."""
    tick = Task.objects.filter(state=Task.State.ACTIVE, next_run_at__isnull=False).aggregate(
        at=Min("next_run_at")
    )["at"]
    waiting = TaskRun.objects.filter(status=Status.QUEUED, not_before__gt=at).aggregate(
        at=Min("not_before")
    )["at"]
    return min((moment for moment in (tick, waiting) if moment is not None), default=None)
