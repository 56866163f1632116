"""What happens to executions: claimed, launched, followed, ended."""

import functools
import hashlib
import logging
import os
import py_compile
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from wallaroo_ui.executions import doorbell, logstore, sandbox, supervisor
from wallaroo_ui.executions.models import Execution, Node, Status
from wallaroo_ui.executions.spool import Started, Verdict

logger = logging.getLogger(__name__)

# Sent once when an execution has ended, in the transaction that records it; the sender
# is its model. The floors above hang on it what follows.
ended = Signal()

# How long a claimed execution may go without a supervisor before it counts as lost.
LAUNCH_SECONDS = 30

# How many waiting executions one claim looks at; another node may take the first ones.
CANDIDATES = 10

ExecutionT = TypeVar("ExecutionT", bound=Execution)


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """What a supervisor is to start.

    Attributes:
        command: the program and its arguments, the sandbox around it included.
        environment: all of it; nothing of the server's own leaks in.
        cwd: the working directory on the host.
        timeout_seconds: None for no limit.
        notes: lines of ours that open the log.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    sandboxed: bool
    timeout_seconds: int | None
    notes: Sequence[str] = field(default=())


def register_node() -> Node:
    """Bring this host's row up to date with its settings and its sandbox."""
    found = sandbox.probe()
    node, _ = Node.objects.update_or_create(
        name=settings.NODE_NAME,
        defaults={
            "slots": settings.RUN_SLOTS,
            "isolation": found.isolation,
            "isolation_detail": found.detail[:255],
        },
    )
    return node


def this_node() -> Node:
    """Return this host's row; whoever comes first makes it."""
    return Node.objects.filter(name=settings.NODE_NAME).first() or register_node()


@transaction.atomic
def claim_oldest(
    kind: type[ExecutionT], *, node: Node, slots: int, at: datetime
) -> ExecutionT | None:
    """Take the longest waiting execution of one kind for `node`, if it has a slot free.

    Args:
        kind: the model.
        node: the host that will start it.
        slots: how many of this kind the node holds at once.
        at: the present.
    """
    # One claim at a time on a node, so that two cannot take its last slot together.
    Node.objects.select_for_update().get(pk=node.pk)
    if kind.objects.held_by(node).count() >= slots:
        return None
    candidate: ExecutionT
    for candidate in kind.objects.startable()[:CANDIDATES]:
        if candidate.claim(node=node, at=at):
            claimed: ExecutionT = kind.objects.with_relations().get(pk=candidate.pk)
            return claimed
    return None


@functools.cache
def supervisor_program() -> Path:
    """Return the supervisor, compiled: reading its source would double its start-up time."""
    source = Path(supervisor.__file__)
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    compiled = Path(settings.DATA_DIR) / "supervisor" / f"{version}-{sys.version_info.minor}.pyc"
    if not compiled.exists():
        # Written aside and renamed, so a half-written one is never started.
        py_compile.compile(str(source), cfile=str(compiled), doraise=True)
    return compiled


def launch(execution: Execution, plan: LaunchPlan) -> None:
    """Start the supervisor of a claimed execution, whose spool is ready, and let go of it."""
    directory = execution.spool.directory
    with (directory / "supervisor.err").open("wb") as errors:
        subprocess.run(
            supervisor_command(directory, plan, detached=True),
            env=dict(plan.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            check=True,
        )


def supervisor_command(directory: Path, plan: LaunchPlan, *, detached: bool = False) -> list[str]:
    """Return the command line of the supervisor that carries out a plan.

    Args:
        directory: the spool.
        plan: what is to be started.
        detached: whether it becomes nobody's child and returns at once.
    """
    options = {
        "sandboxed": "1" if plan.sandboxed else "0",
        "timeout": "" if plan.timeout_seconds is None else str(plan.timeout_seconds),
        "grace": str(settings.STOP_GRACE_SECONDS),
        "log_limit": str(settings.RUN_LOG_MAX_BYTES),
        "doorbells": str(doorbell.doorbells(doorbell.AGENT)),
        "cwd": str(plan.cwd),
        "detach": "1" if detached else "0",
    }
    command = [str(sandbox.interpreter()), "-I", "-S", str(supervisor_program()), str(directory)]
    command += [f"{name}={value}" for name, value in options.items()]
    command += [f"note={note}" for note in plan.notes]
    return [*command, "--", *plan.command]


def give_back(execution: Execution) -> bool:
    """Put a claimed execution back into the queue; one that was asked to stop ends instead."""
    with transaction.atomic():
        if not execution.give_back():
            return False
        execution.refresh_from_db()
        if execution.stop_requested_at is not None:
            _cancel_queued(execution, reason=execution.stop_reason, at=timezone.now())
    return True


def fail_launch(execution: Execution, reason: str) -> None:
    """Finish an execution that never started."""
    end(execution, Verdict(status=Status.FAILURE, reason=reason, ended_at=timezone.now()))


def request_stop(execution: Execution, *, reason: str, at: datetime) -> bool:
    """Ask for the end of an execution. False: it had ended, or was asked before.

    What only waits is over at once; what runs gets TERM, and KILL after the grace.
    """
    for _ in range(2):  # Between the questions it may be given back to the queue.
        if _cancel_queued(execution, reason=reason, at=at):
            return True
        if execution.ask_to_stop(reason=reason, at=at):
            doorbell.ring(doorbell.AGENT)
            return True
    return False


def _cancel_queued(execution: Execution, *, reason: str, at: datetime) -> bool:
    with transaction.atomic():
        if not execution.cancel_queued(reason=reason, at=at):
            return False
        execution.refresh_from_db()
        ended.send(sender=type(execution), execution=execution)
    return True


def follow(execution: Execution, *, at: datetime) -> None:
    """Bring the row of a held execution up to what its supervisor has done since."""
    spool = execution.spool
    verdict = spool.verdict()
    if verdict is not None:
        end(execution, verdict)
        return
    started = spool.started()
    if started is not None and execution.status == Status.STARTING:
        execution.mark_running(started_at=started.started_at)
    if execution.stop_requested_at is not None and not spool.has_stop_order():
        with suppress(FileNotFoundError):  # Not unpacked yet: next time.
            spool.order_stop(
                reason=execution.stop_reason, grace_seconds=settings.STOP_GRACE_SECONDS
            )
    claimed_at = execution.claimed_at or execution.queued_at
    if started is None:
        if at - claimed_at < timedelta(seconds=LAUNCH_SECONDS):
            return
        spool.forbid_start()  # Or one that comes too late would run what counts as lost.
    # Asked in this order: a verdict is written before the lock is let go.
    if not spool.is_supervised() and spool.verdict() is None:
        if started is not None:
            kill_leftovers(started)
        reason = "Its supervisor is gone and left no verdict."
        end(execution, Verdict(status=Status.LOST, reason=reason, ended_at=at))


def kill_leftovers(started: Started) -> None:
    """End what a dead supervisor left running.

    After a restart of the host, or of a container, its pid is somebody else's.
    """
    pid = started.child_pid
    if not started.child_born or supervisor.born(pid) != started.child_born:
        return
    for below in supervisor.descendants(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(below, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end(execution: Execution, verdict: Verdict) -> bool:
    """Record a verdict, once, and what follows from it."""
    spool = execution.spool
    verdict = execution.explain(verdict)
    size = logstore.measure(spool)
    verdict = replace(
        verdict,
        # PostgreSQL keeps no NUL in a text.
        reason=verdict.reason.replace("\0", "\\x00"),
        log_lines=size.lines,
        log_bytes=size.bytes,
    )
    # Before the row: nobody looks at a finished execution again. With a verdict nothing runs
    # in it any more, even where its supervisor is still on its way out.
    if spool.verdict() is not None or not spool.is_supervised():
        spool.clear_home()
    with transaction.atomic():
        if not execution.finish(verdict, log_tail=logstore.tail_text(spool)):
            return False
        execution.refresh_from_db()
        ended.send(sender=type(execution), execution=execution)
    logger.info(
        "execution ended",
        extra={
            **execution.log_context(),
            "status": verdict.status,
            "exit_code": verdict.exit_code,
            "log_lines": verdict.log_lines,
        },
    )
    return True
