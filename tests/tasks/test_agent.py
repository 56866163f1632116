"""The agent, step by step; the loop itself is the engine tests' matter."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from orchestrations.models import Packaging
from tasks.agent.agent import Agent
from tasks.agent.keeper import Keeper
from tests.factories import NOON, make_node, make_orchestration, make_run, make_task
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import Execution, Node, Status

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(minutes=5)
RUNS, PACKAGINGS = "tasks.jobs.launch_runs", "orchestrations.jobs.launch_packagings"


@pytest.fixture
def node() -> Node:
    return make_node(slots=1)


def test_it_follows_what_its_node_holds_and_nothing_else(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Execution] = []
    monkeypatch.setattr(executions, "follow", lambda execution, at: followed.append(execution))
    held = make_run(status=Status.RUNNING, node=node)
    packaging = Packaging.objects.create(
        version=make_orchestration().newest, status=Status.STARTING, node=node
    )
    make_run(status=Status.RUNNING, node=make_node())
    make_run(status=Status.SUCCESS, node=node)
    make_run()

    Keeper(node).step(at=NOON)

    assert followed == [held, packaging]


def test_one_that_cannot_be_followed_does_not_hold_up_the_others(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Execution] = []

    def follow(execution: Execution, at: Any) -> None:
        followed.append(execution)
        if len(followed) == 1:
            raise ValueError("torn")

    monkeypatch.setattr(executions, "follow", follow)
    for _ in range(3):
        make_run(status=Status.RUNNING, node=node)

    Keeper(node).step(at=NOON)

    assert len(followed) == 3


def test_a_database_that_is_away_ends_the_step(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(execution: Execution, at: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(executions, "follow", follow)
    make_run(status=Status.RUNNING, node=node)

    with pytest.raises(OperationalError):
        Keeper(node).step(at=NOON)


@pytest.mark.parametrize(
    ("runs", "orchestration_status", "rings"),
    [
        ([Status.QUEUED], "ready", [RUNS]),
        ([Status.QUEUED, Status.RUNNING], "ready", []),  # Its one slot is taken.
        ([Status.RUNNING], "ready", []),
        ([Status.QUEUED], "packaging", []),  # It waits for something else.
    ],
)
def test_it_rings_again_for_a_run_that_waits_beside_a_free_slot(
    runs: list[Status],
    orchestration_status: str,
    rings: list[str],
    node: Node,
    queued_jobs: list[str],
) -> None:
    orchestration = make_orchestration(status=orchestration_status)
    for status in runs:
        held = {} if status == Status.QUEUED else {"node": node}
        make_run(make_task(orchestration), status=status, **held)

    Keeper(node).sweep(at=NOON)  # Just queued: its own ring is still on its way.
    assert queued_jobs == []
    Keeper(node).sweep(at=LATER)
    assert queued_jobs == rings


def test_it_rings_again_for_a_packaging_too(node: Node, queued_jobs: list[str]) -> None:
    Packaging.objects.create(version=make_orchestration().newest, queued_at=NOON)
    Keeper(node).sweep(at=LATER)
    assert queued_jobs == [PACKAGINGS]


def test_what_a_dead_node_holds_is_lost_once_its_lease_is_over(
    node: Node, queued_jobs: list[str]
) -> None:
    dead, alive = make_node(agent_seen_at=NOON), make_node(agent_seen_at=NOON)
    lost, kept = (make_run(status=Status.RUNNING, node=each) for each in (dead, alive))
    own = make_run(status=Status.RUNNING, node=node)
    ended = make_run(status=Status.SUCCESS, node=dead)

    keeper, now = Keeper(node), NOON
    for second in range(27):
        now = NOON + timedelta(seconds=second)
        Node.objects.filter(pk=alive.pk).update(agent_seen_at=now)
        lost.refresh_from_db()
        assert lost.status == Status.RUNNING
        keeper.lose_the_dead(at=now)

    for run in (lost, kept, own, ended):
        run.refresh_from_db()
    assert (lost.status, lost.ended_at) == (Status.LOST, now)
    assert dead.name in lost.reason
    assert (kept.status, own.status, ended.status) == (
        Status.RUNNING,
        Status.RUNNING,
        Status.SUCCESS,
    )


def test_of_a_dead_node_all_is_lost_that_can_be(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = make_node(agent_seen_at=NOON)
    runs = [make_run(status=Status.RUNNING, node=dead) for _ in range(3)]
    ended: list[Execution] = []

    def end(execution: Execution, verdict: object) -> None:
        ended.append(execution)
        if len(ended) == 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(executions, "end", end)
    keeper = Keeper(node)
    monkeypatch.setattr(keeper.watch, "silent", lambda nodes, at: [dead])

    keeper.lose_the_dead(at=NOON)

    assert set(ended) == set(runs)


def test_a_host_whose_clock_is_an_hour_behind_is_not_dead(node: Node) -> None:
    other = make_node(agent_seen_at=NOON - timedelta(hours=1))
    run = make_run(status=Status.RUNNING, node=other)
    keeper = Keeper(node)
    for second in range(60):
        Node.objects.filter(pk=other.pk).update(
            agent_seen_at=NOON - timedelta(hours=1) + timedelta(seconds=second)
        )
        keeper.lose_the_dead(at=NOON + timedelta(seconds=second))

    run.refresh_from_db()
    assert run.status == Status.RUNNING


def test_who_was_away_itself_gives_the_others_time_to_report(node: Node) -> None:
    run = make_run(status=Status.RUNNING, node=make_node(agent_seen_at=NOON))
    keeper = Keeper(node)
    for second in (0, 5, 60, 65, 70, 75, 80, 85):  # The database was away for a minute.
        keeper.lose_the_dead(at=NOON + timedelta(seconds=second))

    run.refresh_from_db()
    assert run.status == Status.RUNNING
    keeper.lose_the_dead(at=NOON + timedelta(seconds=86))
    run.refresh_from_db()
    assert run.status == Status.LOST


def test_a_node_that_comes_back_stops_what_was_given_up_and_nothing_else(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Execution] = []
    monkeypatch.setattr(executions, "stop_given_up", stopped.append)
    given_up = make_run(status=Status.LOST, node=node)
    make_run(status=Status.LOST, node=make_node())
    make_run(status=Status.KILLED, node=node)

    Keeper(node).stop_the_given_up(at=LATER)

    assert stopped == [given_up]


def test_it_stops_ringing_where_nobody_answers(
    node: Node, queued_jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(make_task(make_orchestration()))
    monkeypatch.setattr("tasks.agent.keeper.is_backed_up", lambda key: True)
    Keeper(node).sweep(at=LATER)
    assert queued_jobs == []


def test_it_reports_now_and_then_and_has_the_cluster_report(
    queued_jobs: list[str], settings: Any
) -> None:
    agent = Agent(ends_runs=False)
    for seconds in (0, 1, 2, 5, 6):
        agent.step(at=NOON + timedelta(seconds=seconds))

    node = Node.objects.get(name=settings.NODE_NAME)
    assert node.agent_seen_at == NOON + timedelta(seconds=5)
    assert queued_jobs.count("tasks.jobs.report_cluster") == 2


@pytest.mark.parametrize(
    "part",
    ["Clock.step", "Keeper.lose_the_dead", "Keeper.tidy", "Keeper.stop_the_given_up"],
)
def test_it_reports_whatever_else_goes_wrong(
    part: str, queued_jobs: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, *, at: datetime) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"tasks.agent.agent.{part}", fail)

    Agent(ends_runs=False).step(at=NOON)

    assert Node.objects.get(name=settings.NODE_NAME).agent_seen_at == NOON


def test_it_has_the_house_kept_every_ten_minutes(queued_jobs: list[str]) -> None:
    agent = Agent(ends_runs=False)
    for minute in range(0, 25, 5):
        agent.step(at=NOON + timedelta(minutes=minute))
    assert queued_jobs.count("tasks.jobs.clean_up") == 3


def test_it_finds_kills_and_runs_that_were_left_halfway(node: Node, queued_jobs: list[str]) -> None:
    make_task(state="pending_kill")
    late = make_run(start_by=NOON)
    unrunnable = make_run(make_task(make_orchestration(status="error")))

    Keeper(node).tidy(at=NOON)

    assert "tasks.jobs.conclude_kills" in queued_jobs
    for run in (late, unrunnable):
        run.refresh_from_db()
        assert run.status == Status.FAILURE
