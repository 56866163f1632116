"""What one person may not see, another's client cannot reach, however it asks."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk.conftest import Sdk, ended
from tests.sdk.remote import Raised

pytestmark = pytest.mark.engine


@pytest.fixture
def task(orchestration: Any) -> Any:
    """A task of Ann's, with a run that has ended."""
    task = orchestration.run_once("Ann's")
    ended(task)
    return task


def test_a_stranger_s_lists_leave_out_what_belongs_to_others(
    ann: Any, ben: Any, workspace: Any, orchestration: Any, task: Any
) -> None:
    assert orchestration.id() in [each.id() for each in ann.list_orchestrations()]
    assert workspace.id() not in [each.id() for each in ben.list_workspaces()]
    assert orchestration.id() not in [each.id() for each in ben.list_orchestrations()]
    assert task.id() not in [each.id() for each in ben.list_tasks()]


def test_a_stranger_cannot_ask_for_a_workspace(ben: Any, workspace: Any) -> None:
    for list_them in (ben.list_orchestrations, ben.list_tasks):
        with pytest.raises(Raised, match="Failed to"):
            list_them(workspace_id=workspace.id())
        with pytest.raises(Raised, match="is not found"):
            list_them(workspace_name=workspace.name())


@pytest.fixture
def stolen(sdk: Sdk, ben: Any, orchestration: Any, task: Any) -> Callable[[str], Any]:
    """Make objects of Ann's in Ben's client, by the ids that he got to know."""
    [run] = task.last_runs()
    data = {
        "wallaroo.workspace.Workspace": {"id": orchestration.workspace_id()},
        "wallaroo.orchestration.Orchestration": {
            "id": orchestration.id(),
            "workspace_id": orchestration.workspace_id(),
        },
        "wallaroo.task.Task": {"id": task.id()},
        "wallaroo.task_run.TaskRun": {"task": task.id(), "run_id": run._pod_id},
    }
    return lambda name: sdk.interpreter.call(name, ben, data[name])


def test_a_stranger_who_knows_an_id_learns_nothing_by_it(
    ben: Any, stolen: Callable[[str], Any], task: Any
) -> None:
    # The SDK cannot read the null that GraphQL gives for what is not there.
    with pytest.raises(Raised, match="TypeError"):
        stolen("wallaroo.workspace.Workspace").name()
    with pytest.raises(Raised, match="TypeError"):
        stolen("wallaroo.orchestration.Orchestration").status()
    with pytest.raises(Raised, match="Failed to find Task ID"):
        ben.get_task_by_id(task.id())
    with pytest.raises(Raised, match="Failed to find Task ID"):
        stolen("wallaroo.task.Task").status()
    with pytest.raises(Raised, match="No runs found for this Task"):
        stolen("wallaroo.task.Task").last_runs()
    with pytest.raises(Raised, match="Failed to find logs for this task run"):
        stolen("wallaroo.task_run.TaskRun").logs()
    with pytest.raises(Raised, match="Failed to find Task Run for pod"):
        stolen("wallaroo.task_run.TaskRun")._repr_html_()


def test_a_stranger_who_knows_an_id_changes_nothing_by_it(
    ben: Any, stolen: Callable[[str], Any], workspace: Any, orchestration: Any, task: Any
) -> None:
    orchestration_of_ann = stolen("wallaroo.orchestration.Orchestration")
    for run, arguments in (
        (orchestration_of_ann.run_once, ["mine"]),
        (orchestration_of_ann.run_scheduled, ["mine", "* * * * *"]),
        (orchestration_of_ann.run_continuously, ["mine"]),
    ):
        with pytest.raises(Raised, match=r"OrchestrationDeployOneshotFailed.*nothing here"):
            run(*arguments)
    with pytest.raises(Raised, match="Failed to send Kill request"):
        stolen("wallaroo.task.Task").kill()
    with pytest.raises(Raised, match="Failed to send Pause request"):
        stolen("wallaroo.task.Task")._pause()
    ben.set_current_workspace(stolen("wallaroo.workspace.Workspace"))
    with pytest.raises(Raised, match=r"OrchestrationUploadFailed.*nothing here"):
        ben.upload_orchestration(bytes_buffer=b"anything")

    assert [each.id() for each in orchestration.list_tasks()] == [task.id()]
    assert task.status() == "started"


def test_a_member_reaches_the_same_things_by_the_same_ids(
    ben: Any, stolen: Callable[[str], Any], workspace: Any, task: Any
) -> None:
    workspace.add_user("ben@example.com")

    assert stolen("wallaroo.workspace.Workspace").name() == workspace.name()
    assert stolen("wallaroo.orchestration.Orchestration").status() == "ready"
    assert ben.get_task_by_id(task.id()).name() == "Ann's"
    assert len(stolen("wallaroo.task_run.TaskRun").logs()) > 0
    assert stolen("wallaroo.orchestration.Orchestration").run_once("Ben's").name() == "Ben's"


def test_an_admin_sees_everything(admin: Any, workspace: Any, task: Any) -> None:
    assert workspace.id() in [each.id() for each in admin.list_workspaces()]
    assert task.id() in [each.id() for each in admin.list_tasks()]
    assert admin.get_task_by_id(task.id()).name() == "Ann's"
