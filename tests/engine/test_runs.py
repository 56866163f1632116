"""Runs from the queue to their verdict, through the real cluster, supervisor and agent."""

from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from tasks import services
from tasks.models import TaskRun
from tests.factories import make_orchestration, make_run, make_task, make_user, start_task
from tests.processes import Processes, finished, wait_until
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.engine


def run_script(script: str, *, timeout: int = 60, **options: Any) -> TaskRun:
    orchestration = make_orchestration(script=script, **options)
    task = start_task(orchestration, arguments={"greeting": "hello"}, timeout_seconds=timeout)
    run: TaskRun = task.runs.get()
    return run


def log_text(run: TaskRun) -> list[str]:
    return [line.text for line in logstore.read_tail(run.spool).lines]


def test_a_script_that_ends_well_is_a_success_with_its_whole_log(engine: Processes) -> None:
    run = finished(run_script("for n in range(3): print('line', n)"))

    assert run.status == Status.SUCCESS
    assert log_text(run)[1:4] == ["line 0", "line 1", "line 2"]
    assert log_text(run)[-1].startswith("WALLAROO: success")
    assert run.exit_code == 0
    assert run.peak_memory_bytes
    assert run.log_tail.splitlines()[-2] == "line 2"
    wait_until(lambda: not run.spool.home.exists(), "its home to be cleared")


def test_the_first_line_is_there_while_the_script_still_runs(engine: Processes) -> None:
    run = run_script("import time; print('first'); time.sleep(60)")

    wait_until(lambda: "first" in log_text(run), "the first line")
    run.refresh_from_db()
    assert run.status in {Status.STARTING, Status.RUNNING}


def test_a_script_that_fails_is_a_failure_with_its_traceback(engine: Processes) -> None:
    run = finished(run_script("raise ValueError('no such glaze')"))

    assert (run.status, run.exit_code) == (Status.FAILURE, 1)
    assert run.reason == "Ended with exit status 1."
    assert "ValueError: no such glaze" in log_text(run)


def test_a_script_ended_by_a_signal_is_a_failure_that_names_it(engine: Processes) -> None:
    run = finished(run_script("import os; os.kill(os.getpid(), 11)"))

    assert (run.status, run.signal_name, run.exit_code) == (Status.FAILURE, "SIGSEGV", 139)
    assert "SIGSEGV" in run.reason


def test_a_run_finds_its_arguments_home_and_identity(engine: Processes) -> None:
    script = """
import json, os
print(json.load(open("/home/jovyan/arguments.json"))["greeting"])
print(os.getcwd() == os.environ["HOME"], os.environ["WALLAROO_TASK_ID"])
cache = json.load(open(os.path.expanduser("~/.cache/wallaroo_sdk/auth/keycloak.json")))
print(sorted(cache))
"""
    run = finished(run_script(script))

    assert log_text(run)[1:4] == [
        "hello",
        f"True {run.task_id}",
        str(
            sorted(
                [
                    "access_token",
                    "expiry",
                    "refresh_token",
                    "refresh_token_expiry",
                    "user_id",
                    "user_email",
                ]
            )
        ),
    ]


def test_a_script_in_a_folder_finds_the_files_beside_it(engine: Processes) -> None:
    run = finished(
        run_script(
            "",
            files={"etl/main.py": "print(open('./data/x.csv').read())", "etl/data/x.csv": "a,b"},
            entry_point="etl/main.py",
        )
    )

    assert run.status == Status.SUCCESS
    assert "a,b" in log_text(run)


def test_a_stop_ends_a_run_and_says_who_asked(engine: Processes) -> None:
    run = run_script("import time; print('on'); time.sleep(600)")
    wait_until(lambda: "on" in log_text(run), "the first line")
    run.refresh_from_db()

    assert services.stop_run(run=run, user=make_user("ann"), at=timezone.now())

    finished(run, seconds=10)
    assert (run.status, run.reason) == (Status.KILLED, "Stopped by ann@example.com.")


def test_a_script_may_clean_up_when_it_is_stopped(engine: Processes) -> None:
    script = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("cleaned up"), sys.exit(0)))
print("on")
time.sleep(600)
"""
    run = run_script(script)
    wait_until(lambda: "on" in log_text(run), "the first line")
    run.refresh_from_db()

    services.stop_run(run=run, user=make_user(), at=timezone.now())

    assert finished(run, seconds=10).status == Status.KILLED
    assert "cleaned up" in log_text(run)


def test_runs_wait_in_order_for_a_slot(processes: Processes) -> None:
    processes.variables["RUN_SLOTS"] = "1"
    processes.start("cluster")
    processes.start("agent")
    runs = [run_script("import time; time.sleep(0.3)") for _ in range(4)]

    for run in runs:
        finished(run)

    for earlier, later in pairwise(runs):
        assert later.started_at is not None
        assert earlier.ended_at is not None
        assert later.started_at >= earlier.ended_at


def test_a_queued_run_is_found_without_its_message(engine: Processes) -> None:
    run = make_run(make_task(make_orchestration(script="print('found')")), queued_at=timezone.now())

    assert finished(run, seconds=20).status == Status.SUCCESS


def test_without_a_sandbox_a_run_says_so_and_still_finds_its_arguments(
    processes: Processes,
) -> None:
    processes.variables["SANDBOX"] = "off"
    processes.start("cluster")
    processes.start("agent")
    script = """
import json, os
print(json.load(open("/home/jovyan/arguments.json"))["greeting"])
print(os.getcwd() == os.environ["HOME"])
"""
    run = finished(run_script(script))

    assert run.status == Status.SUCCESS, log_text(run)
    assert run.isolation == "process"
    assert "not sandboxed" in log_text(run)[1]
    assert log_text(run)[2:4] == ["hello", "True"]


def test_a_run_that_takes_too_long_is_timed_out(engine: Processes) -> None:
    run = finished(run_script("import time; print('on'); time.sleep(600)", timeout=2))

    assert run.status == Status.TIMED_OUT
    assert run.reason == "Stopped after its timeout of 2 s."
    assert run.duration is not None
    assert run.duration.total_seconds() >= 2
