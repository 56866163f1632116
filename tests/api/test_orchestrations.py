"""Orchestrations over REST."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from orchestrations.models import Orchestration
from tasks.models import Kind, Task
from tests.api.conftest import ApiClient, client_of
from tests.factories import make_orchestration, make_run, make_task, make_user, make_zip
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

GOOD = {"main.py": "print('hello')\n"}


def upload(api: ApiClient, metadata: Any, files: dict[str, str] | None = None, **more: Any) -> Any:
    content = make_zip(GOOD if files is None else files)
    archive = SimpleUploadedFile(more.get("file_name", "story.zip"), content)
    return api.upload(file=archive, metadata=metadata)


@pytest.mark.parametrize("is_file", [False, True], ids=["as a field", "as a file part"])
def test_metadata_of_an_upload_may_come(
    api: ApiClient, workspace: Workspace, is_file: bool
) -> None:
    text = json.dumps({"workspace_id": workspace.pk, "name": "nightly"})
    part = SimpleUploadedFile("m.json", text.encode(), "application/json") if is_file else text

    response = upload(api, part)

    assert response.status_code == 202
    made = Orchestration.objects.get(pk=response.json()["id"])
    assert (made.name, made.file_name, made.workspace) == ("nightly", "story.zip", workspace)
    assert made.status == Orchestration.Status.PENDING_PACKAGING


@pytest.mark.parametrize("name", [{}, {"name": None}], ids=["left out", "null"])
def test_an_upload_without_a_name_has_none(
    api: ApiClient, workspace: Workspace, name: dict[str, None]
) -> None:
    metadata = json.dumps({"workspace_id": workspace.pk, **name})
    pk = upload(api, metadata, file_name="_").json()["id"]
    shown = api.post("orchestration/get_by_id", {"id": pk}).json()
    assert (shown["name"], shown["file_name"]) == (None, "_")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("", "The body is not JSON"),
        ("[]", "has to be a JSON object"),
        ("{}", "metadata.workspace_id: Field required"),
        ('{"workspace_id": "1"}', "metadata.workspace_id: Input should be a valid integer"),
        ('{"workspace_id": 1, "name": 7}', "metadata.name: Input should be a valid string"),
    ],
)
def test_wrong_metadata_is_refused_in_words(api: ApiClient, metadata: str, words: str) -> None:
    response = upload(api, metadata)
    assert response.status_code == 400
    assert words in response.json()["msg"]
    assert not Orchestration.objects.exists()


def test_an_upload_without_metadata_or_file_is_refused(api: ApiClient) -> None:
    assert "metadata" in api.upload(file=SimpleUploadedFile("a.zip", make_zip(GOOD))).json()["msg"]
    assert "file" in api.upload(metadata="{}").json()["msg"]


def test_a_bad_archive_is_refused_with_every_problem(api: ApiClient, workspace: Workspace) -> None:
    files = {"requirements.txt": "six", "a/requirements.txt": "six"}
    response = upload(api, json.dumps({"workspace_id": workspace.pk}), files)
    assert response.status_code == 400
    assert "main.py" in response.json()["msg"]
    assert "requirements.txt" in response.json()["msg"]
    no_zip = api.upload(
        file=SimpleUploadedFile("a.zip", b"no zip"),
        metadata=json.dumps({"workspace_id": workspace.pk}),
    )
    assert (no_zip.status_code, no_zip.json()["msg"]) == (400, "The file is not a ZIP archive.")


def test_the_list_is_newest_first_and_holds_tasks_and_workspace(
    api: ApiClient, workspace: Workspace
) -> None:
    first, second = make_orchestration(workspace), make_orchestration(workspace)
    task = make_task(first)

    rows = api.post("orchestration/list_all", {}).json()["orchestrations"]

    assert [row["orchestration"]["id"] for row in rows] == [str(second.pk), str(first.pk)]
    assert [[task["id"] for task in row["tasks"]] for row in rows] == [[], [str(task.pk)]]
    assert rows[0]["workspace"]["name"] == workspace.name
    plain = api.post("orchestration/list", {"workspace_id": workspace.pk}).json()
    assert [row["id"] for row in plain] == [str(second.pk), str(first.pk)]


def test_the_list_may_be_narrowed(api: ApiClient, workspace: Workspace, owner: User) -> None:
    other = Workspace.objects.create(name="other")
    other.memberships.create(user=owner)
    here, there = make_orchestration(workspace), make_orchestration(other)
    make_run(make_task(here), status=Status.FAILURE)
    killed = make_task(there, state=Task.State.KILLED)

    def listed(**wanted: Any) -> list[str]:
        rows = api.post("orchestration/list_all", wanted).json()["orchestrations"]
        return [row["orchestration"]["id"] for row in rows]

    assert listed(workspace_ids=[]) == [str(there.pk), str(here.pk)]
    assert listed(workspace_ids=[other.pk]) == [str(there.pk)]
    assert listed(task_run_status=["failure"]) == [str(here.pk)]
    assert listed(task_run_status=["success"]) == []
    created = here.created_at.isoformat()
    assert listed(time_range=["2020-01-01T00:00:00Z", created]) == [str(here.pk)]
    rows = api.post("orchestration/list_all", {"killed": True}).json()["orchestrations"]
    assert [[task["id"] for task in row["tasks"]] for row in rows] == [[str(killed.pk)], []]
    assert api.post("orchestration/list_all", {"workspace_ids": [other.pk, 999]}).status_code == 404


def test_an_orchestration_whose_maker_is_gone_is_still_shown(
    api: ApiClient, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace, created_by=None)
    shown = api.post("orchestration/get_by_id", {"id": str(orchestration.pk)}).json()
    assert (shown["owner_id"], shown["created_by"]) == ("", None)


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_as_many_queries_however_long(
    workspace: Workspace, owner: User, django_assert_num_queries: Any, count: int
) -> None:
    for _ in range(count):
        task = make_task(make_orchestration(workspace), kind=Kind.SCHEDULED, created_by=owner)
        for _ in range(3):
            make_run(task, status=Status.SUCCESS)
    client = client_of(make_user(is_superuser=True))
    with django_assert_num_queries(4):  # The caller, tasks, their runs, orchestrations.
        rows = client.post("orchestration/list_all").json()["orchestrations"]
    assert len(rows) == count
