"""Uploading and asking for packaging."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from orchestrations import services
from orchestrations.archives import ArchiveRefused
from orchestrations.models import Orchestration, Packaging, Version
from tests.factories import make_orchestration, make_user, make_zip
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def stored() -> set[Path]:
    return set((settings.DATA_DIR / "storage").rglob("*"))


def upload(workspace: Workspace, user: User, content: bytes, name: str = "") -> Orchestration:
    return services.upload_orchestration(
        workspace=workspace,
        file=ContentFile(content),
        file_name="story.zip",
        name=name,
        user=user,
    )


def test_an_upload_is_kept_as_it_came_and_queued_for_packaging(
    workspace: Workspace,
    owner: User,
    queued_jobs: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    content = make_zip({"etl/main.py": "print(1)", "etl/requirements.txt": "six # why not\n"})

    with django_capture_on_commit_callbacks(execute=True):
        orchestration = upload(workspace, owner, content)

    orchestration.refresh_from_db()
    version = orchestration.newest
    assert version.number == 1
    assert version.sha == hashlib.sha256(content).hexdigest()
    assert version.file_size == len(content)
    assert version.archive.read() == content
    version.archive.close()
    assert version.entry_point == "etl/main.py"
    assert version.requirements == ["six"]
    assert version.status == Version.Status.PENDING_PACKAGING
    assert version.packagings.get().status == Status.QUEUED
    assert queued_jobs == ["orchestrations.jobs.launch_packagings"]


def test_a_refused_archive_leaves_nothing_behind(workspace: Workspace, owner: User) -> None:
    before = stored()

    with pytest.raises(ArchiveRefused):
        upload(workspace, owner, make_zip({"readme.txt": "no code"}))

    assert stored() == before
    assert not Orchestration.objects.exists()


def test_a_database_that_fails_leaves_no_file_behind(
    workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored()

    def fail(**_: object) -> None:
        raise RuntimeError("the database went away")

    monkeypatch.setattr(services, "request_packaging", fail)
    with pytest.raises(RuntimeError):
        upload(workspace, owner, make_zip({"main.py": ""}))

    assert {path for path in stored() if path.is_file()} == {p for p in before if p.is_file()}
    assert not Orchestration.objects.exists()


def test_the_same_bytes_twice_are_two_orchestrations_with_one_hash(
    workspace: Workspace, owner: User, queued_jobs: list[str]
) -> None:
    content = make_zip({"main.py": ""})
    first, second = upload(workspace, owner, content), upload(workspace, owner, content)
    assert first.pk != second.pk
    assert first.newest.sha == second.newest.sha


def test_asking_twice_for_packaging_gives_one(
    orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    first = services.request_packaging(version=orchestration.newest, user=None)
    assert services.request_packaging(version=orchestration.newest, user=None) == first
    assert Packaging.objects.count() == 1


def test_the_shown_name_falls_back_to_the_file(workspace: Workspace) -> None:
    assert make_orchestration(workspace, name="").display_name == "archive.zip"
    assert make_orchestration(workspace, name="nightly").display_name == "nightly"


def test_stopping_a_packaging_that_waits_ends_it_at_once(
    orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    packaging = services.request_packaging(version=orchestration.newest, user=None)

    assert services.stop_packaging(packaging=packaging, user=make_user("ann"))
    assert not services.stop_packaging(packaging=packaging, user=make_user("bob"))

    packaging.refresh_from_db()
    assert (packaging.status, packaging.reason) == (Status.KILLED, "Stopped by ann@example.com.")


def test_a_launch_that_was_given_up_does_not_touch_what_came_of_the_next(
    workspace: Workspace, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    orchestration = make_orchestration(workspace, status=Version.Status.PACKAGING)
    packaging = Packaging.objects.create(version=orchestration.newest, status=Status.STARTING)
    late = Packaging.objects.get(pk=packaging.pk)
    assert packaging.spool.forbid_start()
    assert executions.give_back(packaging)
    Packaging.objects.update(status=Status.SUCCESS, ended_at=timezone.now())
    Version.objects.update(status=Version.Status.READY, packaged_at=timezone.now())

    services._launch(late)

    version = Version.objects.get()
    assert version.status == Version.Status.READY
