"""Nodes that fall silent and come back, and supervisors that stop answering."""

import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil
import pytest

from tests.chaos.census import is_alive, kill, take_census
from tests.chaos.invariants import assert_sound
from tests.chaos.load import Load, all_finished, have_begun, refreshed, succeed
from tests.chaos.sizes import SIZES
from tests.processes import Processes, wait_until
from wallaroo_ui.executions.models import Node, Status

pytestmark = pytest.mark.chaos

TOLERANCE_SECONDS = 2.0
LEFTOVER_SECONDS = 15.0
LONG_SECONDS = 300.0


@dataclass
class Slowest:
    """The longest that anything took over all rounds."""

    loss: float = 0.0
    stop: float = 0.0
    lost: int = 0


def start_agent(server: Processes, name: str) -> psutil.Popen:
    """Start the agent of a node; return it when it has reported."""
    agent = server.start("agent", NODE_NAME=name)
    nodes = Node.objects.filter(name=name, agent_seen_at__isnull=False)
    wait_until(nodes.exists, f"the agent of {name}")
    return agent


def wait_for_end(processes: Iterable[psutil.Process], what: str, seconds: float) -> None:
    """Wait until none of these processes lives."""
    wait_until(lambda: not any(is_alive(process) for process in processes), what, seconds)


def fall_silent(server: Processes, agent: psutil.Popen, slowest: Slowest) -> None:
    """Stop an agent past its lease, while its node has runs, and let it go on."""
    load = Load()
    # Two end while it is silent, with verdicts that come too late.
    for seconds in (4, 5, LONG_SECONDS, LONG_SECONDS):
        load.add(seconds=seconds)
    wait_until(lambda: have_begun(load.runs), "the runs of node A")
    given_up = [run for run in refreshed(load.runs) if not run.is_finished]
    stopped_at = time.time()
    agent.send_signal(signal.SIGSTOP)
    lost = all_finished(given_up, SIZES.lease_seconds + LEFTOVER_SECONDS)
    for run in lost:
        assert run.status == Status.LOST, f"{run.pk} is {run.status}: {run.reason}"
        assert run.ended_at is not None
        slowest.loss = max(slowest.loss, run.ended_at.timestamp() - stopped_at)
    assert slowest.loss <= SIZES.lease_seconds + TOLERANCE_SECONDS
    census = take_census()
    leftovers = [process for run in lost for process in census.family(run.pk)]
    assert leftovers, "nothing was left to be stopped"
    assert any(run.spool.verdict() for run in lost), "there was no late verdict"

    # The cluster of node A is well, and would start what nobody there follows.
    cluster_b = server.start("cluster", NODE_NAME="node-b")
    moved = [load.add() for _ in range(4)]
    succeed(moved, 60)
    assert {str(run.node) for run in refreshed(moved)} == {"node-b"}
    cluster_b.send_signal(signal.SIGTERM)
    cluster_b.wait()

    continued_at = time.monotonic()
    agent.send_signal(signal.SIGCONT)
    wait_for_end(leftovers, "the end of what the node still ran", LEFTOVER_SECONDS)
    slowest.stop = max(slowest.stop, time.monotonic() - continued_at)
    succeed([load.add()], 60)
    for before, now in zip(lost, refreshed(lost), strict=True):
        assert (now.status, now.ended_at) == (before.status, before.ended_at)
    slowest.lost += len(lost)


def test_a_silent_node_loses_its_runs_takes_no_new_ones_and_stops_the_old_when_it_is_back(
    server: Processes, chaos_report: Callable[[str], None]
) -> None:
    server.start("cluster", NODE_NAME="node-a")
    agent = start_agent(server, "node-a")
    start_agent(server, "node-b")
    slowest = Slowest()
    for _ in range(SIZES.node_rounds):
        fall_silent(server, agent, slowest)
        assert_sound()
    chaos_report(
        f"{SIZES.node_rounds} times, {slowest.lost} runs given up, {slowest.loss:.1f} s after "
        f"their agent fell silent at the latest (lease {SIZES.lease_seconds} s); new runs went to "
        f"the other node; what was left was gone {slowest.stop:.1f} s after the agent was back; "
        f"late verdicts refused"
    )


def test_a_supervisor_that_does_not_answer_is_ended_by_the_agent(
    server: Processes, chaos_report: Callable[[str], None]
) -> None:
    server.start("cluster")
    server.start("agent")
    load = Load()
    timeout = 3
    run = load.add(seconds=LONG_SECONDS, timeout=timeout)
    wait_until(lambda: have_begun([run]), "the first line")
    census = take_census()
    family = census.family(run.pk)

    assert kill(census.supervisors[str(run.pk)][0], signal.SIGSTOP)

    ended = all_finished([run], 60)[0]
    assert ended.status == Status.TIMED_OUT, ended.reason
    wait_for_end(family, "nothing to be left", LEFTOVER_SECONDS)
    assert_sound()
    assert ended.duration is not None
    late = ended.duration.total_seconds() - timeout
    chaos_report(f"ended {late:.1f} s after its timeout, nothing left")
