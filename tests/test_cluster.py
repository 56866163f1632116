"""The cluster: what becomes of it when one of its processes dies, or none works."""

import signal
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django_q.cluster import Sentinel

from tests.factories import NOON
from wallaroo_ui.executions.models import Node
from wallaroo_ui.management.commands.cluster import StrictSentinel
from wallaroo_ui.management.commands.serve import Watchdog


@pytest.mark.parametrize("exit_code", [0, 1, None])
def test_a_process_that_ended_by_itself_is_replaced(
    exit_code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[object] = []
    monkeypatch.setattr(Sentinel, "reincarnate", lambda self, process: replaced.append(process))
    process = SimpleNamespace(exitcode=exit_code)

    StrictSentinel.__new__(StrictSentinel).reincarnate(process)

    assert replaced == [process]


def test_a_process_that_was_killed_takes_the_cluster_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", leave)
    process = SimpleNamespace(exitcode=-signal.SIGKILL)

    with pytest.raises(SystemExit, match="1"):
        StrictSentinel.__new__(StrictSentinel).reincarnate(process)


def test_a_killed_process_is_noticed_while_the_guard_waits_for_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = threading.Lock()
    lock.acquire()
    left: list[int] = []

    def leave(code: int) -> None:
        left.append(code)
        lock.release()
        threading.Event().wait()  # Nothing goes on in a process that has left.

    monkeypatch.setattr("os._exit", leave)
    monkeypatch.setattr(Sentinel, "guard", lambda self: lock.acquire(timeout=60))
    sentinel = StrictSentinel.__new__(StrictSentinel)
    sentinel.monitor = sentinel.pusher = SimpleNamespace(exitcode=None)
    sentinel.pool = [sentinel.monitor, SimpleNamespace(exitcode=-signal.SIGKILL)]

    sentinel.guard()

    assert left == [1]


class Watched:
    """A node that is looked at every 2 s; its agent reports as long as it is there."""

    def __init__(self) -> None:
        self.watchdog = Watchdog()
        self.node = Node()
        self.now, self.started_at = 1000.0, 1000.0

    def stuck_after(self, seconds: float, *, works: bool = False, agent: bool = True) -> bool:
        """Tell whether it was called stuck at any look of the next `seconds`."""
        stuck = False
        until = self.now + seconds
        while self.now < until:
            self.now += 2
            at = NOON + timedelta(seconds=self.now)
            if agent:
                self.node.agent_seen_at = at
            if works:
                self.node.cluster_seen_at = at
            stuck |= self.watchdog.is_stuck(
                self.node, started_at=self.started_at, at=at, now=self.now
            )
        return stuck


def test_a_cluster_that_stops_working_is_stuck_after_a_while() -> None:
    watched = Watched()
    assert not watched.stuck_after(60, works=True)
    assert not watched.stuck_after(14)
    assert watched.stuck_after(4)


def test_a_cluster_gets_time_for_its_start_each_time() -> None:
    watched = Watched()
    assert not watched.stuck_after(30)
    assert watched.stuck_after(6)
    watched.started_at = watched.now
    assert not watched.stuck_after(30)


def test_a_cluster_that_nobody_asked_is_not_stuck() -> None:
    watched = Watched()
    watched.stuck_after(60, works=True)
    assert not watched.stuck_after(60, agent=False)
    assert not watched.stuck_after(14)  # The agent is back and asks.
    assert watched.stuck_after(4)


def test_a_cluster_is_not_stuck_because_host_or_database_were_away() -> None:
    watched = Watched()
    watched.stuck_after(60, works=True)
    watched.now += 3600
    assert not watched.stuck_after(14)
    assert not watched.stuck_after(60, works=True)
