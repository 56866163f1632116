"""The folder through which the server and one supervisor talk.

`supervisor.py` says what each file means. Everything here is safe to call at any
moment, by any number of processes, before, during and after an execution.
"""

import contextlib
import fcntl
import json
import math
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from wallaroo_ui.executions import supervisor

# Held (flock) by whoever prepares a spool and starts its supervisor.
LAUNCHER = "launcher.lock"
# What stands in `started.json` where nothing will be started any more.
FORBIDDEN = b"null"
# How long a supervisor that was killed may take to be gone.
DEATH_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Started:
    """That the supervisor has started the code.

    Attributes:
        supervisor_pid: valid as long as the spool `is_supervised`.
        child_pid: of the code or of its sandbox; another process may have it by now.
        child_born: tells whether it is still the same process (`supervisor.born`).
        started_clock: when it was started, by `time.monotonic()`, which all processes of a host
            share, and which nobody can put forward or back.
    """

    started_at: datetime
    supervisor_pid: int
    child_pid: int
    child_born: str = ""
    started_clock: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How an execution ended.

    Attributes:
        status: one of `success`, `failure`, `timed_out`, `killed`, `lost`.
        reason: in words; empty for a success.
        exit_code: as a shell counts it, so 128 + the signal's number for a signal.
        signal_name: such as `SIGKILL`; empty if the code ended by itself.
        peak_memory_bytes: of the largest single process.
        cpu_seconds: of all processes together, user and system.
    """

    status: str
    ended_at: datetime
    reason: str = ""
    started_at: datetime | None = None
    exit_code: int | None = None
    signal_name: str = ""
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    log_lines: int = 0
    log_bytes: int = 0

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what the supervisor wrote; its times are seconds since 1970, UTC."""
        for name in ("started_at", "ended_at"):
            content[name] = datetime.fromtimestamp(content[name], UTC)
        return cls(**content)


@dataclass(frozen=True)
class Spool:
    """The spool of one execution."""

    directory: Path

    @property
    def home(self) -> Path:
        """Return the folder that the code sees as its home."""
        return self.directory / "home"

    @property
    def log(self) -> Path:
        """Return the log's file; it need not exist yet."""
        return self.directory / supervisor.LOG

    @property
    def index(self) -> Path:
        """Return the file of the log's sparse index."""
        return self.directory / supervisor.INDEX

    def create(self) -> None:
        """Make the folder and an empty home; raises OSError if they are there already."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700)
        self.home.mkdir(mode=0o700)

    @contextlib.contextmanager
    def launching(self) -> Iterator[None]:
        """Make it, and be seen preparing it as long as this process lives.

        Raises:
            OSError: it is there already.
        """
        self.create()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.directory / LAUNCHER, flags, 0o600)
        try:
            # The kernel lets go of it when this process dies, however it dies.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def is_launching(self) -> bool:
        """Tell whether somebody is preparing it at this moment."""
        return self._is_locked(LAUNCHER)

    def started(self) -> Started | None:
        """Return that the code was started, or None as long as it was not."""
        content = self._read_json(supervisor.STARTED)
        if content is None:
            return None
        content["started_at"] = datetime.fromtimestamp(content["started_at"], UTC)
        return Started(**content)

    def verdict(self) -> Verdict | None:
        """Return the verdict, or None as long as there is none."""
        content = self._read_json(supervisor.VERDICT)
        return None if content is None else Verdict.from_json(content)

    def is_supervised(self) -> bool:
        """Tell whether a supervisor lives: it holds the lock until its very end."""
        return self._is_locked(supervisor.LOCK)

    def _is_locked(self, name: str) -> bool:
        try:
            descriptor = os.open(self.directory / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask at once do not take each other for a supervisor.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def forbid_start(self) -> bool:
        """Have a supervisor that comes from now on refuse to start the code.

        Returns:
            True where nothing was started and nothing will be; False where a supervisor was
            first.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / supervisor.STARTED
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes() == FORBIDDEN
        os.write(descriptor, FORBIDDEN)
        os.close(descriptor)
        return True

    def order_stop(self, *, reason: str, grace_seconds: float, wake: bool = True) -> None:
        """Tell the supervisor to end the code: TERM, then KILL after the grace.

        It looks for the order once a second, and at once if it is woken.
        """
        draft = self.directory / f"{supervisor.STOP}.{os.getpid()}"
        draft.write_text(
            json.dumps(
                {
                    "reason": reason,
                    "grace_seconds": grace_seconds,
                    "ordered_clock": time.monotonic(),
                }
            ),
            encoding="utf-8",
        )
        draft.replace(self.directory / supervisor.STOP)
        if wake:
            self.wake()

    def wake(self) -> None:
        """Have the supervisor look for orders."""
        pid = self._supervisor_here()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill a supervisor that does not answer any more, and everything below it.

        It is gone on return, unless the kernel holds it: whoever asks then is told so.
        """
        supervisor_pid = self._supervisor_here()
        if supervisor_pid is None:
            return
        # Looked for first: with their supervisor gone they are nobody's children.
        tree = [*supervisor.descendants(supervisor_pid), supervisor_pid]
        for pid in reversed(tree):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + DEATH_SECONDS
        while self.is_supervised() and time.monotonic() < until:
            time.sleep(0.005)

    def _supervisor_here(self) -> int | None:
        """Return the pid of the supervisor, if it lives on this host: others share the folder."""
        started = self.started()
        if started is None or not self.is_supervised():
            return None
        pid = started.supervisor_pid
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:
            return None if Path("/proc").is_dir() else pid
        return pid if os.fsencode(self.directory) in command else None

    def has_stop_order(self) -> bool:
        """Tell whether the supervisor has been told to stop."""
        return (self.directory / supervisor.STOP).exists()

    def stop_ordered_clock(self) -> float | None:
        """Return when the supervisor was told to stop, by `time.monotonic()`; None if not."""
        order = self._read_json(supervisor.STOP) or {}
        clock: float | None = order.get("ordered_clock")
        return clock

    def clear_home(self) -> None:
        """Take away the code and what it wrote; the log and the verdict stay.

        The folder is out of sight at once, and removed in the background: it may hold a million
        files, and whoever clears it has other executions to look after.
        """
        with contextlib.suppress(OSError):
            self.home.rename(self.gone)
            _doomed.put(self.gone)
            _start_removing()

    @property
    def gone(self) -> Path:
        """Return where a home is on its way out."""
        return self.directory / "home.gone"

    def remove(self) -> None:
        """Remove all of it, the log too, and end what should have ended long ago.

        What was given up as lost may go on here; without its spool nobody would find it.
        """
        self.kill()
        remove_tree(self.directory)

    def _read_json(self, name: str) -> dict[str, Any] | None:
        try:
            text = (self.directory / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            content: dict[str, Any] = json.loads(text)
        except ValueError:  # Claimed, not written yet; or a host died as it was written.
            return None
        return content


_doomed: queue.SimpleQueue[Path] = queue.SimpleQueue()
_remover: threading.Thread | None = None


def _start_removing() -> None:
    """Have a thread remove what is doomed; what it leaves behind, housekeeping finds."""
    global _remover  # noqa: PLW0603  # One for each process: a fork has none.
    if _remover is None or not _remover.is_alive():
        _remover = threading.Thread(target=_remove_doomed, name="remover", daemon=True)
        _remover.start()


def _remove_doomed() -> None:
    while True:
        remove_tree(_doomed.get())


def remove_tree(directory: Path) -> None:
    """Remove a folder and what user code may have put into it."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():  # Folders nested without end, or closed even to their owner.
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(directory)], stderr=subprocess.DEVNULL, check=False)
