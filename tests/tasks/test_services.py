"""Making tasks, launching and stopping runs."""

import json
from datetime import timedelta
from typing import Any

import pytest

from orchestrations.models import Orchestration, Version
from tasks import credentials, launching, services
from tasks.models import Task, TaskRun
from tests.factories import (
    NOON,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    start_task,
)
from wallaroo_ui.accounts import tokens
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.services import LaunchPlan

pytestmark = pytest.mark.django_db


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[LaunchPlan]:
    """Collect what would be started, instead of starting it."""
    plans: list[LaunchPlan] = []
    monkeypatch.setattr("tasks.launching.executions.launch", lambda run, plan: plans.append(plan))
    return plans


def create(orchestration: Orchestration, user: User) -> Task:
    return start_task(orchestration, user=user, arguments={"b": 1, "a": 2}, timeout_seconds=5)


def test_a_task_comes_with_its_run_and_a_ring_after_commit(
    orchestration: Orchestration,
    owner: User,
    queued_jobs: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        task = create(orchestration, owner)
        assert queued_jobs == []
    for callback in callbacks:
        callback()

    assert task.runs.get().status == Status.QUEUED
    assert queued_jobs == ["tasks.jobs.launch_runs"]
    assert list(task.arguments) == ["b", "a"]


def test_an_orchestration_that_failed_packaging_takes_no_task(owner: User) -> None:
    with pytest.raises(services.NotRunnable, match="Package it again"):
        create(make_orchestration(status="error"), owner)
    assert not Task.objects.exists()


def test_a_packaging_that_failed_meanwhile_counts(owner: User) -> None:
    orchestration = make_orchestration(status="packaging")
    Version.objects.update(status="error", packaged_at=None)
    with pytest.raises(services.NotRunnable):
        create(orchestration, owner)


def test_runs_start_in_their_order_as_far_as_there_are_slots(
    base: object, launched: list[LaunchPlan], settings: Any
) -> None:
    make_node(name=settings.NODE_NAME, slots=2)
    runs = [make_run(queued_at=NOON + timedelta(seconds=n)) for n in (3, 1, 2)]

    assert launching.launch_runs() == 2

    assert [TaskRun.objects.get(pk=run.pk).status for run in runs] == [
        Status.QUEUED,
        Status.STARTING,
        Status.STARTING,
    ]


@pytest.mark.parametrize(
    ("limit", "value", "first"), [("MOST_LAUNCHES", 2, 2), ("LAUNCHING_SECONDS", 0, 1)]
)
def test_a_job_starts_a_few_runs_and_leaves_the_rest_to_the_next(
    base: object,
    launched: list[LaunchPlan],
    settings: Any,
    queued_jobs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    first: int,
) -> None:
    monkeypatch.setattr(launching, limit, value)
    make_node(name=settings.NODE_NAME, slots=9)
    for _ in range(3):
        make_run()

    assert launching.launch_runs() == first
    assert queued_jobs == ["tasks.jobs.launch_runs"]
    monkeypatch.setattr(launching, limit, 60)
    assert launching.launch_runs() == 3 - first
    assert len(queued_jobs) == 1


def test_a_run_waits_while_its_orchestration_is_packaged(
    base: object, launched: list[LaunchPlan], settings: Any
) -> None:
    make_node(name=settings.NODE_NAME)
    make_run(make_task(make_orchestration(status="packaging")))
    assert launching.launch_runs() == 0


def test_what_a_run_is_told_and_what_not(
    base: object, launched: list[LaunchPlan], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_ONLY", "secret")
    make_node(name=settings.NODE_NAME)
    run = make_run(make_task(arguments={"a": 1}, timeout_seconds=7))

    launching.launch_runs()

    plan = launched[0]
    assert plan.timeout_seconds == 7
    assert plan.environment["WALLAROO_TASK_ID"] == str(run.task_id)
    assert plan.environment["WALLAROO_URL"] == settings.TASK_SERVER_URL
    assert "SERVER_ONLY" not in plan.environment
    assert "SECRET_KEY" not in plan.environment
    assert "ENCRYPTION_KEYS" not in plan.environment
    assert json.loads((run.spool.home / "arguments.json").read_text()) == {"a": 1}


def test_an_archive_cannot_put_its_own_files_in_place_of_the_servers(
    base: object, launched: list[LaunchPlan], settings: Any
) -> None:
    make_node(name=settings.NODE_NAME)
    files = {"main.py": "", "arguments.json/x": "mine", ".cache": "a file where a folder goes"}
    run = make_run(make_task(make_orchestration(files=files), arguments={"a": 1}))

    launching.launch_runs()

    assert len(launched) == 1
    assert json.loads((run.spool.home / "arguments.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("maker", [None, "inactive"])
def test_a_run_whose_maker_may_not_act_any_more_fails_with_the_reason(
    maker: str | None,
    base: object,
    launched: list[LaunchPlan],
    settings: Any,
    queued_jobs: list[str],
) -> None:
    make_node(name=settings.NODE_NAME)
    user = make_user(is_active=False) if maker else None
    run = make_run(make_task(created_by=user))

    launching.launch_runs()

    run.refresh_from_db()
    assert run.status == Status.FAILURE
    assert "no active account" in run.reason
    assert not launched


def test_the_token_cache_is_what_the_sdk_reads() -> None:
    user = make_user()
    run = make_run(make_task(created_by=user))
    cache = credentials.token_cache(run)
    claims = tokens.read_token(cache["access_token"], kind="access")
    assert (claims.user, claims.run) == (user.pk, run.pk)
    assert cache["user_email"] == user.email
    assert cache["expiry"] > NOON.timestamp()


def test_credentials_are_worth_nothing_once_the_run_has_ended() -> None:
    run = make_run(status=Status.QUEUED)
    assert credentials.user_of_run(run.pk) == run.task.created_by

    TaskRun.objects.filter(pk=run.pk).update(status=Status.SUCCESS, ended_at=NOON)
    assert credentials.user_of_run(run.pk) is None


def test_stopping_what_waits_ends_it_at_once(queued_jobs: list[str]) -> None:
    run = make_run()
    assert services.stop_run(run=run, user=make_user("ann"), at=NOON)
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.KILLED, "Stopped by ann@example.com.")


def test_stopping_what_has_ended_changes_nothing(queued_jobs: list[str]) -> None:
    run = make_run(status=Status.SUCCESS)
    assert not services.stop_run(run=run, user=make_user(), at=NOON)
    run.refresh_from_db()
    assert run.status == Status.SUCCESS
