"""Versions of an orchestration: uploaded, numbered, compared, packaged, run."""

from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.db.models import RestrictedError

from orchestrations import services
from orchestrations.archives import ArchiveRefused
from orchestrations.models import Orchestration, Packaging, Version
from tasks import removal
from tasks import services as tasks
from tasks.models import Kind, TaskRun
from tests.executions.test_services import at_once
from tests.factories import (
    NOON,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    make_version,
    make_zip,
    start_task,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.spool import Verdict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

READY, ERROR = Version.Status.READY, Version.Status.ERROR
PENDING, PACKAGING = Version.Status.PENDING_PACKAGING, Version.Status.PACKAGING


@cache
def archive(script: str) -> bytes:
    """Return the same bytes for the same script: a ZIP tells when it was made."""
    return make_zip({"main.py": script})


def upload(orchestration: Orchestration, script: str, user: User | None = None) -> Version:
    return services.upload_version(
        orchestration=orchestration,
        file=ContentFile(archive(script)),
        file_name="next.zip",
        user=user or make_user(),
    )


def end(version: Version, status: Status) -> None:
    """Bring the packaging of a version to its end."""
    packaging: Packaging = version.packagings.unfinished().get()
    executions.end(packaging, Verdict(status=status, reason="No wheel.", ended_at=NOON))


def startable() -> list[TaskRun]:
    return list(TaskRun.objects.startable(at=NOON + timedelta(days=1)))


# -- Uploads ---------------------------------------------------------------------------


def test_an_upload_becomes_the_newest_version_and_waits_for_packaging(
    orchestration: Orchestration, owner: User
) -> None:
    before = Orchestration.objects.get().updated_at

    version = upload(orchestration, "print(2)", owner)

    orchestration.refresh_from_db()
    assert orchestration.newest == version
    assert (version.number, version.status) == (2, PENDING)
    assert version.created_by == owner
    assert version.changes == "main.py changed"
    assert version.packagings.get().requested_by == owner
    assert orchestration.updated_at > before


def test_the_bytes_of_the_newest_version_are_refused_those_of_an_older_one_are_taken(
    orchestration: Orchestration,
) -> None:
    upload(orchestration, "print(2)")
    with pytest.raises(services.SameArchive, match="the same file as version 2, byte for byte"):
        upload(orchestration, "print(2)")
    upload(orchestration, "print(3)")

    assert upload(orchestration, "print(2)").number == 4
    assert Version.objects.count() == 4


def test_a_refused_version_leaves_nothing_behind(
    orchestration: Orchestration, settings: Any
) -> None:
    storage = settings.DATA_DIR / "storage"
    before = set(storage.rglob("*"))
    with pytest.raises(ArchiveRefused):
        services.upload_version(
            orchestration=orchestration,
            file=ContentFile(make_zip({"readme.txt": ""})),
            file_name="a.zip",
            user=make_user(),
        )
    with pytest.raises(services.SameArchive):
        upload(upload(orchestration, "print(2)").orchestration, "print(2)")

    kept = {str(version.archive) for version in Version.objects.exclude(number=1)}
    assert {path.name for path in set(storage.rglob("*.zip")) - before} == {
        name.rpartition("/")[2] for name in kept
    }


@pytest.mark.django_db(transaction=True)
def test_a_doorbell_that_fails_leaves_the_archive_of_what_was_uploaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    orchestration = make_orchestration()
    monkeypatch.setattr(services, "async_task", fail)
    version = upload(orchestration, "print('new')")
    assert Version.objects.get(pk=version.pk).archive.size > 0


@pytest.mark.django_db(transaction=True)
def test_two_uploads_at_once_get_two_numbers() -> None:
    orchestration, user = make_orchestration(), make_user()

    at_once(
        lambda: upload(orchestration, "print('a')", user),
        lambda: upload(orchestration, "print('b')", user),
    )

    numbers = orchestration.versions.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3]
    orchestration.refresh_from_db()
    assert orchestration.newest.number == 3


@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_of_the_same_bytes_at_once_one_is_refused() -> None:
    orchestration, user = make_orchestration(), make_user()
    refused = []

    def send() -> None:
        try:
            upload(orchestration, "print('a')", user)
        except services.SameArchive as refusal:
            refused.append(refusal)

    at_once(send, send)

    assert orchestration.versions.count() == 2
    assert len(refused) == 1


def test_a_number_is_given_once(orchestration: Orchestration) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_version(orchestration, number=1)


# -- What runs -------------------------------------------------------------------------


def test_tasks_that_follow_the_latest_run_the_old_version_until_the_new_one_is_ready(
    orchestration: Orchestration,
) -> None:
    first = orchestration.newest
    run = make_run(make_task(orchestration))
    second = upload(orchestration, "print(2)")

    assert startable() == [run]
    assert TaskRun.objects.get().chosen == first
    end(second, Status.SUCCESS)
    assert TaskRun.objects.get().chosen == second
    assert startable() == [run]


def test_a_broken_new_version_never_stops_a_task(orchestration: Orchestration) -> None:
    first = orchestration.newest
    task = start_task(orchestration, kind=Kind.CONTINUOUS)
    end(upload(orchestration, "print(2)"), Status.FAILURE)

    tasks.fail_unrunnable(at=NOON)

    run = task.runs.get()
    assert run.status == Status.QUEUED
    assert run.chosen == first
    assert startable() == [run]
    assert start_task(orchestration).runs.get().chosen == first


def test_a_pinned_task_stays_with_its_version(orchestration: Orchestration) -> None:
    first = orchestration.newest
    task = make_task(orchestration, version=first)
    make_version(orchestration)
    run = make_run(task)

    assert TaskRun.objects.get().chosen == first
    assert startable() == [run]


def test_a_task_that_is_pinned_to_a_broken_version_cannot_run(
    orchestration: Orchestration,
) -> None:
    broken = make_version(orchestration, status=ERROR)
    task = make_task(orchestration, version=broken)

    with pytest.raises(tasks.NotRunnable, match="version 2, which it is pinned to, failed"):
        tasks.run_again(task=task, user=make_user(), at=NOON)
    with pytest.raises(tasks.NotRunnable, match="version 2"):
        start_task(orchestration, version=broken)


def test_a_run_waits_while_nothing_is_ready_and_fails_when_nothing_will_be() -> None:
    orchestration = make_orchestration(status=ERROR)
    second = upload(orchestration, "print(2)")
    task = start_task(orchestration)

    assert startable() == []
    assert task.runs.get().waits_for_packaging
    end(second, Status.FAILURE)
    tasks.fail_unrunnable(at=NOON)
    run = task.runs.get()
    assert run.status == Status.FAILURE
    assert "packaging failed" in run.reason


def test_packaging_again_what_runs_has_its_runs_wait_and_not_fall_back(
    orchestration: Orchestration,
) -> None:
    second = make_version(orchestration)
    run = make_run(make_task(orchestration))

    services.request_packaging(version=second, user=None)

    assert TaskRun.objects.get().chosen == second
    assert startable() == []
    end(second, Status.SUCCESS)
    assert startable() == [run]


def test_what_cannot_be_packaged_any_more_is_not_run_any_more(orchestration: Orchestration) -> None:
    first, second = orchestration.newest, make_version(orchestration)
    make_run(make_task(orchestration))

    services.request_packaging(version=second, user=None)
    end(second, Status.FAILURE)

    assert TaskRun.objects.get().chosen == first


def test_a_retry_runs_what_the_first_attempt_ran(orchestration: Orchestration) -> None:
    first = orchestration.newest
    task = make_task(orchestration, retries=1)
    run = make_run(task, status=Status.RUNNING, version=first, started_at=NOON)
    make_version(orchestration)

    executions.end(run, Verdict(status=Status.FAILURE, reason="", ended_at=NOON))

    retry = task.runs.get(attempt=2)
    assert retry.version == first
    assert retry.chosen == first


def test_run_again_runs_what_the_task_says_now(orchestration: Orchestration) -> None:
    first = orchestration.newest
    task = make_task(orchestration)
    make_run(task, status=Status.SUCCESS, version=first)
    second = make_version(orchestration)

    assert tasks.run_again(task=task, user=make_user(), at=NOON).chosen == second


# -- Deleting --------------------------------------------------------------------------


def test_an_orchestration_is_deleted_with_all_its_versions_and_their_archives(
    orchestration: Orchestration, owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    second = make_version(orchestration)
    make_run(make_task(orchestration, version=second), status=Status.SUCCESS, version=second)
    archives = [version.archive for version in orchestration.versions.all()]
    assert removal.bytes_of(orchestration) == sum(archive.size for archive in archives)

    with django_capture_on_commit_callbacks(execute=True):
        assert removal.delete_orchestration(orchestration=orchestration, user=owner)

    assert not Version.objects.exists()
    assert not any(archive.storage.exists(str(archive)) for archive in archives)


def test_a_version_that_is_wanted_is_not_deleted_alone(orchestration: Orchestration) -> None:
    first = orchestration.newest
    make_version(orchestration)
    make_task(orchestration, version=first)
    for version in orchestration.versions.all():
        with pytest.raises(RestrictedError):
            version.delete()


def test_nothing_is_uploaded_to_what_is_gone(orchestration: Orchestration, owner: User) -> None:
    removal.delete_orchestration(
        orchestration=Orchestration.objects.get(pk=orchestration.pk), user=owner
    )
    with pytest.raises(Orchestration.DoesNotExist):
        upload(orchestration, "print(2)")


def test_what_is_waiting_is_found_by_a_number_of_queries_that_does_not_grow(
    django_assert_num_queries: Any,
) -> None:
    for _ in range(5):
        orchestration = make_orchestration()
        make_version(orchestration, status=ERROR)
        make_run(make_task(orchestration))
    with django_assert_num_queries(1):
        assert len(startable()) == 5


def test_the_database_keeps_status_and_success_together(orchestration: Orchestration) -> None:
    for fields in ({"status": READY, "packaged_at": None}, {"status": ERROR, "packaged_at": NOON}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Version.objects.update(**fields)
    assert connection.is_usable()
