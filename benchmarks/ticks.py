"""How late runs are when many tasks are due in the same minute.

    python -m benchmarks.ticks [TASKS]

Row: from the tick until the run can be seen in the database (looked for every 10 ms). Start:
from the tick until the supervisor has started the code, of the runs that have a slot.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

from benchmarks.engine import engine, packaged
from benchmarks.server import wait_for
from benchmarks.trigger import percentile

SLOTS = 4


def main(count: int) -> None:
    with engine(RUN_SLOTS=str(SLOTS)):
        from tasks.models import Task, TaskRun
        from wallaroo_ui.accounts.models import User

        orchestration = packaged("import time; time.sleep(600)\n")
        tick = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        if (tick - datetime.now(UTC)).total_seconds() < 15:
            tick += timedelta(minutes=1)
        user = User.objects.get()
        Task.objects.bulk_create(
            Task(
                orchestration=orchestration,
                name=f"task {number}",
                kind="scheduled",
                schedule=f"{tick.minute} {tick.hour} * * *",
                next_run_at=tick,
                created_by=user,
            )
            for number in range(count)
        )
        time.sleep(max(0.0, (tick - datetime.now(UTC)).total_seconds() - 0.05))
        lateness: list[float] = []
        while len(lateness) < count:
            seen = TaskRun.objects.count()
            late = (datetime.now(UTC) - tick).total_seconds()
            lateness += [late] * (seen - len(lateness))
            time.sleep(0.01)
        started = TaskRun.objects.filter(started_at__isnull=False)
        wait_for(lambda: started.count() >= SLOTS, "the starts", seconds=60)
        starts = [
            (moment - tick).total_seconds()
            for moment in started.values_list("started_at", flat=True)
        ]
        assert set(TaskRun.objects.values_list("due_at", flat=True)) == {tick}
        for name, values in (("row", lateness), ("start", starts)):
            print(
                f"{name:6} p50 {percentile(values, 0.5):6.3f} s   "
                f"p95 {percentile(values, 0.95):6.3f} s   max {max(values):6.3f} s   "
                f"({len(values)})"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
