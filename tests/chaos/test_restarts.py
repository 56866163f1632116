"""Servers that die as a whole, and servers that are restarted part by part."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest

from tests.chaos.census import kill, take_census
from tests.chaos.invariants import assert_sound
from tests.chaos.load import Load, all_finished, have_begun, refreshed, told
from tests.chaos.sizes import SIZES
from tests.processes import Processes, answers, wait_until
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.chaos

LOST_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass
class Tally:
    """What became of the runs over all rounds."""

    lost: int = 0
    queued: int = 0
    survived: int = 0
    slowest: float = 0.0


def die_and_come_back(
    server: Processes, serve: psutil.Popen, chance: random.Random, tally: Tally
) -> psutil.Popen:
    """Kill everything and half of the supervisors; start again; see what becomes of the runs."""
    load = Load()
    for _ in range(SIZES.restart_runs):
        load.add(seconds=chance.uniform(*SIZES.restart_seconds))
    wait_until(lambda: any(have_begun([run]) for run in load.runs), "a first run")
    time.sleep(chance.uniform(0, 3))  # Some are being launched at that moment, or none.

    census = take_census()
    supervised = sorted(census.supervisors)
    victims = set(chance.sample(supervised, len(supervised) // 2))
    processes = [*serve.children(recursive=True), serve]
    processes += [each for run in victims for each in census.family(run)]
    for process in processes:
        kill(process)
    serve.wait()
    tally.queued += sum(run.status == Status.QUEUED for run in refreshed(load.runs))
    # Those that had said their last word before they were killed have their verdict.
    victims -= {str(run.pk) for run in load.runs if run.spool.verdict() is not None}
    restarted_at = time.time()
    serve = server.start("serve")

    for run in all_finished(load.runs, 120):
        expected = Status.LOST if str(run.pk) in victims else Status.SUCCESS
        assert run.status == expected, f"{run.pk} is {run.status}: {run.reason}"
        if run.status == Status.LOST:
            assert run.ended_at is not None
            took = run.ended_at.timestamp() - restarted_at
            assert took <= LOST_SECONDS
            tally.slowest = max(tally.slowest, took)
    assert_sound()
    tally.lost += len(victims)
    tally.survived += len(supervised) - len(victims)
    return serve


def test_after_the_death_of_everything_each_run_goes_on_or_is_lost(
    server: Processes, chance: random.Random, chaos_report: Callable[[str], None]
) -> None:
    server.variables["RUN_SLOTS"] = str(SIZES.restart_slots)
    tally = Tally()
    serve = server.start("serve")
    for _ in range(SIZES.restarts):
        serve = die_and_come_back(server, serve, chance, tally)
    chaos_report(
        f"{SIZES.restarts} times, {SIZES.restarts * SIZES.restart_runs} runs: {tally.lost} lost "
        f"with their supervisors, at the latest {tally.slowest:.1f} s after the start; "
        f"{tally.survived} went on, {tally.queued} were queued and ran; 0 twice"
    )


def stop(process: psutil.Popen) -> float:
    """Ask a process to end, as a deployment does; return how long it took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=STOP_SECONDS)
    assert code in {0, -signal.SIGTERM}, f"ended with {code}"
    return time.monotonic() - began


def test_no_run_fails_because_the_server_is_restarted_part_by_part(
    server: Processes, chance: random.Random, chaos_report: Callable[[str], None]
) -> None:
    server.variables["RUN_SLOTS"] = str(SIZES.restart_slots)
    names = ["web", "cluster", "agent"]
    living = {name: server.start(name) for name in names}
    wait_until(lambda: answers(f"{server.url}/readyz"), "a ready server")
    load = Load()
    for _ in range(SIZES.rolling_runs):
        load.add(seconds=chance.uniform(*SIZES.rolling_seconds))
    slowest, count = 0.0, 0
    until = time.monotonic() + 60 + SIZES.rolling_runs * SIZES.rolling_seconds[1]

    while not all(run.is_finished for run in refreshed(load.runs)) and time.monotonic() < until:
        name = names[count % len(names)]
        slowest = max(slowest, stop(living[name]))
        living[name] = server.start(name)
        count += 1
        if name == "web":
            wait_until(lambda: answers(f"{server.url}/healthz"), "an answer of the web process")
        else:
            time.sleep(chance.uniform(0, 3))  # Killed at its start, or at its work.

    assert told(load.runs) == {"success": SIZES.rolling_runs}
    assert_sound()
    chaos_report(
        f"{SIZES.rolling_runs} runs, {count} restarts: 0 failed; slowest stop {slowest:.1f} s"
    )
