"""From ticks to runs, and to the ledger of those that made none.

Every tick of a schedule is accounted for exactly once: by a run, or by a row of
`SkippedTicks` that says why there is none.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Max

from tasks.launching import ring_after_commit
from tasks.models import Missed, Overlap, SkippedTicks, Task, TaskRun, Trigger
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Node, Status

logger = logging.getLogger(__name__)

# How many tasks one transaction looks at: SQLite lets nobody else write meanwhile.
BATCH = 100
# How many ticks of one task it looks at; after a long outage the rest follows in the next.
MOST_TICKS = 10_000
# A tick that is noticed later than this was missed.
LATE = timedelta(seconds=60)
MOST_MADE_UP_FOR = 100


@dataclass(frozen=True)
class Decision:
    """What becomes of ticks that are due: the first ones make no run, the others do."""

    skipped: Sequence[datetime]
    runs: Sequence[datetime]


@dataclass(frozen=True)
class Skipped:
    """Neighbouring ticks that make no run."""

    first: datetime
    last: datetime
    count: int


def decide(
    ticks: Sequence[datetime], *, missed: str, deadline: timedelta | None, at: datetime
) -> Decision:
    """Decide by a task's policy which of its due ticks make runs.

    Args:
        ticks: ascending, at least one, none after `at`.
        missed: one of `Missed`.
        deadline: a tick that is older makes no run.
        at: the present.
    """
    wanted = 1
    if missed == Missed.ALL:
        wanted = MOST_MADE_UP_FOR
    elif missed == Missed.SKIP and at - ticks[-1] > LATE:
        wanted = 0
    first = max(0, len(ticks) - wanted)
    while deadline is not None and first < len(ticks) and at - ticks[first] > deadline:
        first += 1
    return Decision(ticks[:first], ticks[first:])


def run_due_ticks(*, at: datetime) -> int:
    """Make the runs of every tick that is due. Any number of clocks may do so at once.

    Returns:
        How many ticks were accounted for.
    """
    count = 0
    while handled := _run_due_batch(at=at):
        count += handled
    return count


@transaction.atomic
def _run_due_batch(*, at: datetime) -> int:
    # Another clock's tasks are passed over; on SQLite the transaction itself keeps it out.
    tasks = list(Task.objects.due(at=at).select_for_update(skip_locked=True)[:BATCH])
    if not tasks:
        return 0
    seen_at = Node.objects.aggregate(seen_at=Max("agent_seen_at"))["seen_at"]
    going_on = _going_on(tasks)
    unrunnable = _unrunnable(tasks)
    runs: list[TaskRun] = []
    count = 0
    for task in tasks:
        try:
            ticks = _advance(task, at=at)
        except Exception as error:  # One that cannot be followed must not stop the others.
            give_up_schedule(task, error)
            logger.exception("schedule cannot be followed", extra={"task": str(task.pk)})
            continue
        count += len(ticks)
        made = _account_for(task, ticks, at=at, seen_at=seen_at, going_on=going_on)
        if task.pk in unrunnable:
            _fail(made, at=at)
        runs += made
    # A tick that has its run already gets no second one.
    TaskRun.objects.bulk_create(runs, ignore_conflicts=True)
    Task.objects.bulk_update(tasks, ["next_run_at", "schedule_error"])
    for run in runs:
        logger.info("run queued", extra={**run.log_context(), "due_at": run.due_at})
    ring_after_commit()
    return count or len(tasks)


def _going_on(tasks: list[Task]) -> set[object]:
    """Return which of the tasks that allow no overlap have a run that goes on."""
    careful = [task.pk for task in tasks if task.overlap == Overlap.SKIP]
    if not careful:
        return set()
    runs = TaskRun.objects.filter(task__in=careful).unfinished()
    return set(runs.values_list("task", flat=True))


def _unrunnable(tasks: list[Task]) -> set[object]:
    """Return which of the tasks have nothing to run: its packaging failed."""
    among = Task.objects.filter(pk__in=[task.pk for task in tasks])
    return set(among.unrunnable().values_list("pk", flat=True))


def _advance(task: Task, *, at: datetime) -> list[datetime]:
    """Return the due ticks of a task, and move it on to the one after them."""
    ticks = list(islice(task.cron.ticks_between(_before(task), at), MOST_TICKS))
    # Where the schedule's time zone was changed by law, the stored tick may be none any more.
    task.next_run_at = task.cron.next_after(ticks[-1] if ticks else at)
    return ticks


def give_up_schedule(task: Task, error: Exception) -> None:
    """Note on a task, which is not saved, that its schedule is not understood any more."""
    task.next_run_at = None
    task.schedule_error = f"Its schedule cannot be followed any more: {error}"


def _before(task: Task) -> datetime:
    """Return the moment after which the ticks of a task are not accounted for."""
    if task.next_run_at is None:
        raise ValueError("It has no next tick.")
    return task.next_run_at - timedelta(microseconds=1)


def _account_for(
    task: Task,
    ticks: list[datetime],
    *,
    at: datetime,
    seen_at: datetime | None,
    going_on: set[object],
) -> list[TaskRun]:
    if not ticks:
        return []
    deadline = task.start_deadline_seconds
    limit = None if deadline is None else timedelta(seconds=deadline)
    decision = decide(ticks, missed=task.missed, deadline=limit, at=at)
    if task.next_run_at is not None and task.next_run_at <= at:
        decision = Decision(ticks, [])  # Newer ones are due as well: these were missed.
    if decision.skipped:
        skipped = Skipped(decision.skipped[0], decision.skipped[-1], len(decision.skipped))
        _skip(task, skipped, SkippedTicks.Reason.MISSED, at=at, seen_at=seen_at)
    runs = []
    for tick in decision.runs:
        if task.overlap == Overlap.SKIP:
            if task.pk in going_on:
                _skip(task, Skipped(tick, tick, 1), SkippedTicks.Reason.OVERLAP, at=at)
                continue
            going_on.add(task.pk)
        runs.append(TaskRun.of(task, trigger=Trigger.SCHEDULE, at=at, due_at=tick))
    return runs


def _fail(runs: list[TaskRun], *, at: datetime) -> None:
    """Let runs that cannot start, and are not saved, have failed."""
    for run in runs:
        run.status, run.ended_at, run.reason = Status.FAILURE, at, run.task.obstacle


def skip_until(task: Task, *, at: datetime, reason: str, user: User | None = None) -> None:
    """Record the ticks of a task up to a moment as skipped; the task itself is not changed."""
    if task.next_run_at is None or task.next_run_at > at:
        return
    first = last = None
    count = 0
    for tick in task.cron.ticks_between(_before(task), at):
        first, last, count = first or tick, tick, count + 1
    if first is not None and last is not None:
        _skip(task, Skipped(first, last, count), reason, at=at, user=user)


def _skip(
    task: Task,
    ticks: Skipped,
    reason: str,
    *,
    at: datetime,
    seen_at: datetime | None = None,
    user: User | None = None,
) -> None:
    """Record ticks that made no run; neighbours with the same reason share a row."""
    last = SkippedTicks.objects.filter(task=task).order_by("-last_due_at").first()
    if (
        last is not None
        and (last.reason, last.user_id) == (reason, user.pk if user else None)
        and task.cron.next_after(last.last_due_at) == ticks.first
    ):
        last.last_due_at, last.count = ticks.last, last.count + ticks.count
        last.noticed_at = at
        last.save(update_fields=["last_due_at", "count", "noticed_at"])
        return
    SkippedTicks.objects.create(
        task=task,
        reason=reason,
        first_due_at=ticks.first,
        last_due_at=ticks.last,
        count=ticks.count,
        user=user,
        scheduler_seen_at=seen_at,
        noticed_at=at,
    )
