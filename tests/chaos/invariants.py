"""What has to be true whatever happened: asked after each case, of rows, files and processes."""

import re
import time
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils import timezone

from tasks.models import TaskRun, Trigger
from tests.chaos.census import Census, take_census
from tests.chaos.load import expected_lines, log_texts, printed, spools
from tests.chaos.sizes import SIZES
from wallaroo_ui.executions.models import HELD, Status

# How long after a node's lease an unfinished run may be without a supervisor.
SETTLING = timedelta(seconds=30)
# How long what is ended may take to be gone.
GOING_SECONDS = 15.0


def violations(*, at: datetime, over: bool = True) -> list[str]:
    """Return a sentence for everything that is not as it has to be.

    Args:
        at: the present.
        over: whether the case is over, so that nothing may be waiting or going on.
    """
    runs = list(TaskRun.objects.with_relations().order_by("queued_at", "pk"))
    census = take_census()
    found = once_a_tick(runs) + one_after_the_other(runs)
    for run in runs:
        sentences = [
            *ends(run, census, at=at, over=over, others=runs),
            *times(run),
        ]
        if run.log_deleted_at is None:  # With its log, all of its files.
            sentences += [*verdict(run, census), *log(run), *script(run)]
        found += [f"run {run.pk} of task {run.task_id} ({run.status}) {said}" for said in sentences]
    return found + processes(runs, census)


def assert_sound(seconds: float = GOING_SECONDS) -> None:
    """Fail with what is wrong, unless it settles: what is being ended needs a moment to go."""
    until = time.monotonic() + seconds
    while (found := violations(at=timezone.now())) and time.monotonic() < until:
        time.sleep(0.2)
    assert not found, "\n".join(found)


def ends(
    run: TaskRun, census: Census, *, at: datetime, over: bool, others: list[TaskRun]
) -> list[str]:
    """Every run ends; what nobody looks after does not go on for long."""
    if run.is_finished:
        return []
    if over:
        return ["has not ended"]
    age = at - (run.claimed_at or run.queued_at)
    if age <= timedelta(seconds=SIZES.lease_seconds) + SETTLING:
        return []
    if str(run.pk) in census.supervisors:
        return []
    if run.status == Status.QUEUED and any(other.status in HELD for other in others):
        return []  # It waits for a slot.
    return [f"has had no supervisor for {age.total_seconds():.0f} s"]


def once_a_tick(runs: list[TaskRun]) -> list[str]:
    """What makes a run makes one, and each attempt at it one more: a tick, or a new task."""
    causes = Counter(
        (run.task_id, run.due_at, run.attempt)
        for run in runs
        if run.due_at is not None or run.trigger == Trigger.TASK
    )
    return [
        f"task {task} has {count} runs for its tick at {due_at}, attempt {attempt}"
        for (task, due_at, attempt), count in causes.items()
        if count > 1
    ]


def one_after_the_other(runs: list[TaskRun]) -> list[str]:
    """A continuous task has one run at a time."""
    spans = sorted(
        (str(run.task_id), run.started_at, run.ended_at, str(run.pk))
        for run in runs
        if run.trigger == Trigger.CONTINUOUS and run.started_at and run.ended_at
    )
    return [
        f"run {later} of continuous task {task} started before {earlier} had ended"
        for (task, _, ended_at, earlier), (same, started_at, _, later) in pairwise(spans)
        if task == same and started_at < ended_at
    ]


def times(run: TaskRun) -> list[str]:
    """Nothing starts before it was asked for, or ends before it started."""
    stages = [run.queued_at, run.started_at, run.ended_at]
    known = [stage for stage in stages if stage is not None]
    if known != sorted(known):
        return [f"has its times in a wrong order: {[stage.isoformat() for stage in known]}"]
    return []


def verdict(run: TaskRun, census: Census) -> list[str]:
    """The row says what the supervisor said, unless the run had been given up."""
    if run.status == Status.LOST:
        return []
    written = run.spool.verdict()
    if not run.is_finished:
        return []
    if written is None:
        # The agent ends what its supervisor does not, and ends the supervisor with it.
        by_agent = run.status in {Status.TIMED_OUT, Status.KILLED}
        if run.started_at is None or (by_agent and str(run.pk) not in census.supervisors):
            return []
        return ["has no verdict.json"]
    said = (written.status, written.started_at, written.ended_at, written.exit_code)
    recorded = (run.status, run.started_at, run.ended_at, run.exit_code)
    return [f"was recorded as {recorded}, its supervisor said {said}"] if said != recorded else []


def log(run: TaskRun) -> list[str]:
    """A run that started and ended has a log, and its last line is the verdict."""
    if run.started_at is None or not run.is_finished:
        return []
    lines = log_texts(run.spool)
    if not lines:
        return ["has no log"]
    # A lost one's supervisor may have died without a word, or gone on without being heard.
    if run.status != Status.LOST and not re.match(rf"WALLAROO: {run.status}\b", lines[-1]):
        return [f"has a log that ends with {lines[-1]!r}"]
    return []


def script(run: TaskRun) -> list[str]:
    """The script of a run is carried out once, and each of its lines is kept, in order."""
    expected = expected_lines(run)
    if expected is None:
        return []
    kept = [line for spool in spools(run) for line in printed(spool)]
    begins = kept.count(expected[0])
    if begins > 1 or (begins == 0 and run.status == Status.SUCCESS):
        return [f"had its script started {begins} times"]
    if run.status == Status.SUCCESS and kept != expected:
        return [f"printed {len(expected)} lines, and {len(kept)} were kept: {kept}"]
    # What was ended in the middle got as far as it got.
    if run.status not in {Status.FAILURE, Status.SUCCESS} and kept != expected[: len(kept)]:
        return [f"has lines missing: {kept}"]
    if run.status == Status.FAILURE and run.signal_name and kept != expected[: len(kept)]:
        return [f"has lines missing: {kept}"]
    return []


def processes(runs: list[TaskRun], census: Census) -> list[str]:
    """Processes and rows agree on what is going on."""
    unfinished = {str(run.pk) for run in runs if not run.is_finished}
    found = []
    for kind, by_run in (("supervisor", census.supervisors), ("user process", census.code)):
        for run, living in by_run.items():
            pids = ", ".join(str(process.pid) for process in living)
            if run not in unfinished:
                found.append(f"run {run} is over, and a {kind} of it lives: pid {pids}")
            if kind == "supervisor" and len(living) > 1:
                found.append(f"run {run} has more than one {kind}: pids {pids}")
    found += [
        f"run {run.pk} counts as running, and no supervisor of it lives"
        for run in runs
        if run.status == Status.RUNNING and str(run.pk) not in census.supervisors
    ]
    return found
