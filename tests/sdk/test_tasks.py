"""Making, listing and killing tasks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.processes import wait_until
from tests.sdk.conftest import (
    ECHO,
    RUN_SLOTS,
    Server,
    ended,
    new_name,
    ready,
    running,
    text_of,
    upload,
)
from tests.sdk.remote import Raised
from tests.sdk.shown import fields, records

pytestmark = pytest.mark.engine

TABLE = [
    "id",
    "name",
    "last run status",
    "type",
    "active",
    "schedule",
    "created at",
    "updated at",
    "workspace id",
    "workspace name",
]
FOREVER = {"seconds": 3600}


def ids(tasks: Any) -> list[str]:
    return [task.id() for task in tasks]


def killed(task: Any) -> None:
    """Kill a task and wait for its end."""
    task.kill()
    wait_until(lambda: task.status() == "killed", "the end of a task")


# -- Run once --------------------------------------------------------------------------


def test_a_task_runs_once_with_its_arguments(workspace: Any, orchestration: Any) -> None:
    arguments = {"dogs": 3.9, "cats": [8, None, True], "name": "Zoë"}

    task = orchestration.run_once(name="once", json_args=arguments, timeout=60, debug=True)

    assert UUID(task.id())
    assert task.name() == "once"
    assert task.input_data() == arguments
    assert task.workspace_id() == workspace.id()
    assert task.task_type() == "Oneshot"
    age = datetime.now(UTC) - datetime.fromisoformat(task.created_at().isoformat())
    assert timedelta(0) < age < timedelta(minutes=1)
    run = ended(task)
    assert run._status == "success"
    assert 'arguments: {"dogs": 3.9, "cats": [8, null, true], "name": "Zo\\u00eb"}' in text_of(run)


def test_a_task_needs_no_arguments_and_no_name(orchestration: Any) -> None:
    task = orchestration.run_once(None)

    assert task.input_data() == {}
    assert task.name() == orchestration.name()
    assert "arguments: {}" in text_of(ended(task))


def test_a_task_is_started_and_stays_so_after_its_run(orchestration: Any) -> None:
    task = orchestration.run_once("once")
    assert task.status() in {"pending", "started"}

    # Official clients poll for this very word.
    wait_until(lambda: task.status() == "started", "the start of a task")
    assert ended(task)._status == "success"
    assert task.status() == "started"

    failing = orchestration.run_once("failing", {"exit_status": 3})
    assert ended(failing)._status == "failure"
    assert failing.status() == "started"


def test_a_task_may_be_made_while_its_orchestration_is_packaged(ann: Any, workspace: Any) -> None:
    task = upload(ann, ECHO).run_once("early")
    assert ended(task)._status == "success"


def test_a_run_over_its_timeout_is_timed_out(orchestration: Any) -> None:
    task = orchestration.run_once("slow", json_args=FOREVER, timeout=1)

    run = ended(task)

    assert run._status == "timed_out"
    assert fields(task)["Last Run Status"] == "timed_out"
    assert "a complaint" in text_of(run)


def test_more_tasks_than_slots_wait_for_their_turn(ann: Any, orchestration: Any) -> None:
    tasks = [orchestration.run_once(f"task {number}", FOREVER) for number in range(RUN_SLOTS)]
    for task in tasks:
        running(task)

    waiting = orchestration.run_once("waiting")

    assert waiting.status() == "pending"
    assert list(waiting.last_runs()) == []
    assert fields(waiting)["Last Run Status"] == "unknown"
    tasks[0].kill()
    assert ended(waiting)._status == "success"


@pytest.mark.parametrize("timeout", [0, -1, 10**9, "soon"])
def test_a_timeout_that_is_none_is_refused(orchestration: Any, timeout: Any) -> None:
    with pytest.raises(Raised, match=r"OrchestrationDeployOneshotFailed.*timeout"):
        orchestration.run_once("never", timeout=timeout)
    assert list(orchestration.list_tasks()) == []


# -- Run scheduled ---------------------------------------------------------------------


def test_a_scheduled_task_makes_a_run_at_a_tick(server: Server, orchestration: Any) -> None:
    task = orchestration.run_scheduled(
        name="minutely", schedule="* * * * *", json_args={"lines": ["tick"]}, timeout=600
    )
    assert task.status() == "started"
    assert fields(task)["Type"] == "Scheduled Run"
    assert fields(task)["Schedule"] == "* * * * *"

    # A whole minute is long: the tick of the minute that has begun is due as well.
    server.manage(
        "shell",
        "-c",
        "from django.utils import timezone; from tasks.models import Task;"
        "minute = timezone.now().replace(second=0, microsecond=0);"
        f"Task.objects.filter(pk='{task.id()}').update(next_run_at=minute)",
    )
    run = ended(task)

    assert run._status == "success"
    assert "tick" in text_of(run)
    assert task.status() == "started"


def test_a_scheduled_task_has_no_run_before_its_first_tick(orchestration: Any) -> None:
    task = orchestration.run_scheduled(name="new year", schedule="0 0 1 1 *")

    assert task.status() == "started"
    assert list(task.last_runs()) == []
    assert task.last_runs()._repr_html_() == "(no task runs)"
    assert fields(task)["Last Run Status"] == "unknown"


@pytest.mark.parametrize(
    "schedule", ["", "soon", "61 * * * *", "0 0 31 2 *", "* * * * * *", "@reboot"]
)
def test_a_schedule_that_is_none_is_refused_in_words(orchestration: Any, schedule: str) -> None:
    with pytest.raises(Raised, match=r"OrchestrationDeployOneshotFailed.*schedule: "):
        orchestration.run_scheduled(name="never", schedule=schedule)
    assert list(orchestration.list_tasks()) == []


def test_a_schedule_in_braces_never_leaves_the_sdk(orchestration: Any) -> None:
    with pytest.raises(Raised, match="TypeError: Object of type set is not JSON serializable"):
        orchestration.run_scheduled(name="never", schedule={"42 * * * *"})


def test_a_scheduled_task_is_paused_and_resumed(orchestration: Any) -> None:
    task = orchestration.run_scheduled(name="hourly", schedule="0 * * * *")

    assert task._pause().id() == task.id()
    assert task.status() == "paused"
    assert fields(task)["Active"] == "True"

    assert task._resume().id() == task.id()
    assert task.status() == "started"


# -- Run continuously ------------------------------------------------------------------


def test_a_continuous_task_runs_again_and_again_until_it_is_killed(orchestration: Any) -> None:
    task = orchestration.run_continuously(name="always", json_args={"lines": ["again"]})
    assert fields(task)["Type"] == "Continuous Run"
    assert fields(task)["Schedule"] == "-"

    ended(task, count=2)

    first, second = [run for run in task.last_runs() if run._status == "success"][-2:]
    assert "again" in text_of(first)
    assert "again" in text_of(second)
    assert first.logs() != second.logs()
    assert task.status() == "started"
    killed(task)
    assert list(task.last_runs(status="running")) == []


def test_a_continuous_task_that_never_ends_has_one_run(orchestration: Any) -> None:
    task = orchestration.run_continuously(name="endless", json_args=FOREVER)
    run = running(task)
    wait_until(lambda: "a complaint" in text_of(run), "its output while it goes on")

    assert len(task.last_runs()) == 1
    assert fields(task)["Last Run Status"] == "running"
    killed(task)
    assert [run._status for run in task.last_runs()] == ["killed"]


# -- Lists -----------------------------------------------------------------------------


def test_tasks_are_listed_the_newest_first_and_by_workspace(ann: Any, workspace: Any) -> None:
    here = ready(upload(ann, ECHO))
    tasks = [here.run_once(f"task {number}").id() for number in range(3)]
    other = ann.set_current_workspace(ann.create_workspace(new_name("team")))
    there = ready(upload(ann, ECHO)).run_once("elsewhere").id()

    assert ids(ann.list_tasks(workspace_id=workspace.id())) == tasks[::-1]
    assert ids(ann.list_tasks(workspace_name=other.name())) == [there]
    assert ids(ann.list_tasks())[:4] == [there, *tasks[::-1]]


def test_killed_means_only_the_killed_ones_and_its_absence_all(
    ann: Any, workspace: Any, orchestration: Any
) -> None:
    living = orchestration.run_scheduled(name="living", schedule="0 * * * *")
    dead = orchestration.run_scheduled(name="dead", schedule="0 * * * *")
    killed(dead)

    def listed(**options: Any) -> list[str]:
        return ids(ann.list_tasks(workspace_id=workspace.id(), **options))

    assert listed() == [dead.id(), living.id()]
    assert listed(killed=False) == [dead.id(), living.id()]
    assert listed(killed=True) == [dead.id()]


def test_an_orchestration_lists_its_own_tasks_in_the_current_workspace(
    ann: Any, orchestration: Any
) -> None:
    other = ready(upload(ann, ECHO))
    task, _ = orchestration.run_once("mine"), other.run_once("another's")

    assert ids(orchestration.list_tasks()) == [task.id()]
    # The SDK itself asks for those of the current workspace.
    ann.set_current_workspace(ann.create_workspace(new_name("team")))
    assert ids(orchestration.list_tasks()) == []


def test_filters_of_a_wrong_type_or_an_unknown_name_are_refused(ann: Any) -> None:
    with pytest.raises(Raised, match="TypeError: Workspace ID must be an integer"):
        ann.list_tasks(workspace_id="1")
    with pytest.raises(Raised, match="TypeError: Workspace name must be a string"):
        ann.list_tasks(workspace_name=1)
    with pytest.raises(Raised, match="Workspace by name nowhere is not found"):
        ann.list_tasks(workspace_name="nowhere")
    with pytest.raises(Raised, match="Failed to find Tasks in workspace"):
        ann.list_tasks(workspace_id=2**40)


def test_a_task_is_found_by_its_id(ann: Any, orchestration: Any) -> None:
    task = orchestration.run_once("wanted", {"lines": ["found"]})

    found = ann.get_task_by_id(task.id())

    assert (found.id(), found.name(), found.input_data()) == (
        task.id(),
        "wanted",
        {"lines": ["found"]},
    )
    unknown = str(uuid4())
    with pytest.raises(Raised, match=f"Failed to find Task ID {unknown}"):
        ann.get_task_by_id(unknown)
    with pytest.raises(Raised, match="ValueError"):
        ann.get_task_by_id("7")


# -- Kill ------------------------------------------------------------------------------


def test_a_kill_ends_what_runs_and_deletes_the_logs(ann: Any, orchestration: Any) -> None:
    task = orchestration.run_once("doomed", FOREVER)
    run = running(task)
    wait_until(lambda: text_of(run), "its output")

    answer = task.kill()

    assert repr(answer) == "<ArbexStatus.PENDING_KILL: 'pending_kill'>"
    wait_until(lambda: task.status() == "killed", "the end of the task")
    assert fields(task)["Active"] == "False"
    assert fields(task)["Last Run Status"] == "killed"
    assert list(run.logs()) == []
    assert run.logs()._repr_html_() == "(no logs yet)"


def test_the_logs_of_finished_runs_go_with_a_kill_as_well(orchestration: Any) -> None:
    task = orchestration.run_once("done")
    run = ended(task)
    assert text_of(run)

    killed(task)

    assert list(run.logs()) == []
    assert [each._status for each in task.last_runs()] == ["success"]


def test_a_task_may_be_killed_twice(orchestration: Any) -> None:
    task = orchestration.run_scheduled(name="twice", schedule="0 * * * *")
    killed(task)

    assert task.kill() == "killed"
    assert task.status() == "killed"


def test_everything_in_a_list_can_be_killed_in_a_loop(
    ann: Any, workspace: Any, orchestration: Any
) -> None:
    orchestration.run_once("done")
    orchestration.run_scheduled(name="hourly", schedule="0 * * * *")
    orchestration.run_continuously(name="always", json_args=FOREVER)
    killed(orchestration.run_once("killed already"))

    for task in ann.list_tasks(workspace_id=workspace.id()):
        task.kill()

    def all_killed() -> bool:
        listed = ann.list_tasks(workspace_id=workspace.id())
        return {task.status() for task in listed} == {"killed"}

    wait_until(all_killed, "the end of all tasks")


def test_a_killed_task_cannot_be_resumed(orchestration: Any) -> None:
    task = orchestration.run_scheduled(name="over", schedule="0 * * * *")
    killed(task)

    with pytest.raises(Raised, match="Failed to send Resume request"):
        task._resume()


# -- What is shown ---------------------------------------------------------------------


def test_a_task_is_shown_as_a_table(workspace: Any, orchestration: Any) -> None:
    task = orchestration.run_once("shown")
    ended(task)

    shown = fields(task)

    assert shown == {
        "ID": task.id(),
        "Name": "shown",
        "Last Run Status": "success",
        "Type": "Temporary Run",
        "Active": "True",
        "Schedule": "-",
        "Created At": task.created_at().strftime("%Y-%d-%b %H:%M:%S"),
        "Updated At": task.updated_at().strftime("%Y-%d-%b %H:%M:%S"),
        "Workspace ID": str(workspace.id()),
        "Workspace Name": workspace.name(),
    }
    assert re.fullmatch(r"\d{4}-\d\d-[A-Z][a-z]{2} \d\d:\d\d:\d\d", shown["Created At"])


def test_a_list_of_tasks_is_shown_as_a_table(ann: Any, workspace: Any, orchestration: Any) -> None:
    failing = orchestration.run_once("failing", {"exit_status": 1})
    ended(failing)
    scheduled = orchestration.run_scheduled(name="five minutely", schedule="*/5 * * * *")
    killed(orchestration.run_continuously(name="killed"))

    shown = records(ann.list_tasks(workspace_id=workspace.id()))

    assert list(shown[0]) == TABLE
    assert [row["name"] for row in shown] == ["killed", "five minutely", "failing"]
    assert [row["active"] for row in shown] == ["False", "True", "True"]
    assert [row["type"] for row in shown] == ["Continuous Run", "Scheduled Run", "Temporary Run"]
    assert [row["schedule"] for row in shown] == ["-", "*/5 * * * *", "-"]
    assert [row["last run status"] for row in shown[1:]] == ["unknown", "failure"]
    assert shown[1]["id"] == scheduled.id()
    assert {row["workspace name"] for row in shown} == {workspace.name()}


def test_an_empty_list_says_so(ann: Any, workspace: Any) -> None:
    assert ann.list_tasks(workspace_id=workspace.id())._repr_html_() == "(no tasks)"
