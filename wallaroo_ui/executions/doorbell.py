"""Doorbells: waking a process at once instead of letting it poll fast.

A doorbell is a named pipe in a folder, one for each process that waits. Ringing is
never needed for correctness: whoever waits looks for work anyway, only later.
"""

import contextlib
import os
import select
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from wallaroo_ui.executions import supervisor

AGENT, QUEUE = "agent", "queue"


def doorbells(name: str) -> Path:
    """Return the folder of the doorbells called `name` on this host."""
    return Path(settings.DATA_DIR) / "doorbells" / name


def ring(name: str) -> None:
    """Wake every process of this host that waits at a doorbell called `name`."""
    supervisor.ring(str(doorbells(name)))


class Doorbell:
    """The doorbell of one waiting process; use it as a context."""

    def __init__(self, name: str) -> None:
        self.path = doorbells(name) / str(os.getpid())
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Hang up the bell, and take down those of processes that are gone."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in self.path.parent.iterdir():
            if other.name.isdigit() and not _is_alive(int(other.name)):
                other.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path, 0o600)
        # Open for writing too, so that it does not read as ended when a ringer leaves.
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return self

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, `seconds` at the most. Tell whether there was one."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._descriptor, 65536)
        return bool(ready)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bell down."""
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
