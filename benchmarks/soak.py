"""Whether anything grows: many short runs over a long time.

    python -m benchmarks.soak [RUNS] [MINUTES]

Prints, once a minute, processes, file handles and memory (PSS) of every part of the server;
at the end the medians of the first and the last quarter beside each other.
"""

import statistics
import sys
import time
from collections.abc import Sequence

import psutil

from benchmarks.engine import engine, file_handles, packaged, parts, pss_megabytes
from benchmarks.server import wait_for


def sample(server: psutil.Process) -> dict[str, tuple[int, int, float]]:
    """Return processes, file handles and megabytes of each part."""
    found = {}
    for name, family in parts(server).items():
        found[name] = (
            len(family),
            sum(file_handles(process) for process in family),
            sum(pss_megabytes(process) for process in family),
        )
    return found


def main(count: int, minutes: int) -> None:
    with engine(LOG_LEVEL="ERROR") as server:
        from django.utils import timezone
        from django_q.models import OrmQ

        from tasks.models import TaskRun
        from tasks.services import TaskSettings, create_task, run_again
        from wallaroo_ui.accounts.models import User

        orchestration = packaged("print('a short run')\n")
        user = User.objects.get()
        task = create_task(
            orchestration=orchestration,
            kind="once",
            wanted=TaskSettings(name="soak", timeout_seconds=60),
            user=user,
            at=timezone.now(),
        )
        began = time.monotonic()
        samples: list[dict[str, tuple[int, int, float]]] = []
        pace = minutes * 60 / count
        for number in range(1, count):
            time.sleep(max(0.0, began + number * pace - time.monotonic()))
            run_again(task=task, user=user, at=timezone.now())
            if time.monotonic() - began >= (len(samples) + 1) * 60:
                samples.append(sample(server))
                words = "   ".join(
                    f"{name} {processes} p {handles} fd {memory:.0f} MB"
                    for name, (processes, handles, memory) in samples[-1].items()
                )
                print(f"{len(samples):3} min  {words}  jobs waiting {OrmQ.objects.count()}")
        unfinished = TaskRun.objects.unfinished()
        wait_for(lambda: not unfinished.exists(), "the last run", seconds=60)
        outcomes = TaskRun.objects.values_list("status", flat=True)
        print("runs by status:", {status: list(outcomes).count(status) for status in set(outcomes)})
        compare(samples)


def compare(samples: Sequence[dict[str, tuple[int, int, float]]]) -> None:
    quarter = max(1, len(samples) // 4)
    for name in samples[-1]:
        first, last = (
            [statistics.median(row[name][n] for row in rows if name in row) for n in range(3)]
            for rows in (samples[:quarter], samples[-quarter:])
        )
        print(
            f"{name:8} processes {first[0]:g} -> {last[0]:g}, file handles {first[1]:g} -> "
            f"{last[1]:g}, memory {first[2]:.1f} -> {last[2]:.1f} MB"
        )


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    main(*[*arguments, *(2000, 60)[len(arguments) :]])
