"""Starting runs: from the queue to a supervisor of their own."""

import json
import logging
import os
import shutil
import time
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from orchestrations import services as orchestrations
from orchestrations.archives import unpack_archive
from orchestrations.environments import base_environment
from orchestrations.models import Version
from tasks import credentials
from tasks.models import TaskRun
from wallaroo_ui.executions import sandbox
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.services import LaunchPlan

logger = logging.getLogger(__name__)

# How many runs one job starts.
MOST_LAUNCHES = 10
# Large archives take longer to unpack: after so long the next job goes on.
LAUNCHING_SECONDS = 3.0


def ring(queue: str | None = None) -> None:
    """Let a cluster know that runs may be waiting. Only a doorbell: a lost one is no loss.

    Args:
        queue: of one node; without it, whichever comes first.
    """
    async_task("tasks.jobs.launch_runs", cluster=queue)


def ring_after_commit() -> None:
    """Ring once what this transaction changed can be seen."""
    transaction.on_commit(ring, robust=True)


def launch_runs() -> int:
    """Start the runs that wait, in their order, as far as this node has slots.

    A job is short: where many wait, the next job goes on.

    Returns:
        How many were started.
    """
    node = executions.this_node()
    until = time.monotonic() + LAUNCHING_SECONDS
    count = 0
    while count == 0 or (count < MOST_LAUNCHES and time.monotonic() < until):
        run = executions.claim_oldest(TaskRun, node=node, slots=node.slots, at=timezone.now())
        if run is None:
            return count
        _launch(run)
        count += 1
    ring()
    return count


def _launch(run: TaskRun) -> None:
    version = run.chosen
    if version is None or not version.is_ready:
        executions.give_back(run)  # Its packaging failed, or began anew, at this very moment.
        return
    if not _take_environment(version):
        # Removed, or made on another host: the run waits again while it is made here.
        executions.give_back(run)
        orchestrations.request_packaging(version=version, user=None)
        return
    run.version = version
    TaskRun.objects.filter(pk=run.pk).update(
        version=version, environment_name=version.environment.name
    )
    try:
        with run.spool.launching():
            with version.archive.open("rb") as archive:
                unpack_archive(archive, run.spool.home)
            executions.launch(run, _plan(run, version))
    except Exception as error:  # A claimed run must not be left without a word.
        logger.exception("run could not be started", extra=run.log_context())
        executions.fail_launch(run, f"The run could not be started: {error}")
    else:
        logger.info("run launched", extra=run.log_context())


def _take_environment(version: Version) -> bool:
    """Mark its environment as used, so that housekeeping leaves it. False: it is not there."""
    environment = version.environment
    base = base_environment(environment.root, settings.BASE_REQUIREMENTS)
    try:
        for each in (base, environment):
            os.utime(each.directory)
    except FileNotFoundError:
        return False
    return True


def _plan(run: TaskRun, version: Version) -> LaunchPlan:
    """Prepare a run's home, with its arguments and credentials, and say how to start it."""
    task = run.task
    found = sandbox.probe()
    home = run.spool.home
    seen_home = sandbox.HOME if found.bwrap else home
    _write_private(home / "arguments.json", run.arguments_json)
    _write_private(
        home / ".cache/wallaroo_sdk/auth/keycloak.json", json.dumps(credentials.token_cache(run))
    )
    sandbox.give_to_sandbox(home)

    entry_point = PurePosixPath(version.entry_point)
    environment = version.environment
    base = base_environment(environment.root, settings.BASE_REQUIREMENTS)
    command = found.command(
        [str(environment.python), str(seen_home / entry_point)],
        home=home,
        cwd=Path(entry_point.parent),
        read_only=dict.fromkeys(
            [environment.directory, base.directory, sandbox.interpreter_home()]
        ),
    )
    variables = {
        "HOME": str(seen_home),
        "USER": "jovyan",
        "LOGNAME": "jovyan",
        "LANG": "C.UTF-8",
        "PATH": ":".join(
            [
                str(environment.directory / "bin"),
                str(base.directory / "bin"),
                "/usr/local/bin:/usr/bin:/bin",
            ]
        ),
        "VIRTUAL_ENV": str(environment.directory),
        # Lines arrive as they are printed, not when the script ends.
        "PYTHONUNBUFFERED": "1",
        "WALLAROO_URL": settings.TASK_SERVER_URL,
        "WALLAROO_TASK_ID": str(task.pk),
        "WALLAROO_RUN_ID": str(run.pk),
        "ORCH_ID": str(task.orchestration_id),
        "ORCH_SHA": version.sha,
        "TASK_ID": str(task.pk),
    }
    place = f"{settings.NODE_NAME}, {version}, {version.entry_point}"
    notes = [f"run {run.pk} of task {task.name!r} on {place}"]
    if found.bwrap is None:
        variables["PYTHONPATH"] = str(sandbox.START_UP_HOOK)
        notes.append(f"not sandboxed, a plain process with its home at {home}")
    return LaunchPlan(
        command=command,
        environment=variables,
        cwd=Path("/") if found.bwrap else home / entry_point.parent,
        sandboxed=found.bwrap is not None,
        timeout_seconds=run.timeout_seconds,
        notes=notes,
    )


def _write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone reads, in place of whatever the archive had there."""
    for parent in reversed(path.parents):
        if parent.is_file():
            parent.unlink()
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
