"""Processes that belong together."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel signal this process when its parent is gone (Linux only).

    Without it, whatever is killed hard leaves its children working on, unseen.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def leave_no_orphans() -> None:
    """Have every process forked from here on die when the one that forked it dies.

    Programs started by exec are not touched: supervisors outlive whoever started them.
    """
    os.register_at_fork(after_in_child=lambda: die_with_parent(signal.SIGKILL))
