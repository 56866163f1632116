"""The ledger of a scheduled task: what became of each of its ticks, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tasks.models import SkippedTicks, Task, TaskRun
from wallaroo_ui.executions.models import FAILED, Status
from wallaroo_ui.templatetags.display import duration

# A run that starts so soon after its tick is on time.
ON_TIME = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one tick, or of neighbouring ticks.

    Attributes:
        due_at: the tick, or the first of them.
        last_due_at: the last of them, or None where it is one.
        words: such as "ran 4 s late", without the time.
        run: the first attempt, where there is one.
        is_trouble: whether it deserves a second look.
    """

    due_at: datetime
    last_due_at: datetime | None = None
    words: str
    run: TaskRun | None = None
    is_trouble: bool = False


def entries(task: Task, *, at: datetime, count: int = 50) -> list[Entry]:
    """Return what became of the latest ticks of a task, the latest first.

    Args:
        task: a scheduled one.
        at: the present.
        count: how many entries at the most.
    """
    first_attempts = task.runs.filter(due_at__isnull=False, attempt=1).select_related("retry")
    runs = [_of_run(task, run) for run in first_attempts.order_by("-due_at")[:count]]
    skipped = [_of_skipped(task, row) for row in _latest_skips(task, count)]
    found = sorted([*runs, *skipped], key=lambda entry: entry.due_at, reverse=True)
    return [*_open_ticks(task, at=at), *found][:count]


def _latest_skips(task: Task, count: int) -> Iterator[SkippedTicks]:
    rows = SkippedTicks.objects.filter(task=task).select_related("user")
    yield from rows.order_by("-last_due_at")[:count]


def _open_ticks(task: Task, *, at: datetime) -> Iterator[Entry]:
    """Yield what is to be said of the ticks that are not accounted for yet."""
    since = task.next_run_at
    if since is None or since > at:
        return
    if task.is_paused:
        words = f"paused by {task.paused_by or 'somebody'}, and going on"
        yield Entry(due_at=since, words=words)
    elif task.is_active and at - since > ON_TIME:
        yield Entry(due_at=since, words="due, no scheduler has seen it yet", is_trouble=True)


def _of_run(task: Task, run: TaskRun) -> Entry:
    assert run.due_at is not None  # noqa: S101  # Asked for so.
    lateness = run.lateness
    if run.status == Status.QUEUED:
        words = "waits for a free slot"
    elif run.started_at is None:
        words = f"did not start: {run.reason}" if run.is_finished else "is starting"
    elif lateness is not None and lateness > ON_TIME:
        words = f"ran {duration(lateness)} late"
    else:
        words = "ran"
    if run.is_finished and run.started_at is not None and run.status != Status.SUCCESS:
        words += f": {run.get_status_display().lower()}"
    if hasattr(run, "retry"):
        words += ", tried again"
    if moved := _moved(task, run.due_at):
        words += f", {moved}"
    return Entry(due_at=run.due_at, words=words, run=run, is_trouble=run.status in FAILED)


def _of_skipped(task: Task, row: SkippedTicks) -> Entry:
    zone = _zone(task)
    reason = SkippedTicks.Reason(row.reason)
    if reason is SkippedTicks.Reason.OVERLAP:
        words = "skipped, the previous run was still going"
    elif reason is SkippedTicks.Reason.PAUSED:
        words = f"paused by {row.user or 'somebody'}"
    elif row.scheduler_seen_at is not None and row.scheduler_seen_at < row.first_due_at:
        between = (row.scheduler_seen_at.astimezone(zone), row.noticed_at.astimezone(zone))
        same_day = between[0].date() == between[1].date()
        form = "%H:%M" if same_day else "%-d %b %H:%M"
        words = f"missed, no scheduler between {between[0]:{form}} and {between[1]:{form}}"
    else:
        words = f"missed, noticed {duration(row.noticed_at - row.last_due_at)} late"
    is_range = row.count > 1
    return Entry(
        due_at=row.first_due_at,
        last_due_at=row.last_due_at if is_range else None,
        words=f"{row.count:,} ticks {words}" if is_range else words,
        is_trouble=reason is SkippedTicks.Reason.MISSED,
    )


def _zone(task: Task) -> tzinfo:
    try:
        return ZoneInfo(task.time_zone)
    except (KeyError, ValueError):  # The database of time zones has it no more.
        return UTC


def _moved(task: Task, tick: datetime) -> str:
    try:
        return task.cron.moved(tick)
    except ValueError:  # The schedule was edited to one that is not understood any more.
        return ""
