"""The server's processes on a database of their own, driven through the models.

Import Django's things inside `engine`: the settings read DATA_DIR when they are imported.
"""

import io
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.server import ROOT, free_port, wait_for

if TYPE_CHECKING:
    from orchestrations.models import Orchestration


@contextmanager
def engine(**variables: str) -> Iterator[psutil.Process]:
    """Run `serve` with a small base environment; yield its process, with Django set up."""
    with tempfile.TemporaryDirectory(prefix="wallaroo-bench-") as data_dir:
        os.environ |= {
            "DATA_DIR": data_dir,
            "PORT": str(free_port()),
            "BASE_REQUIREMENTS": "six",
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "wallaroo_ui.settings",
            **variables,
        }
        manage = [sys.executable, str(ROOT / "manage.py")]
        for command in (["migrate", "--verbosity=0"], ["collectstatic", "--noinput", "-v0"]):
            subprocess.run([*manage, *command], check=True, stdout=subprocess.DEVNULL)
        import django

        django.setup()
        server = psutil.Popen([*manage, "serve", "--end-runs"], stdout=subprocess.DEVNULL)
        try:
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def packaged(script: str) -> "Orchestration":
    """Upload a script, as a person does, and wait until it is ready."""
    from django.core.files.base import ContentFile

    from orchestrations.services import upload_orchestration
    from wallaroo_ui.accounts.models import User
    from wallaroo_ui.workspaces.models import Workspace

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", script)
    user, _ = User.objects.get_or_create(username="bench", email="bench@example.com")
    orchestration = upload_orchestration(
        workspace=Workspace.objects.get_or_create(name="bench")[0],
        file=ContentFile(packed.getvalue()),
        file_name="bench.zip",
        name="bench",
        user=user,
    )

    def is_ready() -> bool:
        orchestration.refresh_from_db()
        return orchestration.newest.is_ready

    wait_for(is_ready, "packaging", seconds=120)
    return orchestration


def parts(server: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Return the processes of web, cluster and agent by name, and `serve` itself."""
    found = {"serve": [server]}
    for child in server.children():
        command = child.cmdline()
        name = command[next(n for n, word in enumerate(command) if "manage.py" in word) + 1]
        found[name] = [child, *child.children(recursive=True)]
    return found


def supervisors() -> list[psutil.Process]:
    """Return the supervisors of this benchmark's runs."""
    runs = str(Path(os.environ["DATA_DIR"]) / "runs")
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command[1:3] == ["-I", "-S"] and command[4].startswith(runs):
            found.append(process)
    return found


def pss_megabytes(process: psutil.Process) -> float:
    """Return the memory of a process, what it shares being divided by those who share it."""
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.NoSuchProcess:  # It has ended since it was looked for.
        return 0.0


def file_handles(process: psutil.Process) -> int:
    """Return how many files a process has open."""
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:
        return 0
