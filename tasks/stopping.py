"""The end of a task that is being stopped: its last runs, then its logs."""

import logging
from datetime import datetime

from django.db import transaction
from django_q.tasks import async_task

from tasks.models import Task, TaskRun
from wallaroo_ui.executions import services as executions

logger = logging.getLogger(__name__)

BATCH = 100


def conclude_kill_after_commit() -> None:
    """Have the kills concluded that can be, once what this transaction changed can be seen."""
    transaction.on_commit(lambda: async_task("tasks.jobs.conclude_kills"))


def conclude_kills(*, at: datetime) -> int:
    """Bring every task that is being stopped to its end, as far as its runs let it.

    May be called at any time, by anybody: whatever was left halfway is done.

    Returns:
        How many tasks are stopped now.
    """
    count = 0
    for task in Task.objects.filter(state=Task.State.PENDING_KILL).select_related("killed_by"):
        live = list(TaskRun.objects.filter(task=task).unfinished().with_relations())
        for run in live:
            if run.may_stop:
                reason = f"Its task was stopped by {task.killed_by or 'somebody'}."
                executions.request_stop(run, reason=reason, at=at)
        if not TaskRun.objects.filter(task=task).unfinished().exists():
            _delete_logs(task, at=at)
            count += Task.objects.filter(pk=task.pk, state=Task.State.PENDING_KILL).update(
                state=Task.State.KILLED, killed_at=at, updated_at=at
            )
            logger.info("task stopped", extra={"task": str(task.pk)})
    return count


def _delete_logs(task: Task, *, at: datetime) -> None:
    """Delete the logs of a task's runs, as the specification demands; the runs stay."""
    while runs := list(TaskRun.objects.filter(task=task, log_deleted_at=None)[:BATCH]):
        for run in runs:
            for spool in run.all_spools:
                spool.remove()
        TaskRun.objects.filter(pk__in=[run.pk for run in runs]).update(
            log_deleted_at=at, log_tail=""
        )
