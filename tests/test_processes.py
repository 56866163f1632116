"""Nothing goes on working when whoever started it is gone."""

import os
import signal
import subprocess
import sys

# Forks a child that gets to ask for its parent's death only once the parent is dead: as it
# happens where all of a cluster is killed while it starts.
LATE_CHILD = """
import os, time
from wallaroo_ui import processes

parent = os.getpid()

def be_late():
    while os.getppid() == parent:
        time.sleep(0.01)

os.register_at_fork(after_in_child=be_late)
processes.leave_no_orphans()
if os.fork() == 0:
    print("goes on", flush=True)
    time.sleep(20)
os._exit(0)
"""
ORPHAN = """
import sys
from wallaroo_ui import processes

processes.die_with_parent(int(sys.argv[1]))
print("goes on")
"""


def run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a script until it and all that has its output are gone."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)


def test_a_fork_ends_whose_parent_died_before_it_could_ask_for_that() -> None:
    assert run(LATE_CHILD).stdout == ""


def test_a_program_ends_whose_parent_died_while_it_was_starting() -> None:
    somebody_else = str(os.getppid())
    ended = run(ORPHAN, somebody_else)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "")


def test_a_program_goes_on_while_its_parent_lives() -> None:
    ended = run(ORPHAN, str(os.getpid()))
    assert (ended.returncode, ended.stdout) == (0, "goes on\n")
