"""What can be asked of orchestrations: upload, package, stop packaging."""

import hashlib
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from orchestrations.archives import Archive, Limits, inspect_archive
from orchestrations.models import Orchestration, Packaging
from orchestrations.packager import ORDER, Order
from orchestrations.requirements import parse_requirements
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import sandbox
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.services import LaunchPlan
from wallaroo_ui.workspaces.models import Workspace

logger = logging.getLogger(__name__)

# What the installer may know of the server's environment: how to reach the index.
INSTALLER_VARIABLES = (
    "HOME", "LANG", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip


def upload_orchestration(
    *, workspace: Workspace, file: File[bytes], file_name: str, name: str, user: User
) -> Orchestration:
    """Take in an archive and have it packaged.

    Args:
        workspace: where it goes; the caller has checked that `user` may.
        file: the ZIP; read, never executed.
        file_name: as its sender calls it.
        name: may be empty.
        user: who sends it.

    Raises:
        ArchiveRefused: with every problem of the archive; nothing is stored then.
    """
    archive = inspect_archive(file, limits=Limits())
    file.seek(0)
    sha = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    requirements = parse_requirements(archive.requirements)
    orchestration = Orchestration(
        workspace=workspace,
        name=name,
        file_name=file_name,
        file_size=file.size,
        sha=sha,
        entry_point=archive.entry_point,
        requirements_path=archive.requirements_path,
        requirements=list(requirements.lines),
        packaging_notes=packaging_notes(archive),
        created_by=user,
    )
    # The name on disk is ours: nothing of the sender's reaches a path.
    orchestration.archive.save(f"{orchestration.pk}.zip", file, save=False)
    try:
        with transaction.atomic():
            orchestration.save()
            request_packaging(orchestration=orchestration, user=user)
    except BaseException:
        orchestration.archive.delete(save=False)
        raise
    logger.info(
        "orchestration uploaded",
        extra={"orchestration": str(orchestration.pk), "workspace": workspace.pk, "sha": sha},
    )
    return orchestration


def packaging_notes(archive: Archive) -> list[str]:
    """Return what the packaging log should say of an archive, in words."""
    asked = archive.requirements_path or "no requirements.txt"
    return [f"Entry point: {archive.entry_point}; requirements: {asked}.", *archive.warnings]


@transaction.atomic
def request_packaging(*, orchestration: Orchestration, user: User | None) -> Packaging:
    """Queue a packaging; one that is already waiting or going on is returned instead."""
    Orchestration.objects.select_for_update().get(pk=orchestration.pk)
    current = orchestration.packagings.unfinished().first()
    if current is not None:
        return current  # type: ignore[no-any-return]
    packaging: Packaging = Packaging.objects.create(orchestration=orchestration, requested_by=user)
    _set_status(orchestration, Orchestration.Status.PENDING_PACKAGING)
    transaction.on_commit(ring)
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
    orchestration = packaging.orchestration
    try:
        with packaging.spool.launching():
            # Not before: a launch that was given up as dead finds the spool taken.
            _set_status(orchestration, Orchestration.Status.PACKAGING)
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
    orchestration = packaging.orchestration
    data = Path(settings.DATA_DIR)
    return Order(
        root=str(data / "environments"),
        cache=str(data / "cache" / "uv"),
        uv=str(Path(sys.prefix) / "bin" / "uv"),
        python=str(sandbox.interpreter()),
        builder=_builder(packaging),
        base_requirements=settings.BASE_REQUIREMENTS,
        requirements=orchestration.requirements,
        notes=orchestration.packaging_notes,
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
        writable=[packaging.orchestration.environment.draft(_builder(packaging))],
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


def conclude_packaging(packaging: Packaging) -> None:
    """Let the end of a packaging decide what becomes of its orchestration."""
    succeeded = packaging.status == Status.SUCCESS
    _set_status(
        packaging.orchestration,
        Orchestration.Status.READY if succeeded else Orchestration.Status.ERROR,
    )
    transaction.on_commit(ring)


def _set_status(orchestration: Orchestration, status: str) -> None:
    orchestration.status = status
    orchestration.save(update_fields=["status", "updated_at"])
