"""What happens to executions: claimed, launched, followed, ended."""

import functools
import hashlib
import importlib.metadata
import logging
import os
import platform
import py_compile
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
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

# How long after its claim nobody may be seen preparing an execution, or starting it,
# before the claim counts as dead; and how long at the most one may be at it.
LAUNCH_SECONDS = 10
LONGEST_LAUNCH_SECONDS = 900
# A launch that dies so often kills whoever tries it.
LAUNCHES = 5
# How long a supervisor may be late with an end before the agent ends it instead.
BACKSTOP_SECONDS = 10.0

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
            "versions": versions(),
        },
    )
    return node


def versions() -> str:
    """Return what runs here, for people who wonder why two nodes differ."""
    product = importlib.metadata.version("wallaroo-ui")
    return f"Wallaroo UI {product}, Python {platform.python_version()}, {platform.system()} " + (
        platform.release()
    )


def this_node() -> Node:
    """Return this host's row; whoever comes first makes it."""
    return Node.objects.filter(name=settings.NODE_NAME).first() or register_node()


def set_draining(node: Node, *, is_draining: bool, user: object) -> bool:
    """Have a node take no more work, or take work again. False: it was told so already.

    What it holds goes on to its end either way.
    """
    changed = Node.objects.filter(pk=node.pk).exclude(is_draining=is_draining)
    if not changed.update(is_draining=is_draining):
        return False
    words = "node drained" if is_draining else "node takes work again"
    logger.info(words, extra={"node": node.name, "user": str(user)})
    return True


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
    node = Node.objects.select_for_update().get(pk=node.pk)
    if not node.takes_work(at=at):
        return None
    if kind.objects.held_by(node).count() >= slots:
        return None
    candidate: ExecutionT
    for candidate in kind.objects.startable(at=at)[:CANDIDATES]:
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
    """Finish an execution that never started; one that started after all is followed on."""
    if execution.status == Status.STARTING and not execution.spool.forbid_start():
        return
    end(execution, Verdict(status=Status.FAILURE, reason=reason, ended_at=timezone.now()))


def request_stop(execution: Execution, *, reason: str, at: datetime) -> bool:
    """Ask for the end of an execution. False: it had ended, or was asked before.

    What only waits is over at once; what runs gets TERM, and KILL after the grace.
    """
    for _ in range(2):  # Between the questions it may be given back to the queue.
        if _cancel_queued(execution, reason=reason, at=at):
            return True
        if execution.ask_to_stop(reason=reason, at=at):
            transaction.on_commit(functools.partial(doorbell.ring, doorbell.AGENT))
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
    if started is None:
        _follow_launch(execution, at=at)
    # Asked in this order: a verdict is written before the lock is let go.
    elif spool.is_supervised():
        _end_overdue(execution, started, at=at)
    elif spool.verdict() is None:
        kill_leftovers(started)
        _lose(execution, at=at)


def _follow_launch(execution: Execution, *, at: datetime) -> None:
    """Put what nobody is starting any more back into the queue, if nothing was started."""
    spool = execution.spool
    waited = (at - (execution.claimed_at or execution.queued_at)).total_seconds()
    # A claim that lies far ahead is old as well: the clock was put back since.
    if abs(waited) < LAUNCH_SECONDS:
        return
    # Asked in this order: the one takes its lock before the other lets go of its own.
    if waited < LONGEST_LAUNCH_SECONDS and (spool.is_launching() or spool.is_supervised()):
        return
    if not spool.forbid_start():
        # It was started after all. Or its supervisor died at that very moment.
        if spool.started() is None and not spool.is_supervised() and spool.verdict() is None:
            _lose(execution, at=at)
    elif execution.fence < 2 * LAUNCHES - 1:  # Both a claim and its giving back raise it.
        logger.warning("launch died, queued again", extra=execution.log_context())
        spool.clear_home()
        give_back(execution)
    else:
        fail_launch(execution, f"It could not be started: its launch died {LAUNCHES} times.")


def _end_overdue(execution: Execution, started: Started, *, at: datetime) -> None:
    """End what its supervisor should have ended long ago, in its place.

    By the clock that the supervisor goes by: the system's may be put forward.
    """
    now, limit = time.monotonic(), execution.time_limit
    patience = settings.STOP_GRACE_SECONDS + BACKSTOP_SECONDS
    ordered = execution.spool.stop_ordered_clock() if execution.stop_requested_at else None
    if limit is not None and now - started.started_clock > limit.total_seconds() + patience:
        status = Status.TIMED_OUT
        reason = f"Stopped after its timeout of {limit.total_seconds():g} s"
    elif ordered is not None and now - ordered > patience:
        status, reason = Status.KILLED, execution.stop_reason.rstrip(".")
    else:
        return
    execution.spool.kill()
    reason += ", by the agent: its supervisor did not answer."
    end(execution, Verdict(status=status, reason=reason, ended_at=at))


def _lose(execution: Execution, *, at: datetime) -> None:
    reason = "Its supervisor is gone and left no verdict."
    end(execution, Verdict(status=Status.LOST, reason=reason, ended_at=at))


def stop_given_up(execution: Execution) -> bool:
    """Stop what goes on of an execution that counts as lost: its node was away too long.

    Returns:
        Whether nothing of it is left.
    """
    spool = execution.spool
    if not spool.is_supervised():
        spool.clear_home()
        return True
    ordered = spool.stop_ordered_clock()
    if ordered is None:
        logger.warning("stopping what was given up", extra=execution.log_context())
        reason = "Its node was away for too long: it had been given up as lost."
        spool.order_stop(reason=reason, grace_seconds=settings.STOP_GRACE_SECONDS)
    elif time.monotonic() - ordered > settings.STOP_GRACE_SECONDS + BACKSTOP_SECONDS:
        spool.kill()
    return False


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
    # PostgreSQL keeps no NUL in a text.
    explained = execution.explain(verdict)
    verdict = replace(explained, reason=explained.reason.replace("\0", "\\x00"))
    has_last_line = spool.verdict() is not None
    is_over = has_last_line or not spool.is_supervised()
    # Before the row: nobody looks at a finished execution again. With a verdict nothing runs
    # in it any more, even where its supervisor is still on its way out.
    if is_over:
        spool.clear_home()
    with transaction.atomic():
        if not execution.finish(verdict):
            return False
        if is_over and not has_last_line:
            logstore.append_note(spool, f"{verdict.status}. {verdict.reason}", at=verdict.ended_at)
        execution.keep_log_summary(logstore.measure(spool), tail=logstore.tail_text(spool))
        execution.refresh_from_db()
        ended.send(sender=type(execution), execution=execution)
    logger.info(
        "execution ended",
        extra={
            **execution.log_context(),
            "status": verdict.status,
            "exit_code": verdict.exit_code,
            "log_lines": execution.log_lines,
        },
    )
    return True
