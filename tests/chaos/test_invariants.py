"""The checker itself: what it must not let pass."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest

from tasks.models import Kind, TaskRun, Trigger
from tests.chaos.invariants import violations
from tests.chaos.load import expected_lines
from tests.factories import NOON, make_run, make_task
from tests.processes import end_tree, wait_until
from wallaroo_ui.executions import supervisor
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def write(run: TaskRun, *, lines: list[str] | None = None, **said: Any) -> None:
    """Write what a supervisor leaves."""
    if not run.spool.directory.exists():
        run.spool.create()
    printed = expected_lines(run) if lines is None else lines
    assert printed is not None
    texts = ["WALLAROO: run", *printed, f"WALLAROO: {run.status} after 0.1 s."]
    stamp = "2026-03-01T12:00:00.000000000Z stdout F "
    run.spool.log.write_text("".join(f"{stamp}{text}\n" for text in texts))
    assert run.started_at is not None
    assert run.ended_at is not None
    verdict = {
        "status": str(run.status),
        "started_at": run.started_at.timestamp(),
        "ended_at": run.ended_at.timestamp(),
        "exit_code": run.exit_code,
    }
    (run.spool.directory / supervisor.VERDICT).write_text(json.dumps(verdict | said))


@pytest.fixture
def run() -> TaskRun:
    """A run that went well."""
    task = make_task(arguments={"chaos_lines": 3, "pause": 0.1})
    run = make_run(task, status=Status.SUCCESS, exit_code=0)
    write(run)
    return run


@pytest.fixture
def start() -> Iterator[Callable[[TaskRun], psutil.Popen]]:
    """Starts a process that belongs to a run."""
    started: list[psutil.Popen] = []

    def start(run: TaskRun) -> psutil.Popen:
        process = psutil.Popen(
            ["sleep", "600"], env={"PATH": os.defpath, "WALLAROO_RUN_ID": str(run.pk)}
        )
        started.append(process)
        # The system shows a new program's environment a moment after it has begun.
        wait_until(lambda: "WALLAROO_RUN_ID" in process.environ(), "the process's environment")
        return process

    yield start
    for process in started:
        end_tree(process)


def change(run: TaskRun, **fields: Any) -> None:
    TaskRun.objects.filter(pk=run.pk).update(**fields)


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_a_run_that_went_well_is_sound(run: TaskRun) -> None:
    assert violations(at=NOON) == []


def test_a_case_is_over_when_every_run_has_ended(run: TaskRun) -> None:
    make_run(run.task, status=Status.QUEUED, trigger=Trigger.PERSON)

    assert "has not ended" in only(violations(at=NOON))
    assert violations(at=NOON, over=False) == []


def test_a_run_without_a_supervisor_does_not_stay_unfinished(run: TaskRun) -> None:
    make_run(run.task, status=Status.STARTING, trigger=Trigger.PERSON, claimed_at=NOON)

    assert violations(at=NOON + MINUTE / 2, over=False) == []
    assert "no supervisor for 120 s" in only(violations(at=NOON + 2 * MINUTE, over=False))


def test_a_queued_run_may_wait_while_others_go_on(run: TaskRun) -> None:
    make_run(run.task, status=Status.QUEUED, trigger=Trigger.PERSON)
    assert "no supervisor for" in only(violations(at=NOON + 2 * MINUTE, over=False))

    held = make_run(
        run.task, status=Status.STARTING, trigger=Trigger.PERSON, claimed_at=NOON + 2 * MINUTE
    )
    assert held.status == Status.STARTING
    assert violations(at=NOON + 2 * MINUTE, over=False) == []


def test_a_running_run_has_a_supervisor(run: TaskRun) -> None:
    make_run(run.task, status=Status.RUNNING, trigger=Trigger.PERSON, claimed_at=NOON)

    assert "no supervisor of it lives" in only(violations(at=NOON, over=False))


def test_a_new_task_makes_one_run(run: TaskRun) -> None:
    make_run(run.task, status=Status.KILLED, trigger=Trigger.TASK, started_at=None)

    assert "has 2 runs for its tick" in only(violations(at=NOON))


def test_a_continuous_task_has_one_run_at_a_time() -> None:
    task = make_task(kind=Kind.CONTINUOUS, arguments={"chaos_lines": 1, "pause": 0})
    for second in (0, 5):
        run = make_run(
            task,
            status=Status.SUCCESS,
            trigger=Trigger.CONTINUOUS,
            started_at=NOON + timedelta(seconds=second),
            ended_at=NOON + timedelta(seconds=second + 6),
        )
        write(run)

    assert "had ended" in only(violations(at=NOON))


def test_times_are_in_order(run: TaskRun) -> None:
    change(run, queued_at=NOON + MINUTE)

    assert "wrong order" in only(violations(at=NOON))


def test_the_row_says_what_the_supervisor_said(run: TaskRun) -> None:
    write(run, exit_code=3)

    assert "its supervisor said" in only(violations(at=NOON))


def test_a_run_that_was_given_up_may_differ_from_its_late_verdict(run: TaskRun) -> None:
    change(run, status=Status.LOST)

    assert violations(at=NOON) == []


def test_a_success_has_a_verdict_of_its_supervisor(run: TaskRun) -> None:
    (run.spool.directory / supervisor.VERDICT).unlink()

    assert "no verdict.json" in only(violations(at=NOON))


def test_a_log_ends_with_the_verdict(run: TaskRun) -> None:
    text = run.spool.log.read_text()
    run.spool.log.write_text(text[: text.index("WALLAROO: success")] + "chaos?\n")

    assert any("log that ends with" in said for said in violations(at=NOON))


def test_a_run_that_started_has_a_log(run: TaskRun) -> None:
    run.spool.log.unlink()

    assert any("has no log" in said for said in violations(at=NOON))


@pytest.mark.parametrize(
    "lines",
    [
        ["chaos begins", "chaos 0", "chaos 2", "chaos ends"],
        ["chaos begins", "chaos 1", "chaos 0", "chaos 2", "chaos ends"],
        ["chaos begins", "chaos 0", "chaos 1", "chaos 2", "chaos ends", "chaos ends"],
        [],
    ],
)
def test_each_line_is_kept_once_and_in_order(run: TaskRun, lines: list[str]) -> None:
    write(run, lines=lines)

    assert len(violations(at=NOON)) == 1


def test_a_script_is_started_once_over_all_spools_of_a_run(run: TaskRun) -> None:
    earlier = run.spool.directory.with_name(f"{run.pk}.3")
    earlier.mkdir()
    (earlier / supervisor.LOG).write_text("t stdout F chaos begins\n")

    assert "started 2 times" in only(violations(at=NOON))


def test_what_was_ended_in_the_middle_got_as_far_as_it_got(run: TaskRun) -> None:
    change(run, status=Status.KILLED)
    run.refresh_from_db()

    write(run, lines=["chaos begins", "chaos 0"])
    assert violations(at=NOON) == []
    write(run, lines=["chaos begins", "chaos 1"])
    assert "lines missing" in only(violations(at=NOON))


def test_nothing_of_a_run_that_is_over_lives(
    run: TaskRun, start: Callable[[TaskRun], psutil.Popen]
) -> None:
    process = start(run)

    assert f"lives: pid {process.pid}" in only(violations(at=NOON))


def test_the_processes_of_a_run_that_nobody_knows_are_found(
    run: TaskRun, start: Callable[[TaskRun], psutil.Popen]
) -> None:
    process = start(run)
    TaskRun.objects.all().delete()

    assert f"lives: pid {process.pid}" in only(violations(at=NOON))
    subprocess.run(["rm", "-rf", str(run.spool.directory)], check=True)
    assert violations(at=NOON) == []
