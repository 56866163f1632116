"""Orchestrations over REST."""

import json
import threading
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.utils import timezone

from orchestrations.models import Orchestration, Version
from tasks import removal
from tasks.models import Kind, Task
from tasks.services import NotRunnable, run_again
from tests.api.conftest import ApiClient, client_of
from tests.factories import (
    make_orchestration,
    make_run,
    make_task,
    make_user,
    make_zip,
    start_task,
)
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
    assert (made.name, made.newest.file_name, made.workspace) == ("nightly", "story.zip", workspace)
    assert made.newest.status == Version.Status.PENDING_PACKAGING


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


def test_metadata_as_a_file_is_not_read_where_it_is_large(
    api: ApiClient, workspace: Workspace, settings: Any
) -> None:
    settings.FORM_MAX_BYTES = 100
    metadata = json.dumps({"workspace_id": workspace.pk}).ljust(101)
    response = upload(api, SimpleUploadedFile("metadata", metadata.encode()))
    assert (response.status_code, response.json()["msg"]) == (
        400, "metadata: this part is too large.",
    )  # fmt: skip


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


def test_so_many_ids_that_no_database_takes_them_are_refused(api: ApiClient) -> None:
    many = list(range(1, 300_000))
    response = api.post("orchestration/list_all", {"workspace_ids": many})
    assert response.status_code == 400
    assert "at most 10000 items" in response.json()["msg"]
    assert api.post("orchestration/list_all", {"workspace_ids": many[:10_000]}).status_code == 404


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


# -- Deleting --------------------------------------------------------------------------


def delete(api: ApiClient, *orchestrations: Orchestration, confirm: bool = True) -> Any:
    keys = [str(each.pk) for each in orchestrations]
    body = {"orchestrations": keys, "confirm_delete": confirm}
    return api.post("orchestration/delete_orchestrations", body)


def test_without_a_confirmation_nothing_is_deleted(
    api: ApiClient, orchestration: Orchestration
) -> None:
    make_run(make_task(orchestration), status=Status.SUCCESS, log_bytes=1000)
    response = delete(api, orchestration, confirm=False)
    assert response.json() == {"bytes": orchestration.newest.file_size + 1000}
    assert Orchestration.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_orchestration_goes_with_all_that_hangs_on_it(
    api: ApiClient, orchestration: Orchestration
) -> None:
    make_run(make_task(orchestration), status=Status.SUCCESS)
    make_task(orchestration, kind=Kind.SCHEDULED, state=Task.State.KILLED)
    archive, name = orchestration.newest.archive, str(orchestration.newest.archive.name)
    assert delete(api, orchestration).json() == {"bytes": orchestration.newest.file_size}
    assert not Orchestration.objects.exists()
    assert not Task.objects.exists()
    assert not archive.storage.exists(name)
    assert delete(api, orchestration).status_code == 404


@pytest.mark.parametrize(
    ("task", "run"),
    [
        ({"kind": Kind.SCHEDULED}, None),
        ({"kind": Kind.SCHEDULED, "state": Task.State.PAUSED}, None),
        ({"kind": Kind.CONTINUOUS}, None),
        ({"state": Task.State.PENDING_KILL}, None),
        ({}, {"status": Status.QUEUED}),
        ({}, {"status": Status.RUNNING}),
    ],
    ids=str,
)
def test_what_goes_on_is_not_deleted_and_nothing_beside_it(
    api: ApiClient, orchestration: Orchestration, task: dict[str, Any], run: dict[str, Any] | None
) -> None:
    made = make_task(orchestration, **task)
    if run is not None:
        make_run(made, **run)
    idle = make_orchestration(orchestration.workspace)
    response = delete(api, idle, orchestration)
    assert response.status_code == 409
    assert "Stop it first" in response.json()["msg"]
    assert Orchestration.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_asked_for_at_the_moment_of_deletion_is_not_lost(
    orchestration: Orchestration, owner: User
) -> None:
    task = make_task(orchestration)
    refusals: list[Exception] = []

    def delete_at_once() -> None:
        try:
            removal.delete_orchestration(orchestration=orchestration, user=owner)
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            refusals.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=delete_at_once)
    with transaction.atomic():
        run = run_again(task=task, user=owner, at=timezone.now())
        thread.start()
        thread.join(timeout=1)  # It waits for us, by now or a little later.
    thread.join(timeout=60)

    assert [type(refusal) for refusal in refusals] == [removal.StillInUse]
    assert task.runs.get() == run


def test_no_run_is_made_of_a_task_that_was_deleted_meanwhile(
    orchestration: Orchestration, owner: User
) -> None:
    task = make_task(orchestration)
    Orchestration.objects.all().delete()
    with pytest.raises(NotRunnable, match="deleted in the meantime"):
        run_again(task=task, user=owner, at=timezone.now())


def test_what_is_being_packaged_is_not_deleted(
    api: ApiClient, orchestration: Orchestration
) -> None:
    orchestration.newest.packagings.create()
    assert delete(api, orchestration).status_code == 409


def test_no_task_is_made_of_what_was_deleted_meanwhile(
    orchestration: Orchestration, owner: User
) -> None:
    Orchestration.objects.all().delete()
    with pytest.raises(NotRunnable, match="deleted in the meantime"):
        start_task(orchestration, user=owner)
