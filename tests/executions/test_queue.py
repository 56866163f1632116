"""The queue: first in, first out, each job once, and a ring when there is one."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django_q.conf import Conf

from wallaroo_ui.executions.doorbell import QUEUE, Doorbell
from wallaroo_ui.queue import DoorbellBroker, this_nodes_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DoorbellBroker]:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(Conf, "POLL", 0)
    broker = DoorbellBroker("test")
    yield broker
    if broker._bell is not None:
        broker._bell.__exit__(None, None, None)


def payloads(broker: DoorbellBroker) -> list[str]:
    """Take out jobs until there are none."""
    found = []
    while jobs := broker.dequeue():
        found += [payload for _, payload in jobs]
    return found


def test_jobs_come_out_in_the_order_they_went_in(broker: DoorbellBroker) -> None:
    for n in range(20):
        broker.enqueue(f"job {n}")

    assert payloads(broker) == [f"job {n}" for n in range(20)]


def test_a_job_is_handed_out_once(broker: DoorbellBroker) -> None:
    broker.enqueue("job")

    assert broker.dequeue() is not None
    assert broker.dequeue() is None
    assert broker.queue_size() == 0


def test_a_job_that_another_cluster_took_is_not_handed_out(
    broker: DoorbellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db.models.query import QuerySet

    broker.enqueue("job")
    monkeypatch.setattr(QuerySet, "delete", lambda _: (0, {}))

    assert broker.dequeue() is None


def test_an_enqueued_job_rings_once_it_can_be_seen(
    broker: DoorbellBroker, django_capture_on_commit_callbacks: Any
) -> None:
    with Doorbell(QUEUE) as bell:
        with django_capture_on_commit_callbacks(execute=True):
            broker.enqueue("job")
            assert not bell.wait(0)

        assert bell.wait(0)


def test_an_empty_queue_waits_at_the_doorbell(
    broker: DoorbellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(Doorbell, "wait", lambda _, seconds: waits.append(seconds))

    assert broker.dequeue() is None

    assert waits == [0]


def test_a_node_takes_its_own_jobs_and_not_those_of_others(
    broker: DoorbellBroker, settings: Any
) -> None:
    DoorbellBroker(this_nodes_key()).enqueue("mine")
    settings.NODE_NAME = "other"
    DoorbellBroker(this_nodes_key()).enqueue("theirs")
    settings.NODE_NAME = "testnode"
    broker.enqueue("anybody's")

    assert payloads(broker) == ["mine", "anybody's"]


def test_a_nodes_own_jobs_come_before_what_piles_up_for_all(broker: DoorbellBroker) -> None:
    for n in range(3):
        broker.enqueue(f"shared {n}")
    DoorbellBroker(this_nodes_key()).enqueue("own")

    assert payloads(broker)[0] == "own"


def test_a_database_that_is_away_is_asked_again_at_the_next_poll(
    broker: DoorbellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.enqueue("job")

    def away() -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(broker, "get_connection", away)
        patch.setattr("wallaroo_ui.queue.connections", {"default": SimpleNamespace(close=str)})
        assert broker.dequeue() is None

    assert payloads(broker) == ["job"]
