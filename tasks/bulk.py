"""One thing asked of many tasks or runs at once.

Each is asked on its own: what cannot be done for one is said, and stops none of the others.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum, TextChoices

from tasks import services
from tasks.models import Kind, Task, TaskRun
from tasks.services import KillPreview

if TYPE_CHECKING:
    from wallaroo_ui.accounts.models import User

ThingT = TypeVar("ThingT", Task, TaskRun)


class Action(TextChoices):
    """What can be asked; the label says it of those for which it was done."""

    RUN = "run", "asked to run"
    PAUSE = "pause", "paused"
    RESUME = "resume", "resumed"
    STOP = "stop", "stopped for good"


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        done: how many it was done for.
        left: for which it was not, each with the reason in words.
    """

    done: int
    left: list[tuple[str, str]]


def concerned_by(action: str) -> QuerySet[Task]:
    """Return the tasks that an action means where a whole workload is selected.

    What ran once and is done has nothing to be stopped, and is not paused at all.
    """
    tasks: QuerySet[Task] = Task.objects.not_ended()
    if action == Action.STOP:
        going_on = Exists(TaskRun.objects.filter(task=OuterRef("pk")).unfinished())
        return tasks.filter(~Q(kind=Kind.ONCE) | going_on)
    return tasks.exclude(kind=Kind.ONCE) if action in {Action.PAUSE, Action.RESUME} else tasks


def act_on_tasks(tasks: Iterable[Task], *, action: Action, user: "User", at: datetime) -> Outcome:
    """Ask the same of tasks that `user` may change."""
    act = _ACTS[action]
    return _each(tasks, lambda task: act(task, user, at))


def stop_runs(runs: Iterable[TaskRun], *, user: "User", at: datetime) -> Outcome:
    """End runs of tasks that `user` may change."""

    def stop(run: TaskRun) -> str:
        return "" if services.stop_run(run=run, user=user, at=at) else "it has ended, or is ending"

    return _each(runs, stop)


def preview_stop(tasks: Sequence[Task]) -> KillPreview:
    """Say what stopping tasks would do to their runs and logs."""
    runs = TaskRun.objects.filter(task__in=tasks)
    kept = runs.finished().filter(log_deleted_at=None, log_bytes__gt=0)
    logs = kept.aggregate(count=Count("pk"), bytes=Sum("log_bytes"))
    return KillPreview(
        live=runs.unfinished().count(), ticks=0, logs=logs["count"], log_bytes=logs["bytes"] or 0
    )


def _each(things: Iterable[ThingT], act: Callable[[ThingT], str]) -> Outcome:
    done, left = 0, []
    for thing in things:
        if reason := act(thing):
            left.append((str(thing), reason))
        else:
            done += 1
    return Outcome(done, left)


# Each returns why it could not be done; nothing if it was.


def _run(task: Task, user: "User", at: datetime) -> str:
    try:
        services.run_again(task=task, user=user, at=at)
    except services.NotRunnable as refusal:
        return str(refusal)
    return ""


def _pause(task: Task, user: "User", at: datetime) -> str:
    done = services.pause_task(task=task, user=user, at=at)
    return "" if done else "It makes no runs by itself, or none any more."


def _resume(task: Task, user: "User", at: datetime) -> str:
    return "" if services.resume_task(task=task, user=user, at=at) else "It is not paused."


def _stop(task: Task, user: "User", at: datetime) -> str:
    return "" if services.kill_task(task=task, user=user, at=at) else "It had been stopped already."


_ACTS: Final[dict[Action, Callable[[Task, "User", datetime], str]]] = {
    Action.RUN: _run,
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.STOP: _stop,
}
