"""Real processes on the test database: what a user has. The fixtures are in conftest.py."""

import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from django.conf import settings
from django.db import connection

from wallaroo_ui.executions.models import Execution

PATIENCE_SECONDS = 60

ExecutionT = TypeVar("ExecutionT", bound=Execution)


def wait_until(
    condition: Callable[[], Any],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    *,
    pause: float = 0.05,
) -> Any:
    """Wait for something to become true; fail, naming it, when it does not.

    Args:
        condition: is asked again and again; what it says at last is returned.
        what: is being waited for.
        seconds: after so long it fails.
        pause: between two questions; a longer one where each costs the server something.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(pause)
    pytest.fail(f"waited {seconds} s in vain for: {what}")


def finished(execution: ExecutionT, seconds: float = PATIENCE_SECONDS) -> ExecutionT:
    """Wait for an execution's verdict."""

    def look() -> bool:
        execution.refresh_from_db()
        return execution.is_finished

    wait_until(look, f"the end of {execution}", seconds)
    return execution


class Processes:
    """Starts the server's processes against the test database, and ends them."""

    def __init__(self, **variables: str) -> None:
        self.port = free_port()
        self.variables = {"PORT": str(self.port), "DATABASE_URL": database_url(), **variables}
        self.running: list[psutil.Popen] = []
        self.held: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *command: str, **variables: str) -> psutil.Popen:
        process = psutil.Popen(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=os.environ | self.variables | variables,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def start_web(self) -> psutil.Popen:
        web = self.start("web")
        wait_until(lambda: answers(f"{self.url}/healthz"), "an answer of the web process")
        return web

    def end(self) -> None:
        for process in self.running:
            end_tree(process)
        for each in self.held:
            each.close()


def parts(serve: psutil.Process) -> dict[str, psutil.Process]:
    """Return the three processes that `serve` looks after, by name."""
    found = {}
    for child in serve.children():
        try:
            command = child.cmdline()
        except psutil.Error:  # It has just died.
            continue
        if "manage.py" in command:
            found[command[command.index("manage.py") + 1]] = child
    return found


def end_tree(process: psutil.Process) -> None:
    """Kill a process and what it started."""
    try:
        process.suspend()  # What it started between the look and its end would stay.
        tree = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for each in tree:
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def database_url() -> str:
    """Return the test database as its URL."""
    parameters = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{parameters['NAME']}"
    user, password = parameters["USER"], parameters["PASSWORD"]
    host, port = parameters["HOST"] or "localhost", parameters["PORT"] or 5432
    return f"postgres://{user}:{password}@{host}:{port}/{parameters['NAME']}"


def supervisors() -> list[psutil.Process]:
    """Return the supervisors of this test run that live."""
    runs = str(runs_folder())
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command[1:3] == ["-I", "-S"] and command[4].startswith(runs):
            found.append(process)
    return found


def runs_folder() -> Path:
    """Return the folder of the runs' spools."""
    return Path(settings.DATA_DIR) / "runs"


def our_runs() -> set[str]:
    """Return the ids of the runs that have a spool, whether or not they have a row."""
    try:
        return {path.name.partition(".")[0] for path in runs_folder().iterdir()}
    except FileNotFoundError:
        return set()


def run_of(process: psutil.Process, among: set[str]) -> str | None:
    """Return the id of the run that a process belongs to, None for none of these.

    It is told by its environment, which children inherit: so it is found even where its
    supervisor is gone.

    Raises:
        psutil.Error, OSError: it has gone meanwhile.
    """
    run = process.environ().get("WALLAROO_RUN_ID")
    return run if run in among and process.status() != psutil.STATUS_ZOMBIE else None


def end_runs() -> None:
    """Kill every run of this test run, its supervisor and its script."""
    ours = our_runs()

    def kill_them() -> bool:
        living = 0
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if run_of(process, ours):
                    living += 1
                    process.kill()
        return not living

    wait_until(kill_them, "the runs to be gone")
