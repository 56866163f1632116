"""What follows the end of a run: retries, and the runs of a continuous task."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from orchestrations.models import Version
from tasks import services, successors
from tasks.models import Task, TaskRun, Trigger
from tests.executions.test_services import at_once
from tests.factories import (
    NOON,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    start_task,
)
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.spool import Verdict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]


def end(run: TaskRun, status: str, *, after: float = 60.0, started: bool = True) -> TaskRun:
    """End a run, so many seconds after it started; return it as it is then."""
    began = max(run.ready_at, NOON)
    TaskRun.objects.filter(pk=run.pk).update(
        status=Status.RUNNING, started_at=began if started else None, node=make_node()
    )
    run = TaskRun.objects.get(pk=run.pk)
    verdict = Verdict(status=status, ended_at=began + timedelta(seconds=after))
    assert executions.end(run, verdict)
    return run


def waiting(task: Task) -> TaskRun | None:
    run: TaskRun | None = task.runs.filter(status=Status.QUEUED).first()
    return run


# -- Retries ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retried"),
    [
        ("failure", True),
        ("timed_out", True),
        ("lost", True),
        ("success", False),
        ("killed", False),
    ],
)
def test_what_failed_is_tried_again_and_nothing_else(status: str, retried: bool) -> None:
    task = make_task(retries=1)
    run = make_run(task, due_at=NOON, arguments_json='{"a": 1}')

    end(run, status)

    retry = waiting(task)
    assert (retry is not None) == retried
    if retry is not None:
        assert (retry.attempt, retry.retry_of, retry.due_at) == (2, run, NOON)
        assert retry.arguments_json == '{"a": 1}'


def test_by_default_nothing_is_tried_again() -> None:
    task = make_task()
    end(make_run(task), "failure")
    assert waiting(task) is None


@pytest.mark.parametrize(("doubles", "delays"), [(True, [10, 20, 40]), (False, [10, 10, 10])])
def test_retries_wait_for_their_delay_and_come_to_an_end(doubles: bool, delays: list[int]) -> None:
    task = make_task(retries=3, retry_delay_seconds=10, retry_backoff=doubles)
    run = make_run(task)
    for delay in delays:
        ended = end(run, "failure")
        retry = waiting(task)
        assert retry is not None
        assert ended.ended_at is not None
        assert retry.not_before == ended.ended_at + timedelta(seconds=delay)
        run = retry
    end(run, "failure")

    assert waiting(task) is None
    assert list(task.runs.order_by("attempt").values_list("attempt", flat=True)) == [1, 2, 3, 4]


def test_no_delay_is_longer_than_a_day() -> None:
    task = make_task(retries=40, retry_delay_seconds=3600)
    assert task.retry_delay(attempt=39) == timedelta(days=1)


@pytest.mark.parametrize("state", [Task.State.PAUSED, Task.State.PENDING_KILL])
def test_a_task_that_is_not_active_tries_nothing_again(state: str) -> None:
    task = make_task(retries=3, state=state)
    end(make_run(task), "failure")
    assert waiting(task) is None


def test_what_never_started_in_time_is_not_tried_again() -> None:
    task = make_task(retries=3)
    run = make_run(task, start_by=NOON)

    services.fail_unrunnable(at=NOON)

    run.refresh_from_db()
    assert run.status == Status.FAILURE
    assert run.reason == "It had not started by its start deadline, 12:00:00 UTC."
    assert waiting(task) is None


def test_what_was_lost_before_its_start_deadline_was_over_is_tried_again() -> None:
    task = make_task(retries=1)
    run = make_run(task, start_by=NOON + timedelta(minutes=5))

    end(run, "lost", started=False)

    assert waiting(task) is not None


def test_a_run_waits_for_its_time_to_be_tried_again() -> None:
    run = make_run(not_before=NOON + timedelta(seconds=5))

    assert not TaskRun.objects.startable(at=NOON + timedelta(seconds=4)).exists()
    assert TaskRun.objects.startable(at=NOON + timedelta(seconds=5)).get() == run


# -- Continuous tasks ------------------------------------------------------------------


@pytest.fixture
def continuous() -> Task:
    return start_task(kind="continuous", at=NOON)


def test_a_continuous_task_begins_with_one_run_without_a_timeout(continuous: Task) -> None:
    run = continuous.runs.get()
    assert (run.trigger, run.status, run.time_limit) == ("continuous", "queued", None)


@pytest.mark.parametrize("status", ["success", "failure", "timed_out", "killed", "lost"])
def test_however_a_run_ends_the_next_one_follows_at_once(continuous: Task, status: str) -> None:
    ended = end(continuous.runs.get(), status)

    following = waiting(continuous)
    assert following is not None
    assert following.not_before == ended.ended_at


def test_runs_that_succeed_at_once_begin_a_second_apart(continuous: Task) -> None:
    ended = end(continuous.runs.get(), "success", after=0.1)

    following = waiting(continuous)
    assert following is not None
    assert ended.started_at is not None
    assert following.not_before == ended.started_at + timedelta(seconds=1)


def test_quick_failures_wait_1_2_4_up_to_60_s_until_one_is_not_quick(continuous: Task) -> None:
    waits = []
    run: TaskRun | None = continuous.runs.get()
    for after in [*(0.5,) * 8, 11.0, 0.5]:
        assert run is not None
        ended = end(run, "failure", after=after)
        run = waiting(continuous)
        assert run is not None
        assert run.not_before is not None
        assert ended.ended_at is not None
        waits.append((run.not_before - ended.ended_at).total_seconds())

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 0, 1]
    continuous.refresh_from_db()
    assert continuous.quick_failures == 1


def test_a_run_that_could_not_be_started_counts_as_a_quick_failure(continuous: Task) -> None:
    executions.fail_launch(continuous.runs.get(), "No disk.")
    following = waiting(continuous)
    assert following is not None
    continuous.refresh_from_db()
    assert continuous.quick_failures == 1


def test_the_database_keeps_a_continuous_task_at_one_live_run(continuous: Task) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskRun.of(continuous, trigger=Trigger.CONTINUOUS, at=NOON).save()


@pytest.mark.parametrize("state", [Task.State.PAUSED, Task.State.PENDING_KILL])
def test_nothing_follows_in_a_task_that_is_not_active(continuous: Task, state: str) -> None:
    Task.objects.update(state=state)
    end(continuous.runs.get(), "success")
    assert waiting(continuous) is None


def test_a_failed_packaging_leaves_one_run_that_waits_for_a_better_one() -> None:
    orchestration = make_orchestration(status=Version.Status.PACKAGING)
    task = start_task(orchestration, kind="continuous", at=NOON)
    packaging: Any = orchestration.newest.packagings.create(
        status=Status.FAILURE, reason="No such package.", ended_at=NOON
    )
    Version.objects.update(status=Version.Status.ERROR)

    services.fail_waiting_runs(packaging)
    services.fail_unrunnable(at=NOON)

    following = waiting(task)
    assert following is not None
    assert not TaskRun.objects.startable(at=NOON + timedelta(days=1)).exists()
    Version.objects.update(status=Version.Status.READY, packaged_at=NOON)
    assert following.not_before is not None
    assert TaskRun.objects.startable(at=following.not_before).get() == following


@pytest.mark.django_db(transaction=True)
def test_a_packaging_and_the_runs_that_wait_for_it_may_end_at_once() -> None:
    orchestration = make_orchestration(status=Version.Status.PACKAGING)
    packaging: Any = orchestration.newest.packagings.create(
        status=Status.STARTING, node=make_node()
    )
    task = make_task(orchestration)
    runs = [make_run(task) for _ in range(40)]

    def stop_all() -> None:
        for run in reversed(runs):
            executions.request_stop(run, reason="No more.", at=NOON)

    at_once(lambda: executions.fail_launch(packaging, "No such package."), stop_all)

    assert not task.runs.unfinished().exists()
    orchestration.refresh_from_db()
    assert orchestration.newest.status == Version.Status.ERROR


def test_backoff_never_overflows() -> None:
    assert successors.backoff(10_000) == timedelta(seconds=60)


def test_pause_gives_up_the_run_that_waits_and_resume_starts_afresh(continuous: Task) -> None:
    ann = make_user("ann")
    end(continuous.runs.get(), "failure", after=0.1)

    assert services.pause_task(task=continuous, user=ann, at=NOON)
    assert waiting(continuous) is None
    assert not services.pause_task(task=continuous, user=ann, at=NOON)

    later: datetime = NOON + timedelta(hours=1)
    assert services.resume_task(task=continuous, at=later)
    assert not services.resume_task(task=continuous, at=later)
    following = waiting(continuous)
    assert following is not None
    assert following.not_before is None
    continuous.refresh_from_db()
    assert (continuous.quick_failures, continuous.paused_at) == (0, None)


def test_a_pause_that_was_left_halfway_starts_no_next_run(continuous: Task) -> None:
    Task.objects.update(state=Task.State.PAUSED, paused_at=NOON)
    assert not TaskRun.objects.startable(at=NOON).exists()

    services.resume_task(task=continuous, at=NOON)

    assert TaskRun.objects.startable(at=NOON).get() == continuous.runs.get()


def test_pause_lets_what_runs_go_on_and_resume_leaves_it_alone(continuous: Task) -> None:
    TaskRun.objects.update(status=Status.RUNNING, node=make_node())

    services.pause_task(task=continuous, user=make_user(), at=NOON)
    services.resume_task(task=continuous, at=NOON)

    assert continuous.runs.get().status == Status.RUNNING
