"""Deleting an orchestration with all that hangs on it: tasks, runs, logs, archives."""

import logging
from functools import partial

from django.db import transaction
from django.db.models import Q, Sum

from orchestrations.models import Orchestration, Packaging, Version
from tasks.models import Kind, Task, TaskRun
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Verb

logger = logging.getLogger(__name__)


class StillInUse(Exception):
    """Something of it is going on, or would start; the text says what to do first."""


def bytes_of(orchestration: Orchestration) -> int:
    """Return how much its archives and the logs of its runs take up."""
    runs = TaskRun.objects.filter(orchestration=orchestration, log_deleted_at=None)
    logs: int = runs.aggregate(bytes=Sum("log_bytes"))["bytes"] or 0
    versions = Version.objects.filter(orchestration=orchestration)
    archives: int = versions.aggregate(bytes=Sum("file_size"))["bytes"] or 0
    return archives + logs


@transaction.atomic
def delete_orchestration(*, orchestration: Orchestration, user: User) -> bool:
    """Delete an orchestration for good. False: it had been deleted already.

    Its row goes at once, with those of its tasks and runs; the logs, which have no owner
    then, with the next housekeeping.

    Raises:
        StillInUse: it is being packaged, a task of it makes runs, or a run goes on.
    """
    locked = Orchestration.objects.locked().filter(pk=orchestration.pk).first()
    if locked is None:
        return False
    if Packaging.objects.filter(version__orchestration=locked).unfinished().exists():
        raise StillInUse(f"{locked} is being packaged. Wait for its end, or stop it.")
    tasks = Task.objects.filter(orchestration=locked)
    # Locked: whoever asks for one more run waits, and then finds no task.
    list(tasks.select_for_update().order_by("pk"))
    going_on = tasks.filter(
        Q(pk__in=TaskRun.objects.filter(task__in=tasks).unfinished().values("task"))
        | Q(state=Task.State.PENDING_KILL)
        | Q(state__in=(Task.State.ACTIVE, Task.State.PAUSED)) & ~Q(kind=Kind.ONCE)
    )
    if task := going_on.first():
        raise StillInUse(f"The task {task} of {locked} still runs, or would. Stop it first.")
    archives = [version.archive for version in locked.versions.all()]
    activity.record(locked.workspace_id, user, Verb.DELETED, locked)
    logger.info(
        "orchestration deleted", extra={"orchestration": str(locked.pk), "user": str(user.pk)}
    )
    locked.delete()
    for archive in archives:
        transaction.on_commit(partial(archive.delete, save=False))
    return True
