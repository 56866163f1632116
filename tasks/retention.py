"""Housekeeping: what is older than its days, or more than its number, is deleted."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from orchestrations.models import Packaging
from orchestrations.retention import delete_old_packagings, delete_unused_environments
from tasks.models import SkippedTicks, TaskRun
from wallaroo_ui.accounts.services import delete_expired
from wallaroo_ui.executions.models import HELD
from wallaroo_ui.executions.retention import delete_finished, delete_homes, delete_orphans
from wallaroo_ui.workspaces import invitations
from wallaroo_ui.workspaces.activity import delete_old_events

logger = logging.getLogger(__name__)

# How much one round deletes of each kind at the most: a job is short, and comes again.
LIMIT = 2000


def clean_up(*, at: datetime) -> dict[str, int]:
    """Delete what is to be kept no longer. Return how much it was, for the log."""
    in_use = TaskRun.objects.filter(status__in=HELD).values_list("environment_name", flat=True)
    deleted = {
        "runs": _delete_old_runs(at=at) + _delete_surplus_runs(),
        "spools": delete_orphans(TaskRun, limit=LIMIT),
        "homes": delete_homes(TaskRun, limit=LIMIT) + delete_homes(Packaging, limit=LIMIT),
        "skipped_ticks": _delete_old_skips(at=at),
        "packagings": delete_old_packagings(at=at, limit=LIMIT),
        "logins": delete_expired(at=at),
        "invitations": invitations.delete_expired(at=at),
        "events": delete_old_events(at=at, limit=LIMIT),
        "environments": delete_unused_environments(in_use=set(in_use)),
    }
    if any(deleted.values()):
        logger.info("cleaned up", extra=deleted)
    return deleted


def _oldest(at: datetime) -> datetime:
    return at - timedelta(days=settings.RUNS_KEPT_DAYS)


def _delete_old_runs(*, at: datetime) -> int:
    return delete_finished(TaskRun.objects.filter(ended_at__lt=_oldest(at)), limit=LIMIT)


def _delete_surplus_runs() -> int:
    most = settings.RUNS_KEPT_PER_TASK
    crowded = (
        TaskRun.objects.finished()
        .values("task")
        .annotate(runs=Count("pk"))
        .filter(runs__gt=most)
        .values_list("task", flat=True)
    )
    count = 0
    for task in crowded:
        runs = TaskRun.objects.filter(task=task)
        surplus = runs.finished().newest_first().values("pk")[most : most + LIMIT]
        keys = [row["pk"] for row in surplus]
        count += delete_finished(runs.filter(pk__in=keys), limit=LIMIT)
        if count >= LIMIT:
            break
    return count


def _delete_old_skips(*, at: datetime) -> int:
    old = SkippedTicks.objects.filter(last_due_at__lt=_oldest(at)).values("pk")[:LIMIT]
    keys = [row["pk"] for row in old]
    return SkippedTicks.objects.filter(pk__in=keys).delete()[0]
