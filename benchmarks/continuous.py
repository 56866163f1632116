"""What many continuous tasks cost while they do next to nothing.

    python -m benchmarks.continuous [TASKS] [SECONDS]

Memory is PSS: what processes share is divided by those who share it. The script's own
process is counted apart from ours: its supervisor and its sandbox.
"""

import sys
import time

import psutil

from benchmarks.engine import engine, file_handles, packaged, parts, pss_megabytes, supervisors
from benchmarks.server import wait_for

SCRIPT = "import time\nwhile True:\n    print('still here')\n    time.sleep(1)\n"


def main(count: int, seconds: int) -> None:
    with engine(RUN_SLOTS=str(count)) as server:
        from django.utils import timezone

        from tasks.models import TaskRun
        from tasks.services import TaskSettings, create_task
        from wallaroo_ui.accounts.models import User

        orchestration = packaged(SCRIPT)
        user = User.objects.get()
        for number in range(count):
            create_task(
                orchestration=orchestration,
                kind="continuous",
                wanted=TaskSettings(name=f"task {number}", timeout_seconds=None),
                user=user,
                at=timezone.now(),
            )
        began = time.monotonic()
        running = TaskRun.objects.filter(status="running")
        wait_for(lambda: running.count() == count, "all of them to run", seconds=300)
        print(f"{count} runs started in {time.monotonic() - began:.1f} s")
        time.sleep(5)

        owners = owned(server)
        report(owners, count)
        report_busy(owners, seconds)


def owned(server: psutil.Process) -> dict[psutil.Process, str]:
    """Return every process of the server and of its runs, and what it belongs to."""
    owners: dict[psutil.Process, str] = {}
    for supervisor in supervisors():
        owners[supervisor] = "supervisor"
        for process in supervisor.children(recursive=True):
            command = process.cmdline()
            owners[process] = "sandbox" if command and "bwrap" in command[0] else "script"
    for name, family in parts(server).items():
        owners |= dict.fromkeys(family, name)
    return owners


def report(owners: dict[psutil.Process, str], runs: int) -> None:
    for name in dict.fromkeys(owners.values()):
        family = [process for process, owner in owners.items() if owner == name]
        memory = sum(pss_megabytes(process) for process in family)
        handles = sum(file_handles(process) for process in family)
        each = f"   {memory / runs:5.2f} MB a run" if len(family) >= runs else ""
        print(
            f"{name:10} {len(family):4} processes {handles:5} file handles "
            f"{memory:7.1f} MB PSS{each}"
        )


def report_busy(owners: dict[psutil.Process, str], seconds: int) -> None:
    before = {process: sum(process.cpu_times()[:2]) for process in owners}
    time.sleep(seconds)
    used: dict[str, float] = dict.fromkeys(owners.values(), 0.0)
    for process, owner in owners.items():
        used[owner] += (sum(process.cpu_times()[:2]) - before[process]) / seconds * 100
    for owner, share in used.items():
        print(f"{owner:10} {share:6.1f} % of one core")


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    main(*[*arguments, *(200, 20)[len(arguments) :]])
