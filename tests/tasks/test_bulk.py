"""One thing asked of many."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tasks.models import Kind, Task
from tests.factories import make_orchestration, make_run, make_task, make_workspace, start_task
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def ask(client: Client, workspace: Workspace, action: str, **data: Any) -> Any:
    url = reverse("tasks:bulk", args=[workspace.pk])
    return client.post(url, {"action": action, **data}, follow=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def scheduled(workspace: Workspace, **fields: Any) -> Task:
    return make_task(make_orchestration(workspace), kind=Kind.SCHEDULED, **fields)


def test_the_selected_tasks_are_paused_and_no_other(
    owner_client: Client, workspace: Workspace
) -> None:
    first, second, other = (scheduled(workspace) for _ in range(3))
    response = ask(owner_client, workspace, "pause", task=[first.pk, second.pk])
    assert said(response) == ["2 tasks were paused."]
    states = dict(Task.objects.values_list("pk", "state"))
    assert states == {first.pk: "paused", second.pk: "paused", other.pk: "active"}


def test_the_tasks_of_selected_workloads_are_resumed(
    owner_client: Client, workspace: Workspace
) -> None:
    task = scheduled(workspace, state="paused")
    response = ask(owner_client, workspace, "resume", workload=[task.orchestration_id])
    task.refresh_from_db()
    assert (task.state, said(response)) == ("active", ["1 task was resumed."])


def test_what_ran_once_is_not_paused_so_that_its_retries_come(
    owner_client: Client, workspace: Workspace
) -> None:
    once = start_task(make_orchestration(workspace), kind=Kind.ONCE, name="once", retries=2)
    response = ask(owner_client, workspace, "pause", task=[once.pk])
    once.refresh_from_db()
    assert once.state == "active"
    assert said(response) == [
        "once was left as it is: It makes no runs by itself, or none any more."
    ]


@pytest.mark.parametrize(("action", "concerned"), [("pause", 1), ("stop", 2)])
def test_what_is_done_in_a_workload_does_not_count_as_selected(
    action: str,
    concerned: int,
    owner_client: Client,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.bulk_views.MOST_AT_ONCE", 2)
    task = scheduled(workspace)
    orchestration = task.orchestration
    for _ in range(3):
        make_run(make_task(orchestration, kind=Kind.ONCE), status=Status.SUCCESS)
    make_run(make_task(orchestration, kind=Kind.ONCE), status=Status.RUNNING)
    response = ask(owner_client, workspace, action, workload=[orchestration.pk], confirmed="yes")
    assert said(response)[0].startswith(f"{concerned} task")
    assert Task.objects.filter(state="active").count() == 5 - concerned


def test_a_selected_task_that_was_stopped_meanwhile_is_named(
    owner_client: Client, workspace: Workspace
) -> None:
    gone, fine = scheduled(workspace, state="killed", name="gone"), scheduled(workspace)
    done, left = said(ask(owner_client, workspace, "run", task=[gone.pk, fine.pk]))
    assert done == "1 task was asked to run."
    assert left.startswith("gone was left as it is: ")


def test_each_selected_task_is_run(owner_client: Client, workspace: Workspace) -> None:
    tasks = [scheduled(workspace), scheduled(workspace)]
    response = ask(owner_client, workspace, "run", task=[task.pk for task in tasks])
    assert [task.runs.count() for task in tasks] == [1, 1]
    assert said(response) == ["2 tasks were asked to run."]


def test_what_cannot_be_done_for_one_stops_none_of_the_others(
    owner_client: Client, workspace: Workspace
) -> None:
    broken = make_task(make_orchestration(workspace, status="error"), name="broken")
    fine = scheduled(workspace)
    response = ask(owner_client, workspace, "run", task=[broken.pk, fine.pk])
    assert fine.runs.count() == 1
    done, left = said(response)
    assert done == "1 task was asked to run."
    assert left.startswith("broken was left as it is: Its orchestration's packaging failed.")


def test_stopping_is_asked_first_and_then_done(owner_client: Client, workspace: Workspace) -> None:
    task = start_task(make_orchestration(workspace), kind=Kind.CONTINUOUS, name="endless")
    question = ask(owner_client, workspace, "stop", task=[task.pk]).content.decode()
    task.refresh_from_db()
    assert task.state == "active"
    assert "endless" in question
    assert "stops 1 run" in question

    response = ask(owner_client, workspace, "stop", task=[task.pk], confirmed="yes")
    task.refresh_from_db()
    assert task.is_ended
    assert said(response) == ["1 task was stopped for good."]


def test_tasks_of_another_workspace_are_not_touched(
    owner_client: Client, workspace: Workspace
) -> None:
    elsewhere = scheduled(make_workspace())
    response = ask(owner_client, workspace, "pause", task=[elsewhere.pk])
    elsewhere.refresh_from_db()
    assert elsewhere.state == "active"
    assert said(response) == ["Nothing that could be done was selected."]


@pytest.mark.parametrize("data", [{}, {"task": "x"}, {"task": "\0"}, {"workload": "1' or 1"}])
def test_nonsense_does_nothing_and_says_so(
    data: dict[str, str], owner_client: Client, workspace: Workspace
) -> None:
    task = scheduled(workspace)
    for action in ("pause", "explode", ""):
        response = ask(owner_client, workspace, action, **data)
        assert said(response) == ["Nothing that could be done was selected."]
    task.refresh_from_db()
    assert task.state == "active"


def test_more_than_can_be_done_at_once_is_refused_as_a_whole(
    owner_client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.bulk_views.MOST_AT_ONCE", 1)
    tasks = [scheduled(workspace), scheduled(workspace)]
    response = ask(owner_client, workspace, "pause", task=[task.pk for task in tasks])
    assert said(response) == ["Select fewer: at most 1 tasks at a time."]
    assert Task.objects.filter(state="active").count() == 2


def test_the_selected_runs_are_stopped(owner_client: Client, workspace: Workspace) -> None:
    task = make_task(make_orchestration(workspace))
    waiting, ended = make_run(task), make_run(task, status=Status.SUCCESS)
    url = reverse("tasks:runs-bulk", args=[workspace.pk])
    response = owner_client.post(url, {"run": [waiting.pk, ended.pk]}, follow=True)
    waiting.refresh_from_db()
    assert waiting.status == Status.KILLED
    assert said(response)[0] == "1 run was told to stop."
    assert "it has ended" in said(response)[1]


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("/workspaces/{}/workloads/?sort=name", "/workspaces/{}/workloads/?sort=name"),
        ("https://evil.example/", "/workspaces/{}/workloads/"),
        ("//evil.example/", "/workspaces/{}/workloads/"),
        ("", "/workspaces/{}/workloads/"),
    ],
)
def test_one_comes_back_to_the_list_and_nowhere_else(
    back: str, expected: str, owner_client: Client, workspace: Workspace
) -> None:
    url = reverse("tasks:bulk", args=[workspace.pk])
    response: Any = owner_client.post(url, {"back": back.format(workspace.pk)})
    assert response["Location"] == expected.format(workspace.pk)


def test_a_viewer_sees_no_boxes(client: Client, viewer: Any, workspace: Workspace) -> None:
    make_orchestration(workspace)
    client.force_login(viewer)
    assert "pick-" not in client.get(workspace.get_absolute_url()).content.decode()
