"""The runs of a task and their logs."""

import re
from typing import Any
from uuid import UUID

import psutil
import pytest

from tests.processes import wait_until
from tests.sdk.conftest import Sdk, Server, ended, ready, running, text_of, upload
from tests.sdk.remote import Raised
from tests.sdk.shown import fields, records

pytestmark = pytest.mark.engine

ENTRY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] .*")

LINES = """
import sys
print("   indented")
print()
print("<b>Zoë</b> & Ben\\twith a tab")
print("x" * 20_000)
print("no newline at the end", end="", flush=True)
raise ValueError("no such glaze")
"""


@pytest.fixture
def task(orchestration: Any) -> Any:
    """A task whose one run has ended."""
    task = orchestration.run_once("done", {"lines": [f"line {number}" for number in range(10)]})
    ended(task)
    return task


def test_a_run_is_shown_as_a_table(task: Any) -> None:
    [run] = task.last_runs()

    shown = fields(run)

    assert shown["Task"] == task.id()
    assert UUID(shown["Pod ID"])
    assert shown["Status"] == "success"
    assert shown["Created At"] <= shown["Updated At"]
    [row] = records(task.last_runs())
    assert list(row) == ["task id", "pod id", "status", "created at", "updated at"]
    assert row["pod id"] == shown["Pod ID"]


def test_runs_are_listed_the_newest_first_up_to_a_limit(orchestration: Any) -> None:
    task = orchestration.run_continuously(name="always")
    ended(task, count=3)
    task.kill()
    wait_until(lambda: task.status() == "killed", "the end of the task")

    runs = list(task.last_runs())
    times = [run._updated_at.isoformat() for run in runs]

    assert times == sorted(times, reverse=True)
    newest = [run._pod_id for run in task.last_runs(limit=2)]
    assert newest == [run._pod_id for run in runs[:2]]
    # The one that the task's own table speaks of is the newest.
    assert fields(task)["Last Run Status"] == runs[0]._status


def test_runs_are_filtered_by_their_status(ann: Any, orchestration: Any, task: Any) -> None:
    going_on = orchestration.run_once("going on", {"seconds": 3600})
    running(going_on)
    failing = orchestration.run_once("failing", {"exit_status": 1})
    ended(failing)

    found = {
        status: [len(each.last_runs(status=status)) for each in (task, going_on, failing)]
        for status in ("all", "success", "running", "failure", "timed_out")
    }

    assert found == {
        "all": [1, 1, 1],
        "success": [1, 0, 0],
        "running": [0, 1, 0],
        "failure": [0, 0, 1],
        "timed_out": [0, 0, 0],
    }
    with pytest.raises(Raised, match="ValueError: 'excellent' is not a valid"):
        task.last_runs(status="excellent")


def test_a_log_has_every_line_with_its_time_and_stream(task: Any) -> None:
    [run] = task.last_runs()

    logs = list(run.logs())

    assert all(ENTRY.fullmatch(line) for line in logs)
    assert logs == sorted(logs)
    printed = [line.split(" ", 3)[3] for line in logs if " stdout F line " in line]
    assert printed == [f"line {number}" for number in range(10)]
    assert any(line.endswith(" stderr F a complaint") for line in logs)


def test_a_limit_counts_the_lines_of_a_log_from_its_end(task: Any) -> None:
    [run] = task.last_runs()
    logs = list(run.logs())

    assert list(run.logs(limit=3)) == logs[-3:]
    assert list(run.logs(limit=1)) == logs[-1:]
    assert list(run.logs(limit=1000)) == logs


def test_a_log_is_shown_with_times_as_people_read_them(task: Any) -> None:
    [run] = task.last_runs()

    shown = run.logs()._repr_html_()

    assert shown.startswith("<pre><code>")
    times = re.findall(r"(\d{4}-\d\d-[A-Z][a-z]{2} \d\d:\d\d:\d\d) line \d", shown)
    assert len(times) == 10


def test_a_log_keeps_what_was_printed_and_a_traceback(ann: Any, workspace: Any) -> None:
    task = ready(upload(ann, LINES)).run_once("odd lines")
    run = ended(task)

    printed = [line.split(" ", 3)[3] for line in run.logs() if " stdout " in line]
    complained = [line.split(" ", 3)[3] for line in run.logs() if " stderr " in line]

    assert run._status == "failure"
    # The server's own lines are the first and the last one.
    assert printed[1:4] == ["   indented", "", "<b>Zoë</b> & Ben\twith a tab"]
    assert "".join(printed[4:-1]) == "x" * 20_000 + "no newline at the end"
    assert complained[0].startswith("Traceback")
    assert complained[-1] == "ValueError: no such glaze"
    assert all(ENTRY.fullmatch(line) for line in run.logs())
    assert "   indented" in run.logs()._repr_html_()


def test_a_log_grows_while_its_run_goes_on(orchestration: Any) -> None:
    task = orchestration.run_once("slow", {"lines": ["first"], "seconds": 3600})
    run = running(task)

    wait_until(lambda: "first" in text_of(run), "the first line")

    assert fields(run)["Status"] == "running"


def test_a_run_whose_supervisor_was_killed_is_shown_as_a_failure(
    server: Server, orchestration: Any
) -> None:
    task = orchestration.run_once("unlucky", {"lines": ["first"], "seconds": 3600})
    run = running(task)
    wait_until(lambda: "first" in text_of(run), "the first line")

    supervisor_of(server, run._pod_id).kill()

    assert ended(task)._status == "failure"
    assert len(task.last_runs(status="failure")) == 1
    assert "first" in text_of(run)


def supervisor_of(server: Server, run: str) -> psutil.Process:
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[1:3] == ["-I", "-S"] and any(
            each.startswith(str(server.data / "runs" / run)) for each in command
        ):
            return process
    raise LookupError(run)


def test_runs_that_are_not_there_are_refused(ann: Any, sdk: Sdk, task: Any) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    data = {"task": task.id(), "run_id": nothing}
    run = sdk.interpreter.call("wallaroo.task_run.TaskRun", ann, data)

    with pytest.raises(Raised, match="Failed to find logs for this task run"):
        run.logs()
    with pytest.raises(Raised, match=f"Failed to find Task Run for pod {nothing}"):
        run._repr_html_()
