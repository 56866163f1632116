"""What follows the end of a run: a retry, the next run of a continuous task, nothing."""

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from tasks.launching import ring_after_commit
from tasks.models import Task, TaskRun, Trigger
from tasks.stopping import conclude_kill_after_commit
from wallaroo_ui.executions.models import FAILED

logger = logging.getLogger(__name__)

LONGEST_BACKOFF = timedelta(seconds=60)
# Even where nothing fails, a continuous task's runs begin this far apart.
PACE = timedelta(seconds=1)


def succeed(run: TaskRun) -> None:
    """Make the run that follows one that has ended; in the transaction that records its end."""
    ring_after_commit()  # A slot is free.
    task = Task.objects.select_for_update().get(pk=run.task_id)
    if task.state == Task.State.PENDING_KILL:
        conclude_kill_after_commit()
    if not task.is_active:
        return
    ended_at = run.ended_at or timezone.now()
    if run.trigger == Trigger.CONTINUOUS:
        _start_next(task, run, at=ended_at)
    elif may_retry(task, run):
        _retry(task, run, at=ended_at)


def _start_next(task: Task, run: TaskRun, *, at: datetime) -> None:
    task.quick_failures = task.quick_failures + 1 if run.was_quick_failure else 0
    task.save(update_fields=["quick_failures"])
    if task.quick_failures:
        not_before = at + backoff(task.quick_failures)
    else:
        not_before = max(at, (run.started_at or at) + PACE)
    following = TaskRun.of(task, trigger=Trigger.CONTINUOUS, at=at, not_before=not_before)
    following.save()
    logger.info("run queued", extra={**following.log_context(), "not_before": not_before})


def backoff(quick_failures: int) -> timedelta:
    """Return how long a continuous task waits after so many quick failures: 1, 2, 4 .. 60 s."""
    return min(timedelta(seconds=2 ** min(quick_failures - 1, 10)), LONGEST_BACKOFF)


def may_retry(task: Task, run: TaskRun) -> bool:
    """Tell whether a run that ended is tried again.

    What a person stopped is not; nor what no retry can help: a failed packaging, and a start
    deadline that is over.
    """
    too_late = (
        run.started_at is None
        and run.start_by is not None
        and run.ended_at is not None
        and run.ended_at >= run.start_by
    )
    return (
        run.status in FAILED
        and run.attempt <= task.retries
        and not too_late
        and not TaskRun.objects.filter(pk=run.pk).unrunnable().exists()
    )


def _retry(task: Task, run: TaskRun, *, at: datetime) -> None:
    not_before = at + task.retry_delay(attempt=run.attempt)
    retry = TaskRun.of(
        task,
        trigger=Trigger(run.trigger),
        at=at,
        requested_by=run.requested_by,
        version_id=run.version_id,
        due_at=run.due_at,
        attempt=run.attempt + 1,
        retry_of=run,
        not_before=not_before,
        arguments_json=run.arguments_json,
        timeout_seconds=run.timeout_seconds,
    )
    retry.save()
    logger.info(
        "retry queued",
        extra={**retry.log_context(), "attempt": retry.attempt, "not_before": not_before},
    )
