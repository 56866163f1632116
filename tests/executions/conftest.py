"""A real supervisor on a folder of its own: no database, no agent."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_until
from wallaroo_ui.executions import sandbox, services, supervisor
from wallaroo_ui.executions.services import LaunchPlan
from wallaroo_ui.executions.spool import Spool, Verdict

PATIENCE_SECONDS = 60
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}


def python(script: str, *arguments: str) -> list[str]:
    """Return the command that runs a script, started as fast as Python can be."""
    return [sys.executable, "-I", "-S", "-u", "-c", script, *arguments]


def processes_with(token: str) -> list[int]:
    """Return the living processes, on this host and in its sandboxes, that were given `token`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # What starts them has the token too, inside a longer command line.
        if arguments[-2:-1] == [token.encode()] and b"supervisor.py" not in b" ".join(arguments):
            found.append(int(directory.name))
    return found


def peak_memory(pid: int) -> int:
    """Return the most bytes that a living process ever had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kilobytes) * 1024


@dataclass(frozen=True)
class Entry:
    """One entry of a log, as it stands in the file."""

    stream: str
    mark: str
    text: bytes


@dataclass
class Supervised:
    """A supervisor that was started, and its spool."""

    spool: Spool
    process: subprocess.Popen[bytes]
    token: str

    def log(self) -> list[Entry]:
        """Return what is in the log, but for the supervisor's own last line."""
        entries = self.whole_log()
        if entries and entries[-1].text.startswith(b"WALLAROO: "):
            entries.pop()
        return entries

    def whole_log(self) -> list[Entry]:
        data = self.spool.log.read_bytes() if self.spool.log.exists() else b""
        entries = []
        for line in data.split(b"\n")[:-1]:
            _, stream, mark, text = line.split(b" ", 3)
            entries.append(Entry(stream.decode(), mark.decode(), text))
        return entries

    def texts(self) -> list[str]:
        return [entry.text.decode() for entry in self.log()]

    def last_line(self) -> str:
        return self.whole_log()[-1].text.decode()

    def wait_for(self, text: str) -> None:
        """Wait for a line of output."""
        wait_until(lambda: text in self.texts(), f"the line {text!r}")

    def verdict(self) -> Verdict:
        """Wait for the supervisor's end and return the verdict."""
        status = self.process.wait(PATIENCE_SECONDS)
        errors = (self.spool.directory / "supervisor.err").read_text()
        assert (status, errors) == (0, "")
        verdict = self.spool.verdict()
        assert verdict is not None
        return verdict

    def kill(self) -> None:
        """Kill the supervisor and whatever it started."""
        tree = [self.process.pid, *supervisor.descendants(self.process.pid)]
        for pid in (*tree, *processes_with(self.token)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


@dataclass
class Supervisors:
    """Starts supervisors as the server does, and ends them."""

    directory: Path
    settings: Any
    running: list[Supervised] = field(default_factory=list)

    def spool(self) -> Spool:
        """Make an empty spool."""
        spool = Spool(self.directory / "runs" / uuid.uuid4().hex)
        spool.create()
        return spool

    def start(
        self,
        command: Sequence[str],
        *,
        sandboxed: bool = False,
        spool: Spool | None = None,
        timeout_seconds: int | None = None,
        grace_seconds: float = 0.3,
        log_limit: int = 1 << 40,
        environment: Mapping[str, str] = ENVIRONMENT,
        cwd: Path | None = None,
        notes: Sequence[str] = (),
        before_exec: Callable[[], None] | None = None,
        token: str = "",
        inner_cwd: Path = Path(),
        read_only: Sequence[Path] = (),
    ) -> Supervised:
        """Start a supervisor; `inner_cwd` and `read_only` are for the sandbox."""
        self.settings.STOP_GRACE_SECONDS = grace_seconds
        self.settings.RUN_LOG_MAX_BYTES = log_limit
        spool = spool or self.spool()
        command = list(command)
        if sandboxed:
            box = sandbox.probe()
            assert box.bwrap is not None, box.detail
            sandbox.give_to_sandbox(spool.home)
            command = box.command(
                command,
                home=spool.home,
                cwd=inner_cwd,
                read_only=[sandbox.interpreter_home(), Path(sys.prefix), *read_only],
            )
        plan = LaunchPlan(
            command=command,
            environment=environment,
            cwd=cwd or (Path("/") if sandboxed else spool.home),
            sandboxed=sandboxed,
            timeout_seconds=timeout_seconds,
            notes=notes,
        )
        with (spool.directory / "supervisor.err").open("wb") as errors:
            process = subprocess.Popen(
                services.supervisor_command(spool.directory, plan),
                env=dict(plan.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                cwd="/",
                preexec_fn=before_exec,  # noqa: PLW1509
            )
        supervised = Supervised(spool, process, token or uuid.uuid4().hex)
        self.running.append(supervised)
        return supervised

    def run(self, command: Sequence[str], **options: Any) -> Supervised:
        """Start one and wait for its end."""
        supervised = self.start(command, **options)
        supervised.verdict()
        return supervised


@pytest.fixture
def supervisors(tmp_path: Path, settings: Any) -> Iterator[Supervisors]:
    supervisors = Supervisors(tmp_path, settings)
    yield supervisors
    for supervised in supervisors.running:
        supervised.kill()


@pytest.fixture(params=["plain", "sandboxed"])
def sandboxed(request: pytest.FixtureRequest) -> bool:
    """Have a test run twice: as a plain process, and in the sandbox."""
    return bool(request.param == "sandboxed")
