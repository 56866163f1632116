"""Whatever dies around a run, the run ends with its own verdict and its whole log, once."""

import os
import signal

import psutil
import pytest

from tests.engine.test_runs import log_text, run_script
from tests.processes import (
    Processes,
    answers,
    end_tree,
    finished,
    parts,
    supervisors,
    wait_until,
)
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.engine

# Long enough for every process to be killed and started again meanwhile.
SECONDS = int(os.environ.get("CRASH_RUN_SECONDS", "6"))
SCRIPT = f"""
import time
for second in range({SECONDS}):
    print("second", second)
    time.sleep(1)
"""


@pytest.mark.parametrize("name", ["web", "cluster", "agent"])
def test_a_run_survives_the_death_of(name: str, processes: Processes) -> None:
    serve = processes.start("serve")
    run = run_script(SCRIPT)
    wait_until(lambda: "second 0" in log_text(run), "the first line")
    victim = parts(serve)[name]
    family = victim.children(recursive=True)

    victim.send_signal(signal.SIGKILL)
    for child in family:
        if child.is_running():
            child.send_signal(signal.SIGKILL)

    finished(run)
    assert run.status == Status.SUCCESS
    lines = log_text(run)
    assert lines[1:-1] == [f"second {second}" for second in range(SECONDS)]
    assert lines[-1].startswith("WALLAROO: success")
    assert run.fence == 1
    wait_until(lambda: name in parts(serve), f"{name} to be started again")
    assert parts(serve)[name].pid != victim.pid
    wait_until(lambda: answers(f"{processes.url}/readyz"), "the server to be ready again")


def test_a_run_survives_the_death_of_everything_at_once(processes: Processes) -> None:
    serve = processes.start("serve")
    run = run_script(SCRIPT)
    wait_until(lambda: "second 0" in log_text(run), "the first line")

    supervisor = supervisors()[0]
    for process in [*serve.children(recursive=True), serve]:
        if process.pid not in family_of(supervisor) and process.is_running():
            process.send_signal(signal.SIGKILL)
    serve.wait()
    processes.start("serve")

    assert finished(run).status == Status.SUCCESS
    assert log_text(run)[1:-1] == [f"second {second}" for second in range(SECONDS)]


def family_of(process: psutil.Process) -> set[int]:
    return {process.pid, *(child.pid for child in process.children(recursive=True))}


def test_a_run_whose_supervisor_dies_is_lost_with_its_log(engine: Processes) -> None:
    run = run_script("import time; print('on'); time.sleep(600)")
    wait_until(lambda: "on" in log_text(run), "the first line")
    family = supervisors()[0].children(recursive=True)

    supervisors()[0].send_signal(signal.SIGKILL)

    assert finished(run, seconds=40).status == Status.LOST
    assert "on" in log_text(run)
    wait_until(lambda: not any(child.is_running() for child in family), "nothing to be left over")


def test_a_cluster_that_is_killed_leaves_no_process_behind(processes: Processes) -> None:
    cluster = processes.start("cluster")
    wait_until(lambda: len(cluster.children(recursive=True)) >= 5, "the cluster's processes")
    family = cluster.children(recursive=True)

    cluster.send_signal(signal.SIGKILL)
    cluster.wait()

    wait_until(lambda: not any(child.is_running() for child in family), "all of them to be gone")


def test_serve_ends_running_runs_when_told_to(processes: Processes) -> None:
    serve = processes.start("serve", "--end-runs")
    run = run_script("import time; print('on'); time.sleep(600)")
    wait_until(lambda: "on" in log_text(run), "the first line")

    serve.send_signal(signal.SIGINT)

    assert serve.wait(timeout=10) == 0
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.KILLED, "The server was stopped.")
    assert not supervisors()


def test_serve_leaves_running_runs_alone_otherwise(processes: Processes) -> None:
    serve = processes.start("serve")
    run = run_script("import time; print('on'); time.sleep(600)")
    wait_until(lambda: "on" in log_text(run), "the first line")

    serve.send_signal(signal.SIGTERM)

    assert serve.wait(timeout=10) == 0
    assert len(supervisors()) == 1
    run.refresh_from_db()
    assert not run.is_finished
    end_tree(supervisors()[0])


def test_serve_takes_its_children_along_when_it_is_killed(processes: Processes) -> None:
    serve = processes.start("serve")
    wait_until(lambda: answers(f"{processes.url}/readyz"), "the server to be ready")
    family = serve.children(recursive=True)

    serve.send_signal(signal.SIGKILL)
    serve.wait()

    wait_until(lambda: not any(child.is_running() for child in family), "all of them to be gone")
