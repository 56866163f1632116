"""Processes that belong together."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel signal this process when its parent is gone (Linux only).

    Without it, whatever is killed hard leaves its children working on, unseen.

    Args:
        parent: its process ID. It may be gone before this is asked for: then the kernel has
            nothing to tell any more, and the signal is sent here.
        number: of the signal.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def leave_no_orphans() -> None:
    """Have every process forked from here on die when the one that forked it dies.

    Programs started by exec are not touched: supervisors outlive whoever started them.
    """
    parent = os.getpid()

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    os.register_at_fork(
        before=remember, after_in_child=lambda: die_with_parent(parent, signal.SIGKILL)
    )
