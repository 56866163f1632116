"""The changes of status: each wins once, and a finished execution stays as it is."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tasks.models import TaskRun
from tests.factories import NOON, make_node, make_run
from wallaroo_ui.executions.logstore import LogSize
from wallaroo_ui.executions.models import FINISHED, HELD, UNFINISHED, Node, Status
from wallaroo_ui.executions.spool import Verdict

pytestmark = pytest.mark.django_db

SUCCESS = Verdict(status="success", ended_at=NOON, exit_code=0)


def run_in(status: Status) -> TaskRun:
    return make_run(status=status, node=make_node() if status in HELD else None)


CHANGES: dict[str, tuple[Callable[[TaskRun], bool], tuple[Status, ...], Status | None]] = {
    "claim": (
        lambda run: run.claim(node=make_node(), at=NOON),
        (Status.QUEUED,),
        Status.STARTING,
    ),
    "give_back": (TaskRun.give_back, (Status.STARTING,), Status.QUEUED),
    "mark_running": (
        lambda run: run.mark_running(started_at=NOON),
        (Status.STARTING,),
        Status.RUNNING,
    ),
    "cancel_queued": (
        lambda run: run.cancel_queued(reason="No more.", at=NOON),
        (Status.QUEUED,),
        Status.KILLED,
    ),
    "ask_to_stop": (lambda run: run.ask_to_stop(reason="No more.", at=NOON), HELD, None),
    "finish": (lambda run: run.finish(SUCCESS), UNFINISHED, Status.SUCCESS),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_wins_once_and_from_the_right_statuses_only(name: str, status: Status) -> None:
    change, allowed, after = CHANGES[name]
    run = run_in(status)
    seen_by_another = TaskRun.objects.get(pk=run.pk)

    won = change(run)

    assert won == (status in allowed)
    assert not change(seen_by_another)
    run.refresh_from_db()
    assert run.status == ((after or status) if won else status)


@pytest.mark.parametrize("status", sorted(FINISHED))
@pytest.mark.parametrize("name", list(CHANGES))
def test_no_change_touches_anything_of_a_finished_execution(name: str, status: Status) -> None:
    run = run_in(status)
    before = TaskRun.objects.filter(pk=run.pk).values().get()

    CHANGES[name][0](run)

    assert TaskRun.objects.filter(pk=run.pk).values().get() == before


def test_a_claim_names_its_node_and_raises_the_fence() -> None:
    node = make_node(isolation="process")
    run = make_run()

    assert run.claim(node=node, at=NOON)

    run.refresh_from_db()
    assert (run.node, run.fence, run.claimed_at) == (node, 1, NOON)
    assert run.isolation == "process"


def test_what_is_given_back_waits_as_if_it_had_never_been_claimed() -> None:
    run = make_run()
    run.claim(node=make_node(), at=NOON)
    run.refresh_from_db()

    assert run.give_back()

    run.refresh_from_db()
    assert (run.status, run.node, run.claimed_at, run.isolation) == ("queued", None, None, "")


@pytest.mark.parametrize("name", ["give_back", "mark_running", "finish"])
def test_a_change_for_an_old_claim_is_refused_after_a_new_one(name: str) -> None:
    run = make_run()
    run.claim(node=make_node(), at=NOON)
    run.refresh_from_db()
    old = TaskRun.objects.get(pk=run.pk)
    assert run.give_back()
    assert run.claim(node=make_node(), at=NOON)

    assert not CHANGES[name][0](old)

    run.refresh_from_db()
    assert (run.status, run.fence) == (Status.STARTING, old.fence + 2)


def test_a_verdict_is_recorded_with_all_that_it_says() -> None:
    run = run_in(Status.RUNNING)
    verdict = Verdict(
        status="failure",
        reason="Ended by signal SIGKILL.",
        started_at=NOON,
        ended_at=NOON + timedelta(seconds=3),
        exit_code=137,
        signal_name="SIGKILL",
        peak_memory_bytes=5_000_000_000,
        cpu_seconds=1.5,
    )

    assert run.finish(verdict)
    run.keep_log_summary(LogSize(lines=3_000_000_000, bytes=6_000_000_000), tail="last words")

    run.refresh_from_db()
    for name in vars(verdict).keys() - {"log_lines", "log_bytes"}:
        assert getattr(run, name) == getattr(verdict, name)
    assert run.log_size == LogSize(lines=3_000_000_000, bytes=6_000_000_000)
    assert run.log_tail == "last words"
    assert run.is_finished
    assert run.duration == timedelta(seconds=3)


def test_a_verdict_without_a_start_keeps_the_start_that_is_known() -> None:
    run = make_run(status=Status.RUNNING, started_at=NOON, node=make_node())

    assert run.finish(Verdict(status="lost", ended_at=NOON))

    run.refresh_from_db()
    assert run.started_at == NOON


def test_a_second_request_to_stop_leaves_the_first_reason() -> None:
    run = run_in(Status.RUNNING)
    assert run.ask_to_stop(reason="First.", at=NOON)

    assert not run.ask_to_stop(reason="Second.", at=NOON + timedelta(seconds=1))

    run.refresh_from_db()
    assert (run.stop_reason, run.stop_requested_at) == ("First.", NOON)
    assert not run.may_stop


@pytest.mark.parametrize("status", list(Status))
def test_an_execution_has_an_end_exactly_when_it_is_finished(status: Status) -> None:
    run = run_in(status)
    wrong = None if status in FINISHED else NOON

    with pytest.raises(IntegrityError), transaction.atomic():
        TaskRun.objects.filter(pk=run.pk).update(ended_at=wrong)


def test_no_status_is_both_finished_and_unfinished() -> None:
    assert sorted(Status) == sorted([*FINISHED, *UNFINISHED])
    assert set(HELD) < set(UNFINISHED)


def test_the_longest_waiting_is_startable_first() -> None:
    late, early = (make_run(queued_at=NOON + timedelta(seconds=n)) for n in (2, 1))
    run_in(Status.RUNNING)

    assert list(TaskRun.objects.startable(at=NOON)) == [early, late]


def test_a_node_holds_what_starts_and_runs_on_it() -> None:
    node = make_node()
    runs = [make_run(status=status, node=node) for status in Status]
    make_run(status=Status.RUNNING, node=make_node())

    held = TaskRun.objects.held_by(node)

    assert set(held) == {run for run in runs if run.status in HELD}


def test_an_execution_has_a_folder_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    run = TaskRun(pk=uuid.UUID(int=7))

    assert run.spool.directory == tmp_path / "runs" / "00000000-0000-0000-0000-000000000007"


def test_waiting_and_running_take_the_time_between_their_ends() -> None:
    run = TaskRun(queued_at=NOON)
    assert (run.waited, run.duration) == (None, None)

    run.started_at = NOON + timedelta(seconds=2)
    run.ended_at = NOON + timedelta(seconds=5)

    assert run.waited == timedelta(seconds=2)
    assert run.duration == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("agent", "cluster", "answers"), [(25, 25, True), (26, 0, False), (0, 26, False)]
)
def test_a_node_answers_while_both_its_processes_report(
    agent: int, cluster: int, answers: bool
) -> None:
    node = Node(
        agent_seen_at=NOON - timedelta(seconds=agent),
        cluster_seen_at=NOON - timedelta(seconds=cluster),
    )

    assert node.is_answering(at=NOON) == answers


def test_a_node_that_never_reported_does_not_answer() -> None:
    assert not Node(agent_seen_at=NOON).is_answering(at=NOON)
    assert not Node(cluster_seen_at=NOON).is_answering(at=NOON)


@pytest.mark.parametrize(
    ("node", "takes"),
    [
        (Node(), True),  # Its agent is yet to report for the first time.
        (Node(agent_seen_at=NOON - timedelta(seconds=10)), True),
        (Node(agent_seen_at=NOON - timedelta(seconds=20)), False),
        (Node(agent_seen_at=NOON, is_draining=True), False),
    ],
)
def test_a_node_takes_work_unless_it_drains_or_its_agent_is_away(node: Node, takes: bool) -> None:
    assert node.takes_work(at=NOON) == takes
