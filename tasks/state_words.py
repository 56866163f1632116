"""What a task is doing, and what stopping it would do, in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat

from tasks.models import Kind, Task, TaskRun
from tasks.services import KillPreview
from wallaroo_ui.executions.models import Status
from wallaroo_ui.templatetags.display import duration


@dataclass(frozen=True)
class TaskState:
    """Where a task stands: `name` picks icon and colour, the other two are for people."""

    name: str
    label: str
    note: str = ""


def state_of(task: Task, *, at: datetime) -> TaskState:
    """Say what a task is doing at a moment; free of a query after `with_last_run`."""
    if task.state == Task.State.KILLED:
        return TaskState("killed", "Stopped", _by(task.killed_by, task.killed_at, at))
    if task.state == Task.State.PENDING_KILL:
        return TaskState("pending_kill", "Stopping", "Its last runs are ending.")
    if task.is_paused:
        return TaskState("paused", "Paused", _by(task.paused_by, task.paused_at, at))
    if task.schedule_error:
        return TaskState("broken", "Makes no more runs", task.schedule_error)
    if task.kind == Kind.SCHEDULED:
        return TaskState("active", "Active", _next_run(task, at))
    return _state_by_run(task, task.last_run, at)


def _state_by_run(task: Task, run: TaskRun | None, at: datetime) -> TaskState:
    if run is None:
        return TaskState("active", "Active")
    if task.kind == Kind.ONCE:
        if run.is_finished:
            return TaskState("finished", "Finished", "Its run has ended.")
        return TaskState(run.status, run.get_status_display(), waiting_reason(run, at=at))
    if task.quick_failures and run.status == Status.QUEUED:
        count = task.quick_failures
        failures = f"{count} runs in a row" if count > 1 else "Its last run"
        words = f"{_next_try(run, at)}. {failures} failed at once."
        return TaskState("crash_loop", "Crash loop", words)
    if run.duration is not None and not run.is_finished:
        words = f"Its run has been going on for {duration(run.duration)}."
        return TaskState("active", "Active", words)
    return TaskState("active", "Active", "Its next run is about to start.")


def waiting_reason(run: TaskRun, *, at: datetime) -> str:
    """Say what a queued run waits for, apart from room."""
    if run.status != Status.QUEUED or run.not_before is None or run.not_before <= at:
        return ""
    return f"{_next_try(run, at)}."


def _next_try(run: TaskRun, at: datetime) -> str:
    wait = max((run.not_before or at) - at, timedelta(0))
    is_again = run.retry_of_id is not None or run.task.quick_failures > 0
    verb = "Next try" if is_again else "Starts"
    return f"{verb} in {duration(round(wait.total_seconds()))}" if wait else f"{verb} now"


def _next_run(task: Task, at: datetime) -> str:
    if task.next_run_at is None:
        return "Its schedule has no more times."
    if task.next_run_at <= at:
        return "A run is due now."
    return f"Next run in {duration(round((task.next_run_at - at).total_seconds()))}."


def _by(person: object, then: datetime | None, at: datetime) -> str:
    ago = f", {duration(round((at - then).total_seconds()))} ago" if then else ""
    return f"By {person or 'somebody'}{ago}."


def kill_words(preview: KillPreview) -> list[str]:
    """Say what stopping a task would do, a line each."""
    size = filesizeformat(preview.log_bytes)
    lines = [
        (preview.live, f"stops {_count(preview.live, 'run')}"),
        (preview.ticks, f"cancels {_count(preview.ticks, 'run')} in the coming week"),
        (preview.logs, f"deletes {_count(preview.logs, 'log')}, {size}"),
    ]
    return [words for count, words in lines if count]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
