"""Scheduled and continuous tasks, and their end, with the real processes."""

import os
import signal
from datetime import timedelta
from itertools import pairwise

import psutil
import pytest
from django.utils import timezone

from tasks import services
from tasks.models import Task, TaskRun
from tasks.schedules import Schedule
from tests.engine.test_runs import log_text, run_script
from tests.factories import make_orchestration, make_user, start_task
from tests.processes import Processes, answers, finished, parts, supervisors, wait_until
from wallaroo_ui.executions.models import Node, Status

pytestmark = pytest.mark.engine


def test_a_tick_becomes_a_run_and_the_next_one_is_known(engine: Processes) -> None:
    # Hourly, and due this very minute: its next tick cannot come while the test looks on.
    minute = timezone.now().replace(second=0, microsecond=0)
    before = minute - timedelta(minutes=1)
    task = start_task(
        make_orchestration(script="print('on time')"),
        kind="scheduled",
        schedule=Schedule.parse(f"{minute.minute} * * * *", "UTC", at=before),
        at=before,
    )

    run = wait_until(task.runs.first, "the run of the tick")

    assert finished(run).status == Status.SUCCESS
    assert (run.due_at, run.trigger) == (minute, "schedule")
    task.refresh_from_db()
    assert task.next_run_at == minute + timedelta(hours=1)


def test_a_failure_is_tried_again_as_a_run_of_its_own(engine: Processes) -> None:
    orchestration = make_orchestration(script="raise SystemExit(3)")
    task = start_task(orchestration, retries=2, retry_delay_seconds=1, retry_backoff=False)

    wait_until(lambda: task.runs.finished().count() == 3, "three attempts")

    attempts = list(task.runs.order_by("attempt"))
    assert [run.attempt for run in attempts] == [1, 2, 3]
    assert {run.exit_code for run in attempts} == {3}
    assert attempts[2].retry_of == attempts[1]
    for earlier, later in pairwise(attempts):
        assert later.started_at - earlier.ended_at >= timedelta(seconds=1)


def test_a_stop_leaves_no_process_and_no_log_but_the_runs(engine: Processes) -> None:
    stubborn = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("on")
time.sleep(600)
"""
    task = start_task(make_orchestration(script=stubborn), kind="continuous")
    run: TaskRun = task.runs.get()
    wait_until(lambda: "on" in log_text(run), "the first line")
    family = supervisors()[0].children(recursive=True)

    services.kill_task(task=task, user=make_user("ann"), at=timezone.now())

    def is_killed() -> bool:
        task.refresh_from_db()
        return task.state == Task.State.KILLED

    wait_until(is_killed, "the end of the task")
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.KILLED, "Its task was stopped by ann@example.com.")
    assert task.runs.count() == 1
    assert not run.spool.directory.exists()
    assert not any(process.is_running() for process in family)


def test_a_drained_node_finishes_what_it_holds_and_takes_nothing_more(engine: Processes) -> None:
    held = run_script("import time; print('on'); time.sleep(3)")
    wait_until(lambda: "on" in log_text(held), "the first line")
    Node.objects.update(is_draining=True)

    waits = run_script("print('later')")

    assert finished(held).status == Status.SUCCESS
    waits.refresh_from_db()
    assert waits.status == Status.QUEUED
    Node.objects.update(is_draining=False)
    assert finished(waits).status == Status.SUCCESS


def test_a_cluster_that_takes_no_jobs_is_started_again(processes: Processes) -> None:
    serve = processes.start("serve")
    wait_until(lambda: answers(f"{processes.url}/readyz"), "the server to be ready")
    wait_until(lambda: Node.objects.filter(cluster_seen_at__isnull=False), "its first job")
    cluster = parts(serve)["cluster"]
    for process in cluster.children(recursive=True):  # Alive, and deaf.
        os.kill(process.pid, signal.SIGSTOP)

    run = run_script("print('on')")

    assert finished(run, seconds=40).status == Status.SUCCESS
    assert not psutil.pid_exists(cluster.pid) or not cluster.is_running()
    assert Node.objects.get(cluster_restarted_at__isnull=False)
