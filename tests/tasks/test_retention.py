"""Housekeeping: what is deleted, and what must not be."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from orchestrations.environments import Environment, base_environment
from orchestrations.models import Packaging
from tasks.models import SkippedTicks, TaskRun
from tasks.retention import clean_up
from tests.factories import (
    NOON,
    make_api_token,
    make_login,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
)
from wallaroo_ui.accounts import devices
from wallaroo_ui.accounts.models import ApiToken, DeviceAuthorization, RefreshToken
from wallaroo_ui.executions.models import Execution, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OLD = NOON - 31 * DAY


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def with_spool(execution: Any) -> Any:
    execution.spool.create()
    return execution


def grow_old(path: Path) -> None:
    long_ago = path.stat().st_mtime - (40 * DAY).total_seconds()
    os.utime(path, (long_ago, long_ago))


def left(*executions: Execution) -> list[bool]:
    """Tell of each whether it is there; row and spool go together."""
    found = []
    for execution in executions:
        exists = type(execution).objects.filter(pk=execution.pk).exists()
        assert execution.spool.directory.exists() == exists
        found.append(exists)
    return found


def test_runs_older_than_their_days_go_with_their_logs() -> None:
    old = with_spool(make_run(status=Status.SUCCESS, ended_at=OLD))
    young = with_spool(make_run(status=Status.SUCCESS, ended_at=NOON - 29 * DAY))
    running = with_spool(make_run(status=Status.RUNNING, queued_at=OLD, node=make_node()))

    assert clean_up(at=NOON)["runs"] == 1

    assert left(old, young, running) == [False, True, True]


def test_a_run_that_was_launched_twice_leaves_no_spool() -> None:
    run = make_run(status=Status.SUCCESS, ended_at=OLD, fence=3)
    spools = [TaskRun.spools() / str(run.pk), run.spool.directory]
    for spool in spools:
        spool.mkdir(parents=True)

    clean_up(at=NOON)

    assert not any(spool.exists() for spool in spools)


def test_of_each_task_the_newest_runs_are_kept(settings: Any) -> None:
    settings.RUNS_KEPT_PER_TASK = 2
    task = make_task()
    runs = [
        with_spool(make_run(task, status=Status.SUCCESS, queued_at=NOON - n * DAY, ended_at=NOON))
        for n in (3, 1, 2)
    ]
    other = with_spool(make_run(status=Status.SUCCESS, ended_at=NOON))
    waits = with_spool(make_run(task, queued_at=OLD))

    clean_up(at=NOON)

    assert left(*runs, other, waits) == [False, True, True, True, True]


def test_a_retry_outlives_its_first_attempt() -> None:
    first = make_run(status=Status.FAILURE, ended_at=OLD)
    retry = make_run(first.task, attempt=2, retry_of=first)

    clean_up(at=NOON)

    retry.refresh_from_db()
    assert retry.retry_of is None


def test_spools_without_a_run_go_and_foreign_folders_stay() -> None:
    orphan, new, foreign = (TaskRun.spools() / name for name in (str(make_run().pk), "x", "y"))
    TaskRun.objects.all().delete()
    new = TaskRun.spools() / "00000000-0000-4000-8000-000000000000"
    for path in (orphan, foreign, new):
        path.mkdir(parents=True)
    grow_old(orphan)
    grow_old(foreign)
    kept = with_spool(make_run())
    grow_old(kept.spool.directory)

    assert clean_up(at=NOON)["spools"] == 1

    assert [path.exists() for path in (orphan, new, foreign)] == [False, True, True]
    assert left(kept) == [True]


def test_a_spool_that_somebody_else_removes_does_not_end_the_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, orphan = (TaskRun.spools() / str(make_run().pk) for _ in range(2))
    TaskRun.objects.all().delete()
    orphan.mkdir(parents=True)
    grow_old(orphan)
    monkeypatch.setattr("wallaroo_ui.executions.retention._spools", lambda _: [gone, orphan])

    assert clean_up(at=NOON)["spools"] == 1


def test_old_rows_of_the_ledger_go() -> None:
    task = make_task(kind="scheduled")
    for due_at in (OLD, NOON):
        SkippedTicks.objects.create(
            task=task,
            reason="missed",
            first_due_at=due_at,
            last_due_at=due_at,
            count=1,
            noticed_at=due_at,
        )

    assert clean_up(at=NOON)["skipped_ticks"] == 1
    assert SkippedTicks.objects.get().first_due_at == NOON


def test_the_latest_packaging_of_a_version_is_kept_however_old() -> None:
    version = make_orchestration().newest
    packagings = [
        with_spool(
            Packaging.objects.create(
                version=version,
                status=Status.SUCCESS,
                queued_at=OLD + n * HOUR,
                ended_at=OLD + n * HOUR,
            )
        )
        for n in range(2)
    ]

    clean_up(at=NOON)

    assert left(*packagings) == [False, True]


def test_environments_go_in_which_nothing_has_started_for_long(settings: Any) -> None:
    root = settings.DATA_DIR / "environments"
    base = base_environment(root, settings.BASE_REQUIREMENTS)
    environments = [Environment(root, f"layer-{name}") for name in ("unused", "used", "runs")]
    draft = environments[0].draft("builder")
    for directory in (base.directory, draft, *(each.directory for each in environments)):
        (directory / "bin").mkdir(parents=True)
        grow_old(directory)
    os.utime(environments[1].directory)
    make_run(status=Status.RUNNING, node=make_node(), environment_name="layer-runs")

    assert clean_up(at=NOON)["environments"] == 2

    assert base.is_ready
    assert [each.is_ready for each in environments] == [False, True, True]
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [base.name, "layer-runs", "layer-used"]
    )


def test_the_base_behind_a_layer_in_which_something_runs_is_kept(settings: Any) -> None:
    root = settings.DATA_DIR / "environments"
    layer, earlier_base = Environment(root, "layer-runs"), Environment(root, "base-earlier")
    for environment in (layer, earlier_base):
        environment.site_packages.mkdir(parents=True)
    (layer.site_packages / "_base.pth").write_text(f"{earlier_base.site_packages}\n")
    grow_old(earlier_base.directory)
    run = make_run(status=Status.RUNNING, node=make_node(), environment_name=layer.name)

    assert clean_up(at=NOON)["environments"] == 0

    run.delete()
    assert clean_up(at=NOON)["environments"] == 1
    assert not earlier_base.is_ready


def test_homes_that_were_left_on_their_way_out_go(settings: Any) -> None:
    old, new = (with_spool(make_run(status=Status.SUCCESS, ended_at=NOON)) for _ in range(2))
    for run in (old, new):
        run.spool.home.rename(run.spool.gone)
        (run.spool.gone / "file").touch()
    grow_old(old.spool.gone)

    assert clean_up(at=NOON)["homes"] == 1

    assert [run.spool.gone.exists() for run in (old, new)] == [False, True]
    assert left(old, new) == [True, True]


def test_logins_and_tokens_go_some_time_after_they_have_expired() -> None:
    ann = make_user()
    make_login(ann, at=NOON - 30 * DAY - HOUR)
    kept_login = make_login(ann, at=NOON - 29 * DAY)
    make_api_token(ann, lifetime=DAY, at=NOON - 32 * DAY)
    shown = make_api_token(ann, lifetime=DAY, at=NOON - 30 * DAY)
    for_ever = make_api_token(ann, lifetime=None, at=NOON - 300 * DAY)
    devices.ask(address=None, user_agent="", at=NOON - DAY)
    waiting, _ = devices.ask(address=None, user_agent="", at=NOON)

    assert clean_up(at=NOON)["logins"] == 3

    assert list(RefreshToken.objects.all()) == [kept_login]
    assert set(ApiToken.objects.all()) == {shown, for_ever}
    assert list(DeviceAuthorization.objects.all()) == [waiting]


def test_sessions_of_browsers_go_when_they_have_expired() -> None:
    for key, expires_at in (("over", NOON - HOUR), ("good", NOON + HOUR)):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    clean_up(at=NOON)
    assert [session.session_key for session in Session.objects.all()] == ["good"]


def test_there_may_be_nothing_to_clean_up() -> None:
    assert not any(clean_up(at=NOON).values())
