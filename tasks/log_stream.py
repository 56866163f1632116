"""A run's log while it is written: one stream of server-sent events.

    id: BYTE OFFSET           where to go on, after a break
    event: lines              {"html", "first", "last", "skipped", "end"}
    event: status             the run's status, when anything of the run has changed
    event: end                the run has ended, and all it wrote was sent

A stream costs a look at a file four times a second, and neither a thread nor a connection to
the database while nothing happens. One query a second tells the status of all runs that
are watched in this process.
"""

import asyncio
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import close_old_connections

from tasks.models import TaskRun
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.log_rows import rows
from wallaroo_ui.executions.logstore import LogWindow
from wallaroo_ui.executions.models import FINISHED
from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.streaming import is_closing

LOOK_SECONDS = 0.25
STATUS_SECONDS = 1.0
# So that no proxy takes a quiet stream for a dead one.
HEARTBEAT_SECONDS = 15.0
# How often it is asked whether the reader may still read.
RECHECK_SECONDS = 30.0
# Then the browser connects anew: nothing lives for ever by mistake.
LONGEST_SECONDS = 300.0
# How long a browser waits before it connects anew.
RETRY_MS = 500


def as_json(window: LogWindow, *, link: str = "") -> dict[str, Any]:
    """Return a window as the page's script takes it."""
    return {
        "html": rows(window.lines, link=link),
        "first": window.first,
        "last": window.last,
        "skipped": window.skipped,
        "end": window.end_offset,
    }


@dataclass(frozen=True)
class RunState:
    """What a stream wants to know of a run."""

    status: str
    fence: int
    updated_at: datetime


class StatusBoard:
    """The states of all runs that somebody watches, read at most once a second for all."""

    def __init__(self) -> None:
        self._watched: Counter[UUID] = Counter()
        self._states: dict[UUID, RunState] = {}
        self._read_at = float("-inf")
        self._is_reading = False

    @contextlib.contextmanager
    def watching(self, run: TaskRun) -> Iterator[None]:
        """Have the state of a run read along."""
        self._watched[run.pk] += 1
        self._states.setdefault(run.pk, RunState(run.status, run.fence, run.updated_at))
        try:
            yield
        finally:
            self._watched[run.pk] -= 1
            if not self._watched[run.pk]:
                del self._watched[run.pk]
                self._states.pop(run.pk, None)

    async def state_of(self, pk: UUID, *, at: float) -> RunState | None:
        """Return the state of a watched run; None once it is deleted.

        Args:
            pk: of the run.
            at: now, by `time.monotonic()`. Whoever asks first after a second reads for all.
        """
        if at - self._read_at >= STATUS_SECONDS and not self._is_reading:
            self._is_reading = True
            try:
                asked = set(self._watched)
                found = await asyncio.to_thread(_read_states, asked)
            finally:
                self._is_reading = False
            self._read_at = at
            for each in asked & set(self._watched):
                if each in found:
                    self._states[each] = found[each]
                else:
                    self._states.pop(each, None)
        return self._states.get(pk)


def _read_states(pks: set[UUID]) -> dict[UUID, RunState]:
    try:
        states = TaskRun.objects.filter(pk__in=pks).values_list(
            "pk", "status", "fence", "updated_at"
        )
        return {pk: RunState(*state) for pk, *state in states}
    finally:
        close_old_connections()


board = StatusBoard()


async def follow(
    run: TaskRun,
    *,
    offset: int,
    may_go_on: Callable[[], bool],
    link: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yield the events of a run's log from a byte offset on, until there is a reason to end.

    Args:
        run: as it is now.
        offset: where the reader has come to.
        may_go_on: asked now and then, in a thread: whether the reader may still read.
        link: as `rows` wants it.
        clock: tells the seconds that have passed.
    """
    await _let_go_of_request()
    began = checked = spoke = clock()
    told, seen = RunState(run.status, run.fence, run.updated_at), -1
    yield b"retry: %d\n\n" % RETRY_MS
    with board.watching(run):
        while not is_closing.is_set() and (now := clock()) - began < LONGEST_SECONDS:
            # The status before the log: what a finished run wrote last is in its log by then.
            state = await board.state_of(run.pk, at=now)
            if state is None:
                return
            run.fence = state.fence
            size = _size(run.spool)
            if size != seen:
                seen = size
                lines, offset = await asyncio.to_thread(_read_on, run.spool, offset, link)
                for event in lines:
                    yield event
            if state != told:
                told = state
                yield _event("status", state.status, offset)
            if state.status in FINISHED:
                yield _event("end", state.status, offset)
                return
            if now - checked >= RECHECK_SECONDS:
                checked = now
                if not await asyncio.to_thread(_closing_connections, may_go_on):
                    return
            if now - spoke >= HEARTBEAT_SECONDS:
                spoke = now
                yield b": still here\n\n"
            await asyncio.sleep(LOOK_SECONDS)


def _read_on(spool: Spool, offset: int, link: str) -> tuple[list[bytes], int]:
    """Return the event of what was written since an offset, if any, and where to go on."""
    window = logstore.read_after(spool, offset)
    if not window.lines:
        return [], offset
    data = json.dumps(as_json(window, link=link))
    return [_event("lines", data, window.end_offset)], window.end_offset


def _event(name: str, data: str, offset: int) -> bytes:
    return f"id: {offset}\nevent: {name}\ndata: {data}\n\n".encode()


def _size(spool: Spool) -> int:
    try:
        return os.stat(spool.log).st_size  # noqa: PTH116 (four times a second for each stream)
    except FileNotFoundError:
        return 0


def _closing_connections(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    finally:
        close_old_connections()


async def _let_go_of_request() -> None:
    """Give back the thread and the database connection that Django keeps for a request.

    It keeps them until the answer has been sent as a whole: here, for minutes.
    """
    await sync_to_async(close_old_connections)()
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)
