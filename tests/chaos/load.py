"""Runs that say exactly what they do, so that it can be told what was lost or done twice."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.models import Kind, Task, TaskRun
from tests.factories import make_orchestration, make_user, start_task
from tests.processes import wait_until
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.executions.supervisor import OWN_MARK

PAUSE_SECONDS = 0.1

# Each line is one write: a script that is killed leaves whole lines, in their order.
SCRIPT = """
import json, sys, time
arguments = json.load(open("/home/jovyan/arguments.json"))
sys.stdout.write("chaos begins\\n")
for number in range(arguments["chaos_lines"]):
    sys.stdout.write(f"chaos {number}\\n")
    time.sleep(arguments["pause"])
sys.stdout.write("chaos ends\\n")
"""

# So many files take a worker long enough to unpack that it can be disturbed as it does.
MANY_FILES = {f"part/{number}.txt": "x" * 200 for number in range(1500)}


class Load:
    """Makes runs of one orchestration."""

    def __init__(self, files: Mapping[str, str | bytes] | None = None) -> None:
        self.orchestration = make_orchestration(files={"main.py": SCRIPT, **(files or {})})
        self.user = make_user()
        self.runs: list[TaskRun] = []

    def add(self, *, seconds: float = 0.3, timeout: int = 900) -> TaskRun:
        """Make a run whose script takes so long, as a person does who presses Run."""
        run: TaskRun = self.start(Kind.ONCE, seconds=seconds, timeout=timeout).runs.get()
        self.runs.append(run)
        return run

    def start(self, kind: str, *, seconds: float = 0.3, timeout: int | None = None) -> Task:
        """Make a task of any kind, whose runs take so long."""
        arguments = {"chaos_lines": max(1, round(seconds / PAUSE_SECONDS)), "pause": PAUSE_SECONDS}
        return start_task(
            self.orchestration,
            kind=kind,
            user=self.user,
            arguments=arguments,
            timeout_seconds=timeout,
        )


def expected_lines(run: TaskRun) -> list[str] | None:
    """Return what the script of a run prints; None for a script of somebody else's."""
    count = json.loads(run.arguments_json).get("chaos_lines")
    if count is None:
        return None
    return ["chaos begins", *(f"chaos {number}" for number in range(count)), "chaos ends"]


def spools(run: TaskRun) -> list[Spool]:
    """Return every spool that a run has had: a claim that was given back leaves one."""
    return [Spool(path) for path in sorted(run.spool.directory.parent.glob(f"{run.pk}*"))]


def log_texts(spool: Spool) -> list[str]:
    """Return all of a log, without its times: the window of the pages has an end."""
    try:
        text = spool.log.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [line.split(" ", 3)[3] for line in text.splitlines()]


def printed(spool: Spool) -> list[str]:
    """Return what the script printed, without the server's own lines."""
    return [line for line in log_texts(spool) if not line.startswith(OWN_MARK.decode())]


def have_begun(runs: Iterable[TaskRun]) -> bool:
    """Tell whether the scripts of all of these runs have printed their first line."""
    return all(any(printed(spool) for spool in spools(run)) for run in runs)


def refreshed(runs: Iterable[TaskRun]) -> list[TaskRun]:
    """Return the rows as they are now, in the same order."""
    pks = [run.pk for run in runs]
    found = TaskRun.objects.with_relations().in_bulk(pks)
    return [found[pk] for pk in pks]


def all_finished(runs: Iterable[TaskRun], seconds: float) -> list[TaskRun]:
    """Wait for the verdicts of all of these runs."""
    waiting = list(runs)

    def look() -> bool:
        return all(run.is_finished for run in refreshed(waiting))

    wait_until(look, f"the verdicts of {len(waiting)} runs", seconds)
    return refreshed(waiting)


def told(runs: Iterable[TaskRun]) -> dict[str, int]:
    """Count runs by how they ended."""
    counts: dict[str, int] = {}
    for run in refreshed(runs):
        counts[str(run.status)] = counts.get(str(run.status), 0) + 1
    return counts


def succeed(runs: Iterable[TaskRun], seconds: float) -> None:
    """Wait for the verdicts of all of these runs, which have to be successes."""
    others = [
        f"{run.pk} on {run.node}: {run.status}, {run.reason}"
        for run in all_finished(runs, seconds)
        if run.status != Status.SUCCESS
    ]
    assert not others, "\n".join(others)


def open_archive(run: TaskRun) -> Path:
    """Return the file that whoever launches this run holds open as it unpacks."""
    return Path(run.task.orchestration.newest.archive.path)
