"""The folder through which the server and one supervisor talk.

`supervisor.py` says what each file means. Everything here is safe to call at any
moment, by any number of processes, before, during and after an execution.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from wallaroo_ui.executions import supervisor


@dataclass(frozen=True, kw_only=True)
class Started:
    """That the supervisor has started the code.

    Attributes:
        supervisor_pid: valid as long as the spool `is_supervised`.
        child_pid: of the code or of its sandbox; another process may have it by now.
        child_born: tells whether it is still the same process (`supervisor.born`).
    """

    started_at: datetime
    supervisor_pid: int
    child_pid: int
    child_born: str = ""


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
        try:
            descriptor = os.open(self.directory / supervisor.LOCK, os.O_RDWR | os.O_CLOEXEC)
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

    def forbid_start(self) -> None:
        """Have a supervisor that comes from now on refuse to start the code."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # There has been one already.
            os.close(os.open(self.directory / supervisor.STARTED, os.O_CREAT | os.O_EXCL, 0o600))

    def order_stop(self, *, reason: str, grace_seconds: float) -> None:
        """Tell the supervisor to end the code: TERM, then KILL after the grace."""
        draft = self.directory / f"{supervisor.STOP}.{os.getpid()}"
        draft.write_text(
            json.dumps({"reason": reason, "grace_seconds": grace_seconds}), encoding="utf-8"
        )
        draft.replace(self.directory / supervisor.STOP)
        started = self.started()
        if started is not None and self.is_supervised():
            # Wakes it up; it would look for the order within a second anyway.
            with contextlib.suppress(ProcessLookupError):
                os.kill(started.supervisor_pid, signal.SIGCONT)

    def has_stop_order(self) -> bool:
        """Tell whether the supervisor has been told to stop."""
        return (self.directory / supervisor.STOP).exists()

    def clear_home(self) -> None:
        """Remove the code and what it wrote; the log and the verdict stay."""
        with contextlib.suppress(RecursionError):
            shutil.rmtree(self.home, ignore_errors=True)
        if self.home.exists():  # Folders nested without end, or closed even to their owner.
            for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
                subprocess.run(
                    [*command, "--", str(self.home)], stderr=subprocess.DEVNULL, check=False
                )

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
