"""Doorbells: a ring wakes, nobody home is fine, the dead are taken down."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from wallaroo_ui.executions import doorbell, supervisor
from wallaroo_ui.executions.doorbell import Doorbell


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def test_a_ring_wakes_who_waits() -> None:
    with Doorbell("test") as bell:
        ringer = threading.Thread(target=doorbell.ring, args=["test"])
        ringer.start()

        assert bell.wait(60)
        ringer.join()


def test_a_ring_is_kept_for_who_comes_to_wait_later() -> None:
    with Doorbell("test") as bell:
        doorbell.ring("test")

        assert bell.wait(0)


def test_many_rings_wake_once() -> None:
    with Doorbell("test") as bell:
        for _ in range(100):
            doorbell.ring("test")

        assert bell.wait(0)
        assert not bell.wait(0)


def test_a_bell_that_nobody_answers_can_be_rung_without_end() -> None:
    with Doorbell("test") as bell:
        for _ in range(70_000):  # More than a pipe holds.
            supervisor.ring(str(bell.path.parent))

        assert bell.wait(0)


def test_without_a_ring_the_waiting_ends() -> None:
    with Doorbell("test") as bell:
        assert not bell.wait(0.01)


def test_a_ring_wakes_its_own_bell_only() -> None:
    with Doorbell("test") as bell, Doorbell("other") as other:
        doorbell.ring("other")

        assert not bell.wait(0)
        assert other.wait(0)


def test_a_ring_with_nobody_home_is_fine() -> None:
    doorbell.ring("nobody")

    with Doorbell("test"):
        pass
    doorbell.ring("test")
    assert list(doorbell.doorbells("test").iterdir()) == []


def test_a_ring_reaches_every_process_that_waits() -> None:
    folder = doorbell.doorbells("test")
    folder.mkdir(parents=True)
    other = folder / "other"
    os.mkfifo(other)
    descriptor = os.open(other, os.O_RDWR | os.O_NONBLOCK)
    with Doorbell("test") as bell:
        doorbell.ring("test")

        assert bell.wait(0)
        assert os.read(descriptor, 10) == b"!"
    os.close(descriptor)


def test_the_bell_of_a_dead_process_is_taken_down_and_does_not_stop_a_ring() -> None:
    gone = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    gone.wait()
    stale = doorbell.doorbells("test") / str(gone.pid)
    stale.parent.mkdir(parents=True)
    os.mkfifo(stale)
    doorbell.ring("test")

    with Doorbell("test") as bell:
        assert not stale.exists()
        doorbell.ring("test")
        assert bell.wait(0)


def test_the_bell_of_a_living_process_stays() -> None:
    living = doorbell.doorbells("test") / str(os.getppid())
    living.parent.mkdir(parents=True)
    os.mkfifo(living)

    with Doorbell("test"):
        assert living.exists()


def test_a_bell_is_hung_up_again_by_a_process_with_the_pid_of_a_dead_one() -> None:
    stale = doorbell.doorbells("test") / str(os.getpid())
    stale.parent.mkdir(parents=True)
    os.mkfifo(stale)

    with Doorbell("test") as bell:
        doorbell.ring("test")
        assert bell.wait(0)
