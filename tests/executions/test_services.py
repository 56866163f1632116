"""Claiming, launching, following and ending executions."""

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tasks.models import TaskRun
from tests.executions.conftest import Supervisors, processes_with, python
from tests.factories import NOON, make_node, make_run, make_task
from tests.processes import wait_until
from wallaroo_ui.executions import sandbox, services, supervisor
from wallaroo_ui.executions.doorbell import Doorbell
from wallaroo_ui.executions.models import FINISHED, Node, Status
from wallaroo_ui.executions.retention import delete_finished
from wallaroo_ui.executions.services import (
    BACKSTOP_SECONDS,
    LAUNCH_SECONDS,
    LAUNCHES,
    LONGEST_LAUNCH_SECONDS,
    LaunchPlan,
    follow,
)
from wallaroo_ui.executions.spool import Started, Verdict

pytestmark = pytest.mark.usefixtures("queued_jobs")

SLEEPS = "import time; print('on'); time.sleep(600)"
NEVER_STARTED = timedelta(seconds=LAUNCH_SECONDS)


@pytest.fixture
def node(db: None) -> Node:
    return make_node()


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    yield
    sandbox._people_files.cache_clear()


def claimed(node: Node, **fields: Any) -> TaskRun:
    """Make a run that `node` has just claimed."""
    run = make_run(**fields)
    assert run.claim(node=node, at=NOON)
    run.refresh_from_db()
    return run


def fresh(run: TaskRun) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk)


def write_verdict(run: TaskRun, **fields: Any) -> None:
    content = {"status": "success", "started_at": NOON.timestamp(), "ended_at": NOON.timestamp()}
    (run.spool.directory / supervisor.VERDICT).write_text(json.dumps(content | fields))


# -- Claiming --------------------------------------------------------------------------


def test_the_longest_waiting_is_claimed_first(node: Node) -> None:
    task = make_task()
    runs = [make_run(task, queued_at=NOON + timedelta(seconds=n)) for n in (3, 1, 2)]

    claims = [
        services.claim_oldest(TaskRun, node=node, slots=10, at=NOON) for _ in range(len(runs) + 1)
    ]

    assert claims == [runs[1], runs[2], runs[0], None]
    assert claims[0] is not None
    assert (claims[0].status, claims[0].node, claims[0].fence) == (Status.STARTING, node, 1)


def test_nothing_is_claimed_without_a_free_slot(node: Node) -> None:
    make_run(status=Status.RUNNING, node=node)
    make_run(status=Status.STARTING, node=node)
    waiting = make_run()

    assert services.claim_oldest(TaskRun, node=node, slots=2, at=NOON) is None
    assert services.claim_oldest(TaskRun, node=node, slots=3, at=NOON) == waiting


def test_nothing_is_claimed_by_a_node_that_drains(node: Node) -> None:
    run = make_run()
    Node.objects.update(is_draining=True)

    assert services.claim_oldest(TaskRun, node=node, slots=1, at=NOON) is None
    assert fresh(run).status == Status.QUEUED


def test_what_other_nodes_hold_and_what_has_ended_takes_no_slot(node: Node) -> None:
    make_run(status=Status.RUNNING, node=make_node())
    make_run(status=Status.SUCCESS, node=node)
    waiting = make_run()

    assert services.claim_oldest(TaskRun, node=node, slots=1, at=NOON) == waiting


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Do several things at the same moment, each on a connection of its own."""
    barrier = threading.Barrier(len(jobs))

    def do(job: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(do, jobs))


@pytest.mark.django_db(transaction=True)
def test_of_many_nodes_at_once_one_gets_the_run() -> None:
    nodes = [make_node() for _ in range(6)]
    run = make_run()

    claims = at_once(
        *[partial(services.claim_oldest, TaskRun, node=node, slots=1, at=NOON) for node in nodes]
    )

    assert [claim for claim in claims if claim] == [run]
    assert fresh(run).fence == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_at_once_on_a_node_as_many_win_as_it_has_slots() -> None:
    node = make_node()
    task = make_task()
    for _ in range(8):
        make_run(task)

    claims = at_once(*[partial(services.claim_oldest, TaskRun, node=node, slots=3, at=NOON)] * 6)

    won = [claim.pk for claim in claims if claim]
    assert len(won) == len(set(won)) == 3
    assert TaskRun.objects.held_by(node).count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_many_verdicts_at_once_one_is_recorded() -> None:
    run = claimed(make_node())
    verdicts = [Verdict(status="failure", reason=str(number), ended_at=NOON) for number in range(6)]

    won = at_once(*[partial(services.end, fresh(run), verdict) for verdict in verdicts])

    assert sum(won) == 1
    assert fresh(run).reason == str(won.index(True))


@pytest.mark.django_db(transaction=True)
def test_a_stop_and_a_claim_at_once_leave_a_run_that_ends() -> None:
    node = make_node()
    task = make_task()
    for _ in range(5):
        run = make_run(task)

        stopped, claim = at_once(
            partial(services.request_stop, run, reason="No more.", at=NOON),
            partial(services.claim_oldest, TaskRun, node=node, slots=100, at=NOON),
        )

        assert stopped
        run = fresh(run)
        assert run.stop_requested_at == NOON
        assert run.status == (Status.STARTING if claim else Status.KILLED)


# -- Giving back and stopping ----------------------------------------------------------


def test_a_run_that_is_given_back_can_be_claimed_again(node: Node) -> None:
    run = claimed(node)

    assert services.give_back(run)

    assert services.claim_oldest(TaskRun, node=node, slots=1, at=NOON) == run
    assert fresh(run).fence > run.fence


def test_a_run_that_was_asked_to_stop_ends_when_it_is_given_back(node: Node) -> None:
    run = claimed(node)
    assert services.request_stop(fresh(run), reason="No more.", at=NOON)

    assert services.give_back(run)

    run = fresh(run)
    assert (run.status, run.reason) == (Status.KILLED, "No more.")


def test_a_run_that_has_started_is_not_given_back(node: Node) -> None:
    run = claimed(node)
    fresh(run).mark_running(started_at=NOON)

    assert not services.give_back(run)

    assert fresh(run).status == Status.RUNNING


def test_a_stop_ends_a_queued_run_at_once(
    db: None, queued_jobs: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    run = make_run()

    with django_capture_on_commit_callbacks(execute=True):
        assert services.request_stop(run, reason="No more.", at=NOON)

    run = fresh(run)
    assert (run.status, run.reason, run.ended_at) == (Status.KILLED, "No more.", NOON)
    assert queued_jobs == ["tasks.jobs.launch_runs"]


@pytest.mark.parametrize("status", [Status.STARTING, Status.RUNNING])
def test_a_stop_of_a_held_run_is_left_to_its_agent(
    node: Node, status: Status, django_capture_on_commit_callbacks: Any
) -> None:
    run = make_run(status=status, node=node)

    with Doorbell("agent") as bell:
        with django_capture_on_commit_callbacks(execute=True):
            assert services.request_stop(run, reason="No more.", at=NOON)
            assert not bell.wait(0)  # The agent would look before there is anything to see.
        assert bell.wait(0)

    run = fresh(run)
    assert (run.status, run.stop_reason, run.stop_requested_at) == (status, "No more.", NOON)
    assert not services.request_stop(run, reason="Again.", at=NOON)
    assert fresh(run).stop_reason == "No more."


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_a_stop_of_a_finished_run_changes_nothing(db: None, status: Status) -> None:
    run = make_run(status=status)

    assert not services.request_stop(run, reason="No more.", at=NOON)

    assert fresh(run).stop_requested_at is None


def test_a_stop_finds_a_run_that_is_given_back_at_that_moment(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = claimed(node)
    ask_to_stop = TaskRun.ask_to_stop

    def give_back_first(asked: TaskRun, **arguments: Any) -> bool:
        services.give_back(run)
        return ask_to_stop(asked, **arguments)

    monkeypatch.setattr(TaskRun, "ask_to_stop", give_back_first)

    assert services.request_stop(fresh(run), reason="No more.", at=NOON)

    assert fresh(run).status == Status.KILLED


# -- Following -------------------------------------------------------------------------


def test_following_a_run_that_has_started_marks_it_running(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervised = supervisors.start(python(SLEEPS), spool=run.spool)
    started: Started = wait_until(run.spool.started, "the start")

    follow(run, at=NOON)

    run = fresh(run)
    assert (run.status, run.started_at) == (Status.RUNNING, started.started_at)
    follow(run, at=NOON + timedelta(days=1))
    assert fresh(run).status == Status.RUNNING
    assert supervised.process.poll() is None


def test_following_a_run_with_a_verdict_records_it_and_clears_its_home(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    verdict = supervisors.start(python("print('hello')"), spool=run.spool).verdict()

    follow(run, at=NOON)

    run = fresh(run)
    assert (run.status, run.exit_code) == (Status.SUCCESS, 0)
    assert (run.started_at, run.ended_at) == (verdict.started_at, verdict.ended_at)
    assert run.log_lines == 2
    assert run.log_tail.splitlines()[0] == "hello"
    assert not run.spool.home.exists()
    assert run.spool.log.exists()


def test_the_end_of_a_run_lets_the_next_one_start(
    node: Node, queued_jobs: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    run = claimed(node)
    run.spool.create()
    write_verdict(run)

    with django_capture_on_commit_callbacks(execute=True):
        follow(run, at=NOON)
        follow(run, at=NOON)

    assert queued_jobs == ["tasks.jobs.launch_runs"]


def test_output_with_nul_does_not_keep_a_verdict_from_being_recorded(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervisors.run(python(r"print('a\0b')"), spool=run.spool)

    follow(run, at=NOON)

    assert fresh(run).log_tail.startswith("a\\x00b\n")


def test_a_verdict_of_an_old_claim_is_refused_after_a_new_one(node: Node) -> None:
    run = claimed(node)
    old = fresh(run)
    assert services.give_back(run)
    assert services.claim_oldest(TaskRun, node=make_node(), slots=1, at=NOON)

    assert not services.end(old, Verdict(status="success", ended_at=NOON))

    assert fresh(run).status == Status.STARTING


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_a_finished_run_never_changes(node: Node, status: Status) -> None:
    run = make_run(status=status, node=node)
    run.spool.create()
    write_verdict(run, status="failure")
    before = TaskRun.objects.filter(pk=run.pk).values().get()

    follow(run, at=NOON + timedelta(days=1))
    services.fail_launch(run, "Too late.")

    assert TaskRun.objects.filter(pk=run.pk).values().get() == before


def test_a_run_whose_supervisor_is_gone_is_lost_with_its_log(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    token = uuid.uuid4().hex
    supervised = supervisors.start(python(SLEEPS, token), spool=run.spool, token=token)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    supervised.process.kill()
    supervised.process.wait(60)

    follow(run, at=NOON + timedelta(seconds=1))

    run = fresh(run)
    assert (run.status, run.ended_at) == (Status.LOST, NOON + timedelta(seconds=1))
    assert run.reason == "Its supervisor is gone and left no verdict."
    assert run.log_tail == "on\nWALLAROO: lost. Its supervisor is gone and left no verdict."
    assert run.log_lines > 0
    wait_until(lambda: not processes_with(token), "the end of what it left running")


def test_what_a_dead_supervisor_left_running_in_other_sessions_is_ended_too(
    node: Node, supervisors: Supervisors
) -> None:
    script = """
import subprocess, sys, time
command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", sys.argv[1]]
subprocess.Popen(command, start_new_session=True)
print("on")
time.sleep(600)
"""
    run = claimed(node)
    run.spool.create()
    token = uuid.uuid4().hex
    supervised = supervisors.start(python(script, token), spool=run.spool, token=token)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    supervised.process.kill()
    supervised.process.wait(60)

    follow(run, at=NOON)

    wait_until(lambda: not processes_with(token), "the end of what it left running")


@pytest.mark.parametrize("born", ["", "another boot 17"])
def test_a_process_that_got_the_pid_of_a_lost_run_is_left_alone(node: Node, born: str) -> None:
    bystander = subprocess.Popen(python("input()"), stdin=-1, start_new_session=True)
    run = claimed(node)
    run.spool.create()
    started = {
        "started_at": 0,
        "started_clock": 0,
        "supervisor_pid": bystander.pid,
        "child_pid": bystander.pid,
        "child_born": born,
    }
    (run.spool.directory / supervisor.STARTED).write_text(json.dumps(started))

    follow(run, at=NOON)

    assert fresh(run).status == Status.LOST
    bystander.communicate(b"\n")
    assert bystander.returncode == 0


@pytest.mark.parametrize("has_spool", [True, False])
def test_a_run_that_nobody_is_starting_is_queued_again(node: Node, has_spool: bool) -> None:
    run = claimed(node)
    if has_spool:
        run.spool.create()

    follow(run, at=NOON + NEVER_STARTED - timedelta(seconds=1))
    assert fresh(run).status == Status.STARTING
    follow(run, at=NOON + NEVER_STARTED)

    assert (fresh(run).status, fresh(run).node) == (Status.QUEUED, None)
    assert fresh(run).claim(node=node, at=NOON)
    fresh(run).spool.create()


def test_a_clock_that_is_put_back_keeps_no_dead_launch_alive(node: Node) -> None:
    run = claimed(node)
    follow(run, at=NOON - timedelta(hours=1))
    assert fresh(run).status == Status.QUEUED


def test_a_run_that_somebody_prepares_is_waited_for(node: Node) -> None:
    run = claimed(node)
    with run.spool.launching():
        follow(run, at=NOON + NEVER_STARTED)
        assert fresh(run).status == Status.STARTING


def test_a_launch_that_takes_for_ever_is_given_up(node: Node) -> None:
    run = claimed(node)
    with run.spool.launching():
        follow(run, at=NOON + timedelta(seconds=LONGEST_LAUNCH_SECONDS))

    assert fresh(run).status == Status.QUEUED


def test_a_launch_that_dies_again_and_again_is_a_failure(node: Node) -> None:
    run = claimed(node)
    for _ in range(LAUNCHES - 1):
        follow(run, at=NOON + NEVER_STARTED)
        assert fresh(run).claim(node=node, at=NOON)
        run = fresh(run)
    assert fresh(run).status == Status.STARTING
    follow(run, at=NOON + NEVER_STARTED)

    run = fresh(run)
    assert run.status == Status.FAILURE
    assert run.reason == "It could not be started: its launch died 5 times."


def test_what_a_dead_launch_says_later_is_refused(node: Node) -> None:
    run = claimed(node)
    late = fresh(run)
    follow(run, at=NOON + NEVER_STARTED)

    services.fail_launch(late, "The run could not be started.")

    assert fresh(run).status == Status.QUEUED


def test_a_supervisor_that_comes_after_its_launch_was_given_up_starts_nothing(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    old = run.spool
    follow(run, at=NOON + NEVER_STARTED)

    late = supervisors.start(python("print('late')"), spool=old, cwd=Path("/"))

    assert late.process.wait(60) == 75
    assert not old.log.exists()


def test_a_supervisor_that_died_as_it_started_the_code_leaves_a_lost_run(node: Node) -> None:
    run = claimed(node)
    run.spool.create()
    (run.spool.directory / supervisor.STARTED).write_text("")

    follow(run, at=NOON + NEVER_STARTED)

    assert fresh(run).status == Status.LOST


def test_a_supervisor_at_work_is_not_lost_however_slow_its_start(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervised = supervisors.start(python(SLEEPS), spool=run.spool)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    (run.spool.directory / supervisor.STARTED).write_text("")  # As before it was written.

    follow(run, at=NOON + NEVER_STARTED)

    assert fresh(run).status == Status.STARTING


def let_time_pass(path: Path, name: str, seconds: float) -> None:
    """Make a moment of the clock that nobody can put forward lie further back."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {name: content[name] - seconds}))


@pytest.mark.parametrize("why", ["timeout", "stop"])
def test_what_a_stopped_supervisor_does_not_end_the_agent_ends(
    why: str, node: Node, supervisors: Supervisors, settings: Any
) -> None:
    settings.STOP_GRACE_SECONDS = 60
    run = claimed(node, task=make_task(timeout_seconds=600))
    run.spool.create()
    token = uuid.uuid4().hex
    supervised = supervisors.start(python(SLEEPS, token), spool=run.spool, token=token)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    os.kill(supervised.process.pid, signal.SIGSTOP)
    follow(run, at=NOON)
    if why == "stop":
        services.request_stop(fresh(run), reason="Stopped by ann.", at=NOON)
        run.spool.order_stop(reason="", grace_seconds=60)
        os.kill(supervised.process.pid, signal.SIGSTOP)  # The order has woken it up.

    follow(fresh(run), at=NOON + timedelta(days=365))  # The system's clock is no witness.
    assert fresh(run).status == Status.RUNNING
    if why == "timeout":
        path = run.spool.directory / supervisor.STARTED
        let_time_pass(path, "started_clock", 600 + 60 + BACKSTOP_SECONDS)
    else:
        path = run.spool.directory / supervisor.STOP
        let_time_pass(path, "ordered_clock", 60 + BACKSTOP_SECONDS)
    follow(fresh(run), at=NOON)

    run = fresh(run)
    words = "by the agent: its supervisor did not answer."
    assert (run.status, run.reason) == {
        "timeout": (Status.TIMED_OUT, f"Stopped after its timeout of 600 s, {words}"),
        "stop": (Status.KILLED, f"Stopped by ann, {words}"),
    }[why]
    wait_until(lambda: not processes_with(token), "the end of the code")
    assert run.log_tail.splitlines()[-1] == f"WALLAROO: {run.status}. {run.reason}"
    assert not run.spool.home.exists()


def test_what_goes_on_of_a_lost_run_is_stopped_when_its_node_is_back(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervised = supervisors.start(python(SLEEPS), spool=run.spool)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    services.end(run, Verdict(status=Status.LOST, reason="Away.", ended_at=NOON))
    assert fresh(run).status == Status.LOST

    services.stop_given_up(fresh(run))

    assert supervised.verdict().status == "killed"
    wait_until(lambda: not run.spool.is_supervised(), "the end of the supervisor")
    services.stop_given_up(fresh(run))
    assert not run.spool.home.exists()
    assert fresh(run).status == Status.LOST


def test_what_goes_on_of_a_lost_run_ends_with_its_spool(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    token = uuid.uuid4().hex
    supervised = supervisors.start(python(SLEEPS, token), spool=run.spool, token=token)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    services.end(run, Verdict(status=Status.LOST, reason="Away.", ended_at=NOON))

    delete_finished(TaskRun.objects.all(), limit=10)

    assert not run.spool.directory.exists()
    wait_until(lambda: not processes_with(token), "the end of the code")


def test_a_request_to_stop_is_passed_on_once(node: Node, settings: Any) -> None:
    settings.STOP_GRACE_SECONDS = 7
    run = claimed(node)
    run.spool.create()
    assert services.request_stop(run, reason="No more.", at=NOON)
    run = fresh(run)

    follow(run, at=NOON)

    order = run.spool.directory / supervisor.STOP
    content = json.loads(order.read_text())
    assert (content["reason"], content["grace_seconds"]) == ("No more.", 7)
    order.write_text("as it was")
    follow(run, at=NOON)
    assert order.read_text() == "as it was"


def test_a_request_to_stop_waits_for_the_spool(node: Node) -> None:
    run = claimed(node)
    assert services.request_stop(run, reason="No more.", at=NOON)
    run = fresh(run)
    follow(run, at=NOON)

    run.spool.create()
    follow(run, at=NOON)

    assert run.spool.has_stop_order()


def test_a_request_to_stop_ends_a_run_as_killed_for_the_reason_given(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervised = supervisors.start(python(SLEEPS), spool=run.spool)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")
    services.request_stop(run, reason="Stopped by ann@example.com.", at=NOON)
    follow(fresh(run), at=NOON)
    supervised.verdict()

    follow(fresh(run), at=NOON)

    run = fresh(run)
    assert (run.status, run.reason) == (Status.KILLED, "Stopped by ann@example.com.")


# -- Launching -------------------------------------------------------------------------


def test_a_launch_starts_a_supervisor_and_lets_go_of_it(node: Node, settings: Any) -> None:
    settings.STOP_GRACE_SECONDS = 0
    run = claimed(node)
    run.spool.create()
    script = "import os; print(sorted(os.environ), os.getcwd());" + SLEEPS
    plan = LaunchPlan(
        command=python(script),
        environment={"LANG": "C.UTF-8"},
        cwd=run.spool.home,
        sandboxed=False,
        timeout_seconds=2,
        notes=["first line"],
    )

    services.launch(run, plan)

    started = wait_until(run.spool.started, "the start")
    # Nobody's child, in a session that is not ours.
    assert started.supervisor_pid not in supervisor.descendants(os.getpid())
    assert os.getsid(started.supervisor_pid) != os.getsid(0)
    wait_until(run.spool.verdict, "the verdict")
    follow(run, at=NOON)
    run = fresh(run)
    assert run.status == Status.TIMED_OUT
    assert run.log_tail.splitlines()[:3] == [
        "WALLAROO: first line",
        f"['LANG'] {run.spool.home}",
        "on",
    ]
    assert (run.spool.directory / "supervisor.err").read_text() == ""


def test_a_launch_that_failed_is_a_failure_with_its_reason(node: Node) -> None:
    run = claimed(node)

    services.fail_launch(run, "No room.")

    run = fresh(run)
    assert (run.status, run.reason, run.started_at) == (Status.FAILURE, "No room.", None)


# -- The node --------------------------------------------------------------------------


def test_a_launch_that_failed_after_the_start_is_left_to_the_agent(
    node: Node, supervisors: Supervisors
) -> None:
    run = claimed(node)
    run.spool.create()
    supervised = supervisors.start(python(SLEEPS), spool=run.spool)
    supervised.wait_for("on")
    wait_until(run.spool.started, "the start")

    services.fail_launch(run, "The launcher was interrupted.")

    assert fresh(run).status == Status.STARTING
    follow(fresh(run), at=NOON)
    assert fresh(run).status == Status.RUNNING


def test_this_node_is_made_by_who_comes_first_and_kept(db: None, settings: Any) -> None:
    settings.NODE_NAME = "here"
    settings.RUN_SLOTS = 7

    node = services.this_node()

    assert (node.name, node.slots, node.isolation) == ("here", 7, sandbox.probe().isolation)
    assert services.this_node() == node


def test_registering_brings_a_node_up_to_date(db: None, settings: Any) -> None:
    settings.NODE_NAME = "here"
    make_node(name="here", slots=1, isolation="process")
    settings.RUN_SLOTS = 9

    services.register_node()

    node = Node.objects.get(name="here")
    assert (node.slots, node.isolation) == (9, sandbox.probe().isolation)
