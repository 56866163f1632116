"""Editing, pausing, stopping and running tasks again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tasks import ledger, services, stopping
from tasks.models import SkippedTicks, Task, TaskRun
from tasks.schedules import Schedule
from tasks.services import NotRunnable, TaskSettings
from tasks.ticks import run_due_ticks
from tests.factories import (
    NOON,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    make_version,
    start_task,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.spool import Verdict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def ann() -> User:
    return make_user("ann")


def cron(text: str, zone: str = "UTC") -> Schedule:
    return Schedule.parse(text, zone, at=NOON)


def scheduled(text: str = "* * * * *", **wanted: Any) -> Task:
    return start_task(kind="scheduled", schedule=cron(text), at=NOON, **wanted)


def write_log(run: TaskRun, lines: int = 3) -> None:
    run.spool.create()
    run.spool.log.write_bytes(b"2026-03-01T12:00:00.000000000Z stdout F line\n" * lines)


def words(task: Task, at: datetime) -> list[str]:
    return [f"{entry.due_at:%H:%M} {entry.words}" for entry in ledger.entries(task, at=at)]


# -- Making and editing ----------------------------------------------------------------


def test_a_scheduled_task_waits_for_its_first_tick() -> None:
    task = scheduled("0 13 * * *")
    assert task.next_run_at == NOON + HOUR
    assert not task.runs.exists()


def test_an_edit_counts_from_now_on_and_never_runs_the_past(ann: User) -> None:
    task = scheduled("0 * * * *")
    run_due_ticks(at=NOON + HOUR)
    wanted = TaskSettings(
        name="other", timeout_seconds=7, arguments_json='{"b": 2}', schedule=cron("*/30 * * * *")
    )

    task = services.edit_task(
        user=make_user(), task=task, wanted=wanted, at=NOON + HOUR + 10 * MINUTE
    )

    assert (task.name, task.next_run_at) == ("other", NOON + HOUR + 30 * MINUTE)
    run = task.runs.get()
    assert (run.arguments_json, run.timeout_seconds) == ("{}", 60)
    run_due_ticks(at=NOON + HOUR + 30 * MINUTE)
    assert task.runs.filter(arguments_json='{"b": 2}').exists()


def test_an_edit_of_the_name_leaves_the_next_tick_alone() -> None:
    task = scheduled("0 * * * *")
    wanted = TaskSettings(name="other", timeout_seconds=60, schedule=cron("0 * * * *"))
    late = NOON + 3 * HOUR  # No clock has run meanwhile: its ticks are not lost.

    task = services.edit_task(user=make_user(), task=task, wanted=wanted, at=late)

    assert task.next_run_at == NOON + HOUR


@pytest.mark.parametrize("state", [Task.State.ACTIVE, Task.State.PAUSED])
def test_a_schedule_that_cannot_be_read_any_more_can_be_replaced(state: str) -> None:
    task = make_task(
        kind="scheduled",
        schedule="0 * * * *",
        time_zone="Nowhere/Gone",
        next_run_at=NOON,
        state=state,
    )
    wanted = TaskSettings(name="x", timeout_seconds=60, schedule=cron("0 * * * *"))

    task = services.edit_task(user=make_user(), task=task, wanted=wanted, at=NOON)

    assert (task.time_zone, task.next_run_at) == ("UTC", NOON + HOUR)


def test_a_schedule_that_could_not_be_followed_goes_on_when_it_is_saved_again() -> None:
    task = scheduled("0 * * * *")
    Task.objects.update(next_run_at=None, schedule_error="No such zone.")
    wanted = TaskSettings(name="x", timeout_seconds=60, schedule=cron("0 * * * *"))

    task = services.edit_task(user=make_user(), task=task, wanted=wanted, at=NOON)

    assert (task.next_run_at, task.schedule_error) == (NOON + HOUR, "")


def test_ticks_that_nobody_saw_before_a_new_schedule_are_recorded() -> None:
    task = scheduled("0 * * * *")
    wanted = TaskSettings(name="x", timeout_seconds=60, schedule=cron("0 0 * * *"))

    services.edit_task(user=make_user(), task=task, wanted=wanted, at=NOON + 2 * HOUR)

    row = SkippedTicks.objects.get()
    assert (row.reason, row.count) == ("missed", 2)


def test_what_is_stopped_cannot_be_edited_or_run(ann: User) -> None:
    task = make_task(state=Task.State.KILLED)
    with pytest.raises(NotRunnable, match="stopped for good"):
        services.edit_task(
            user=make_user(), task=task, wanted=TaskSettings(name="x", timeout_seconds=1), at=NOON
        )
    with pytest.raises(NotRunnable, match="stopped for good"):
        services.run_again(task=task, user=ann, at=NOON)


# -- Pause and resume ------------------------------------------------------------------


def test_a_pause_is_told_in_the_ledger_and_not_made_up_for(ann: User) -> None:
    task = scheduled()
    run_due_ticks(at=NOON + MINUTE)
    services.pause_task(task=task, user=ann, at=NOON + MINUTE)
    run_due_ticks(at=NOON + 4 * MINUTE)
    task.refresh_from_db()
    assert words(task, NOON + 4 * MINUTE)[0] == f"12:02 paused by {ann}, and going on"

    services.resume_task(task=task, at=NOON + 4 * MINUTE)
    run_due_ticks(at=NOON + 5 * MINUTE)

    task.refresh_from_db()
    assert words(task, NOON + 5 * MINUTE) == [
        "12:05 waits for a free slot",
        f"12:02 3 ticks paused by {ann}",
        "12:01 waits for a free slot",
    ]


# -- Run again -------------------------------------------------------------------------


def test_a_task_runs_again_with_its_arguments_or_others(ann: User) -> None:
    task = make_task(arguments={"a": 1})

    same = services.run_again(task=task, user=ann, at=NOON)
    other = services.run_again(task=task, user=ann, at=NOON, arguments_json='{"a": 2}')

    assert (same.arguments_json, other.arguments_json) == ('{"a": 1}', '{"a": 2}')
    assert (same.trigger, same.requested_by) == ("person", ann)
    task.refresh_from_db()
    assert task.arguments == {"a": 1}


def test_running_a_continuous_task_again_ends_its_waiting(ann: User) -> None:
    task = start_task(kind="continuous", at=NOON)
    TaskRun.objects.update(not_before=NOON + MINUTE)

    run = services.run_again(task=task, user=ann, at=NOON)

    assert (run, run.not_before) == (task.runs.get(), None)
    assert (run.requested_by, run.acts_for) == (ann, ann)
    TaskRun.objects.update(status=Status.RUNNING, node=make_node())
    with pytest.raises(NotRunnable, match="one at a time"):
        services.run_again(task=task, user=ann, at=NOON)


def test_nothing_runs_again_whose_packaging_failed(ann: User) -> None:
    task = make_task(make_orchestration(status="error"))
    with pytest.raises(NotRunnable, match="Package it again"):
        services.run_again(task=task, user=ann, at=NOON)


# -- Stopping --------------------------------------------------------------------------


def test_a_stop_keeps_new_runs_from_that_moment_and_ends_the_live_ones(ann: User) -> None:
    task = scheduled()
    waits, runs = make_run(task), make_run(task, status=Status.RUNNING, node=make_node())

    assert services.kill_task(task=task, user=ann, at=NOON)

    task.refresh_from_db()
    assert (task.state, task.next_run_at) == (Task.State.PENDING_KILL, None)
    run_due_ticks(at=NOON + HOUR)
    assert task.runs.count() == 2
    waits.refresh_from_db()
    runs.refresh_from_db()
    assert (waits.status, waits.reason) == (Status.KILLED, f"Its task was stopped by {ann}.")
    assert (runs.status, runs.stop_requested_at) == (Status.RUNNING, NOON)


def test_a_task_is_stopped_with_its_last_run_and_its_logs_are_deleted(ann: User) -> None:
    task = make_task()
    old = make_run(task, status=Status.SUCCESS, log_tail="line")
    live = make_run(task, status=Status.RUNNING, node=make_node(), fence=1)
    for run in (old, live):
        write_log(run)
    services.kill_task(task=task, user=ann, at=NOON)

    assert stopping.conclude_kills(at=NOON) == 0
    live.refresh_from_db()
    executions.end(live, Verdict(status="killed", ended_at=NOON))
    assert stopping.conclude_kills(at=NOON) == 1

    task.refresh_from_db()
    assert (task.state, task.killed_at, task.killed_by) == (Task.State.KILLED, NOON, ann)
    for run in (old, live):
        run.refresh_from_db()
        assert not run.spool.directory.exists()
        assert (run.log_tail, run.log_deleted_at) == ("", NOON)


def test_the_spools_of_earlier_claims_go_with_the_logs(ann: User) -> None:
    task = make_task()
    run = make_run(task, status=Status.SUCCESS, fence=3)
    spools = run.all_spools
    assert [spool.directory.name for spool in spools] == [
        f"{run.pk}{suffix}" for suffix in ("", ".2", ".3")
    ]
    for spool in (spools[0], spools[2]):
        spool.create()
    services.kill_task(task=task, user=ann, at=NOON)

    stopping.conclude_kills(at=NOON)

    assert not any(spool.directory.exists() for spool in spools)


def test_a_stop_that_was_left_halfway_is_finished(ann: User) -> None:
    task = make_task(state=Task.State.PENDING_KILL, killed_by=ann)
    waits = make_run(task)

    stopping.conclude_kills(at=NOON)

    waits.refresh_from_db()
    task.refresh_from_db()
    assert (waits.status, task.state) == (Status.KILLED, Task.State.KILLED)


@pytest.mark.parametrize("state", [Task.State.PENDING_KILL, Task.State.KILLED])
def test_stopping_what_is_stopped_changes_nothing(ann: User, state: str) -> None:
    task = make_task(state=state)
    assert not services.kill_task(task=task, user=ann, at=NOON)
    task.refresh_from_db()
    assert task.state == state


def test_a_task_whose_run_has_ended_can_be_stopped(ann: User) -> None:
    task = make_task()
    make_run(task, status=Status.FAILURE)
    assert services.kill_task(task=task, user=ann, at=NOON)
    assert stopping.conclude_kills(at=NOON) == 1


def test_a_run_of_a_task_that_is_being_stopped_is_never_claimed() -> None:
    make_run(make_task(state=Task.State.PENDING_KILL))
    assert executions.claim_oldest(TaskRun, node=make_node(), slots=1, at=NOON) is None


def test_the_preview_says_what_a_stop_would_do() -> None:
    task = scheduled("0 * * * *")
    make_run(task)
    live = make_run(task, status=Status.RUNNING, node=make_node(), fence=1)
    write_log(live, lines=10)
    make_run(task, status=Status.SUCCESS, log_bytes=1000)
    make_run(task, status=Status.SUCCESS, log_bytes=0)

    preview = services.preview_kill(task=task, at=NOON)

    assert (preview.live, preview.ticks, preview.logs) == (2, 7 * 24, 2)
    assert preview.log_bytes == 1000 + live.spool.log.stat().st_size


# -- The ledger ------------------------------------------------------------------------


def test_the_ledger_tells_each_tick_in_words(ann: User) -> None:
    task = make_task(kind="scheduled", schedule="* * * * *", next_run_at=NOON + HOUR)

    def ran(minute: int, late: float, status: str = "success", **fields: Any) -> TaskRun:
        due = NOON + minute * MINUTE
        started = due + timedelta(seconds=late)
        return make_run(
            task, due_at=due, status=status, started_at=started, ended_at=started, **fields
        )

    ran(1, 0.1)
    ran(2, 4)
    failed = ran(3, 0.1, "failure")
    make_run(task, due_at=failed.due_at, attempt=2, retry_of=failed)
    ran(4, 3 * 60, "timed_out")
    for minute, reason, fields in (
        (5, "overlap", {}),
        (6, "missed", {"scheduler_seen_at": NOON + 5.5 * MINUTE, "noticed_at": NOON + 8 * MINUTE}),
        (7, "missed", {}),
        (8, "paused", {"user": ann}),
    ):
        due = NOON + minute * MINUTE
        defaults = {"noticed_at": due + timedelta(seconds=90), "count": 1}
        SkippedTicks.objects.create(
            task=task, reason=reason, first_due_at=due, last_due_at=due, **defaults | fields
        )

    assert words(task, NOON + 9 * MINUTE) == [
        f"12:08 paused by {ann}",
        "12:07 missed, noticed 1 min 30 s late",
        "12:06 missed, no scheduler between 12:05 and 12:08",
        "12:05 skipped, the previous run was still going",
        "12:04 ran 3 min late: timed_out",
        "12:03 ran: failure, tried again",
        "12:02 ran 4 s late",
        "12:01 ran",
    ]


def test_the_ledger_says_that_a_tick_was_moved_by_daylight_saving() -> None:
    task = make_task(kind="scheduled", schedule="30 2 * * *", time_zone="Europe/Berlin")
    tick = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    make_run(task, due_at=tick, status=Status.SUCCESS, started_at=tick, ended_at=tick)

    [entry] = ledger.entries(task, at=tick + HOUR)

    assert entry.words.startswith("ran, moved from 02:30, which the clock change skips")


def test_the_ledger_shows_a_tick_that_no_clock_has_seen() -> None:
    task = scheduled()
    [entry] = ledger.entries(task, at=NOON + 2 * MINUTE)
    assert (entry.words, entry.is_trouble) == ("due, no scheduler has seen it yet", True)


def test_a_time_zone_that_is_known_no_more_breaks_neither_ledger_nor_stop(ann: User) -> None:
    task = make_task(
        kind="scheduled", schedule="* * * * *", time_zone="Europe/Atlantis", next_run_at=NOON
    )
    make_run(task, due_at=NOON, status=Status.SUCCESS)
    SkippedTicks.objects.create(
        task=task,
        reason="missed",
        first_due_at=NOON,
        last_due_at=NOON,
        count=1,
        noticed_at=NOON + MINUTE,
        scheduler_seen_at=NOON - MINUTE,
    )

    assert "12:00 missed, no scheduler between 11:59 and 12:01" in words(task, NOON)
    assert services.preview_kill(task=task, at=NOON).ticks == 0
    services.pause_task(task=task, user=ann, at=NOON)
    services.resume_task(task=task, at=NOON)
    task.refresh_from_db()
    assert task.is_active
    assert task.schedule_error.startswith("Its schedule cannot be followed any more: ")


def test_a_run_has_the_rights_of_who_decided_what_it_does(ann: User) -> None:
    bob = make_user("bob")
    task = make_task(created_by=ann)
    assert make_run(task).acts_for == ann
    # Or whoever may change a task could have any code run with its maker's rights.
    assert services.run_again(task=task, user=bob, at=NOON).acts_for == bob

    wanted = TaskSettings(name="x", timeout_seconds=60, arguments_json='{"a": 2}')
    services.edit_task(task=task, wanted=wanted, user=bob, at=NOON)

    task.refresh_from_db()
    assert make_run(task).acts_for == bob


def test_code_that_came_later_has_the_rights_of_who_uploaded_it(ann: User) -> None:
    bob = make_user("bob")
    orchestration = make_orchestration(created_by=bob)
    task = make_task(orchestration, created_by=ann)
    known = orchestration.newest
    asked = make_run(task, requested_by=ann, queued_at=timezone.now(), version=known)
    assert asked.acts_for == ann
    assert make_run(task, version=known).acts_for == ann

    newer = make_version(orchestration, created_by=bob)

    asked.version = newer  # It was still in the queue.
    assert asked.acts_for == bob
    # Nor does it become hers by being tried again, or by an edit of the task.
    later = timezone.now()
    retry = make_run(task, requested_by=ann, queued_at=later, version=newer, retry_of=asked)
    assert retry.acts_for == bob
    Task.objects.filter(pk=task.pk).update(changed_by=ann)
    assert make_run(Task.objects.get(pk=task.pk), version=newer).acts_for == bob
    # Who asks for a run, or pins the version, has seen it.
    assert make_run(task, requested_by=ann, queued_at=later, version=newer).acts_for == ann
    task.version = newer
    assert make_run(task, version=newer).acts_for == ann
    task.version = known  # What runs meanwhile is not what she decided for.
    assert make_run(task, version=newer).acts_for == bob
