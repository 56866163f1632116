"""What can be asked of orchestrations: upload, compare, package, stop packaging."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from orchestrations.archives import (
    Archive,
    ArchiveRefused,
    Limits,
    inspect_archive,
    list_files,
)
from orchestrations.changes import MAX_SHORT, Changes, Content, compare
from orchestrations.models import Orchestration, Packaging, Version
from orchestrations.packager import ORDER, Order
from orchestrations.requirements import parse_requirements
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import sandbox
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.services import LaunchPlan
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Verb, Workspace

logger = logging.getLogger(__name__)

# What the installer may know of the server's environment: how to reach the index.
INSTALLER_VARIABLES = (
    "HOME", "LANG", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip


class SameArchive(Exception):
    """An archive is, byte for byte, the newest version; the text says so."""


def upload_orchestration(
    *, workspace: Workspace, file: File[bytes], file_name: str, name: str, user: User
) -> Orchestration:
    """Take in an archive as the first version of a new orchestration, and have it packaged.

    Args:
        workspace: where it goes; the caller has checked that `user` may.
        file: the ZIP; read, never executed.
        file_name: as its sender calls it.
        name: may be empty.
        user: who sends it.

    Raises:
        ArchiveRefused: with every problem of the archive; nothing is stored then.
    """
    orchestration = Orchestration(workspace=workspace, name=name, created_by=user)
    version = _read_version(file, file_name=file_name, user=user)
    with _stored(version, file), transaction.atomic():
        _add_version(orchestration, version, number=1)
    return orchestration


def upload_version(
    *, orchestration: Orchestration, file: File[bytes], file_name: str, user: User
) -> Version:
    """Take in an archive as the newest version of an orchestration, and have it packaged.

    Tasks that follow the latest go on with what they run until it is ready.

    Raises:
        ArchiveRefused: with every problem of the archive; nothing is stored then.
        SameArchive: it is what the newest version is.
        Orchestration.DoesNotExist: it has been deleted meanwhile.
    """
    version = _read_version(file, file_name=file_name, user=user)
    with _stored(version, file), transaction.atomic():
        # Locked: of two uploads at once, one is the other's next version.
        # Alone: a join would look for its newest version among those from before the wait.
        orchestration = Orchestration.objects.locked().get(pk=orchestration.pk)
        newest = orchestration.newest
        if newest.sha == version.sha:
            raise SameArchive(
                f"This is the same file as version {newest.number}, byte for byte: "
                "there is nothing new in it to run."
            )
        version.changes = _changes_in_short(newest, version)
        _add_version(orchestration, version, number=newest.number + 1)
    return version


def _read_version(file: File[bytes], *, file_name: str, user: User) -> Version:
    """Look through an archive; what is found is a version of nothing yet."""
    archive = inspect_archive(file, limits=Limits())
    file.seek(0)
    sha = hashlib.file_digest(file, "sha256").hexdigest()
    return Version(
        file_name=file_name,
        file_size=file.size,
        sha=sha,
        entry_point=archive.entry_point,
        requirements_path=archive.requirements_path,
        requirements=list(parse_requirements(archive.requirements).lines),
        packaging_notes=packaging_notes(archive),
        created_by=user,
    )


@contextmanager
def _stored(version: Version, file: File[bytes]) -> Iterator[None]:
    """Store the archive; what is done with it then fails, or the file stays."""
    file.seek(0)
    # The name on disk is ours: nothing of the sender's reaches a path.
    version.archive.save(f"{version.pk}.zip", file, save=False)
    try:
        yield
    except BaseException:
        version.archive.delete(save=False)
        raise


def _add_version(orchestration: Orchestration, version: Version, *, number: int) -> None:
    version.orchestration, version.number = orchestration, number
    orchestration.newest = version
    orchestration.save()
    version.save(force_insert=True)
    request_packaging(version=version, user=version.created_by)
    activity.record(
        orchestration.workspace_id,
        version.created_by,
        Verb.UPLOADED,
        orchestration,
        detail=f"version {number}" if number > 1 else "",
        url=orchestration.get_absolute_url(),
    )
    logger.info(
        "version uploaded",
        extra={
            "orchestration": str(orchestration.pk),
            "version": number,
            "workspace": orchestration.workspace_id,
            "sha": version.sha,
        },
    )


def _changes_in_short(before: Version, after: Version) -> str:
    """Say in short how an archive differs; nothing where the older one is lost."""
    try:
        return compare_versions(before, after).in_short[:MAX_SHORT]
    except (FileNotFoundError, ArchiveRefused):
        return ""


def compare_versions(before: Version, after: Version) -> Changes:
    """Say how one version differs from another.

    Raises:
        FileNotFoundError: an archive is lost.
        ArchiveRefused: an archive is spoilt.
    """
    return compare(_content(before), _content(after))


def _content(version: Version) -> Content:
    with version.archive.open("rb") as archive:
        return Content(
            files=list_files(archive),
            requirements=version.requirements,
            entry_point=version.entry_point,
        )


def packaging_notes(archive: Archive) -> list[str]:
    """Return what the packaging log should say of an archive, in words."""
    asked = archive.requirements_path or "no requirements.txt"
    return [f"Entry point: {archive.entry_point}; requirements: {asked}.", *archive.warnings]


@transaction.atomic
def request_packaging(*, version: Version, user: User | None) -> Packaging:
    """Queue a packaging; one that is already waiting or going on is returned instead."""
    Orchestration.objects.locked().get(pk=version.orchestration_id)
    current = version.packagings.unfinished().first()
    if current is not None:
        return current  # type: ignore[no-any-return]
    packaging: Packaging = Packaging.objects.create(version=version, requested_by=user)
    _set_status(version, status=Version.Status.PENDING_PACKAGING)
    transaction.on_commit(ring, robust=True)
    return packaging


def stop_packaging(*, packaging: Packaging, user: User) -> bool:
    """End a packaging on request. False: it had ended already."""
    return executions.request_stop(packaging, reason=f"Stopped by {user}.", at=timezone.now())


def slots() -> int:
    """Return how many packagings a node holds at once."""
    count: int = settings.PACKAGING_SLOTS
    return count


def ring(queue: str | None = None) -> None:
    """Let a cluster know that packagings may be waiting; one node's, or whichever comes first."""
    async_task("orchestrations.jobs.launch_packagings", cluster=queue)


def launch_packagings() -> int:
    """Start what waits, as far as this node has room. Return how many were started."""
    node = executions.this_node()
    count = 0
    while packaging := executions.claim_oldest(
        Packaging, node=node, slots=slots(), at=timezone.now()
    ):
        _launch(packaging)
        count += 1
    return count


def _launch(packaging: Packaging) -> None:
    try:
        with packaging.spool.launching():
            # Not before: a launch that was given up as dead finds the spool taken.
            _set_status(packaging.version, status=Version.Status.PACKAGING)
            path = packaging.spool.directory / ORDER
            path.write_text(json.dumps(asdict(_order(packaging))), encoding="utf-8")
            executions.launch(
                packaging,
                LaunchPlan(
                    command=[sys.executable, "-m", "orchestrations.packager", str(path.parent)],
                    environment=_installer_environment(),
                    cwd=settings.BASE_DIR,
                    sandboxed=False,
                    timeout_seconds=settings.PACKAGING_TIMEOUT_SECONDS,
                ),
            )
    except Exception as error:  # A claimed packaging must not be left without a word.
        logger.exception("packaging could not be started", extra=packaging.log_context())
        executions.fail_launch(packaging, f"Packaging could not be started: {error}")


def _order(packaging: Packaging) -> Order:
    version = packaging.version
    data = Path(settings.DATA_DIR)
    return Order(
        root=str(data / "environments"),
        cache=str(data / "cache" / "uv"),
        uv=str(Path(sys.prefix) / "bin" / "uv"),
        python=str(sandbox.interpreter()),
        builder=_builder(packaging),
        base_requirements=settings.BASE_REQUIREMENTS,
        requirements=version.requirements,
        notes=version.packaging_notes,
        source_build_prefix=_source_build_prefix(packaging),
    )


def _builder(packaging: Packaging) -> str:
    return packaging.pk.hex[:12]


def _source_build_prefix(packaging: Packaging) -> list[str] | None:
    """Return the sandbox for builds from source, or None where they are not allowed."""
    found = sandbox.probe()
    if settings.SOURCE_BUILDS == "never" or found.bwrap is None:
        return None
    home = packaging.spool.home
    sandbox.give_to_sandbox(home)
    return found.command(
        [],
        home=home,
        cwd=Path(),
        read_only=[sandbox.interpreter_home(), Path(sys.prefix)],
        writable=[packaging.version.environment.draft(_builder(packaging))],
    )


def _installer_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in INSTALLER_VARIABLES if name in os.environ}
    # The operator's choice of index and the like, in the installer's own words.
    kept |= {name: value for name, value in os.environ.items() if name.startswith("UV_")}
    return {
        "PATH": os.defpath,
        "PYTHONUNBUFFERED": "1",
        "UV_NO_PROGRESS": "1",
        # Trust whom the host trusts: many an index sits behind a company's own certificate.
        "UV_SYSTEM_CERTS": "1",
        **kept,
    }


@transaction.atomic
def conclude_packaging(packaging: Packaging) -> None:
    """Let the end of a packaging decide what becomes of its version."""
    if packaging.status == Status.SUCCESS:
        _set_status(packaging.version, status=Version.Status.READY, packaged_at=packaging.ended_at)
    else:
        _set_status(packaging.version, status=Version.Status.ERROR, packaged_at=None)
    transaction.on_commit(ring, robust=True)


def _set_status(version: Version, **changes: Any) -> None:
    with transaction.atomic():
        # The orchestration first, as where a task is made, or a version comes: whoever looks
        # for a version to run waits until it is said which one that is.
        Orchestration.objects.filter(pk=version.orchestration_id).update(updated_at=timezone.now())
        Version.objects.filter(pk=version.pk).update(**changes)
    for name, value in changes.items():
        setattr(version, name, value)
