"""How a run ended and where its time went, in words and figures."""

from datetime import timedelta
from typing import Any

import pytest

from tasks.models import TaskRun
from tasks.run_words import exit_hint, exit_words, phases
from tests.factories import NOON
from wallaroo_ui.executions.models import Status

END = NOON + timedelta(seconds=100)


def seconds(number: float) -> Any:
    return NOON + timedelta(seconds=number)


def spans(**fields: Any) -> list[tuple[str, float]]:
    run = TaskRun(**{"status": Status.RUNNING, "queued_at": NOON} | fields)
    return [(each.name, each.took.total_seconds()) for each in phases(run, at=END)]


def test_a_finished_run_has_three_phases() -> None:
    fields = {"claimed_at": seconds(10), "started_at": seconds(15), "ended_at": seconds(50)}
    assert spans(status=Status.SUCCESS, **fields) == [
        ("queued", 10),
        ("preparing", 5),
        ("running", 35),
    ]


def test_what_goes_on_is_counted_up_to_now() -> None:
    assert spans(status=Status.QUEUED) == [("queued", 100)]
    assert spans(claimed_at=seconds(10)) == [("queued", 10), ("preparing", 90)]
    run = TaskRun(status=Status.QUEUED, queued_at=NOON)
    assert phases(run, at=END)[-1].since == NOON


def test_waiting_for_its_time_is_no_time_in_the_queue() -> None:
    assert spans(not_before=seconds(60), claimed_at=seconds(61), started_at=seconds(62)) == [
        ("queued", 1),
        ("preparing", 1),
        ("running", 38),
    ]


def test_a_run_that_never_began_has_its_time_in_the_queue_only() -> None:
    assert spans(status=Status.KILLED, ended_at=seconds(7)) == [("queued", 7)]


def test_clocks_that_disagree_make_no_negative_time() -> None:
    assert spans(claimed_at=seconds(-2), started_at=seconds(-3)) == [
        ("queued", 0),
        ("preparing", 0),
        ("running", 103),
    ]


def test_shares_fill_the_bar_and_can_all_be_seen() -> None:
    run = TaskRun(
        status=Status.SUCCESS,
        queued_at=NOON,
        claimed_at=NOON,
        started_at=NOON,
        ended_at=seconds(1000),
    )
    found = phases(run, at=END)
    assert sum(each.share for each in found) == pytest.approx(100, abs=0.1)
    assert min(each.share for each in found) > 0.5
    assert found[2].start == pytest.approx(found[0].share + found[1].share, abs=0.02)
    assert all(each.since is None for each in found)


@pytest.mark.parametrize(
    ("fields", "words", "hint"),
    [
        ({"status": "running"}, "", ""),
        ({"status": "success", "exit_code": 0}, "0", ""),
        ({"status": "failure", "exit_code": 1}, "1", ""),
        ({"status": "failure", "exit_code": 127}, "127", "not there"),
        ({"exit_code": 137, "signal_name": "SIGKILL"}, "137, ended by SIGKILL", "no memory left"),
        ({"exit_code": 139, "signal_name": "SIGSEGV"}, "139, ended by SIGSEGV", "Native code"),
        ({"exit_code": 140, "signal_name": "SIGUSR2"}, "140, ended by SIGUSR2", ""),
        # Whoever ended it knows why.
        ({"status": "killed", "exit_code": 137, "signal_name": "SIGKILL"}, "137", ""),
        ({"status": "timed_out", "exit_code": 143, "signal_name": "SIGTERM"}, "143", ""),
    ],
)
def test_an_end_is_explained(fields: dict[str, Any], words: str, hint: str) -> None:
    run = TaskRun(**{"status": "failure"} | fields)
    assert exit_words(run).startswith(words)
    assert bool(exit_words(run)) is bool(words)
    assert hint in exit_hint(run)
    assert bool(exit_hint(run)) is bool(hint)


def test_a_kill_for_memory_names_the_peak() -> None:
    run = TaskRun(status="failure", signal_name="SIGKILL", peak_memory_bytes=2 * 1024**3)
    assert "2.0\xa0GB" in exit_hint(run)
