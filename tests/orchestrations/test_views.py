"""The Workloads list, the upload form and the orchestration's page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orchestrations.models import Orchestration, Version
from tasks.models import Task
from tests.factories import NOON, make_orchestration, make_run, make_task, make_zip
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def listed(client: Client, workspace: Workspace, **query: str) -> list[str]:
    page = client.get(reverse("orchestrations:list", args=[workspace.pk]), query).context["page"]
    return [row.display_name for row in page.rows]


def test_the_list_is_newest_first(owner_client: Client, workspace: Workspace) -> None:
    for name in ("first", "second", "third"):
        make_orchestration(workspace, name=name)
    assert listed(owner_client, workspace) == ["third", "second", "first"]


def test_the_list_holds_its_own_workspace_only(owner_client: Client, workspace: Workspace) -> None:
    make_orchestration(name="elsewhere")
    assert listed(owner_client, workspace) == []


def test_search_looks_into_the_shown_name_in_any_case(
    owner_client: Client, workspace: Workspace
) -> None:
    make_orchestration(workspace, name="Nightly scores")
    make_orchestration(workspace, name="", file_name="night.zip")
    make_orchestration(workspace, name="donuts", file_name="night-donuts.zip")
    assert listed(owner_client, workspace, q="NIGHT") == ["night.zip", "Nightly scores"]
    assert listed(owner_client, workspace, q="100%_") == []


@pytest.mark.parametrize(
    ("packaging", "runs", "expected"),
    [
        ("ready", [], "inactive"),
        ("ready", [Status.SUCCESS], "inactive"),
        ("ready", [Status.KILLED], "inactive"),
        ("ready", [Status.QUEUED], "active"),
        ("ready", [Status.SUCCESS, Status.RUNNING], "active"),
        ("ready", [Status.FAILURE], "error"),
        ("ready", [Status.TIMED_OUT], "error"),
        ("ready", [Status.LOST], "error"),
        ("ready", [Status.FAILURE, Status.SUCCESS], "inactive"),
        ("ready", [Status.SUCCESS, Status.FAILURE], "error"),
        ("ready", [Status.FAILURE, Status.RUNNING], "error"),
        ("error", [], "error"),
        ("error", [Status.RUNNING], "error"),
        ("pending_packaging", [], "inactive"),
    ],
)
def test_the_status_of_a_workload(
    packaging: str, runs: list[Status], expected: str, owner_client: Client, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace, name="it", status=packaging)
    for hour, status in enumerate(runs):
        moment = NOON + timedelta(hours=hour)
        times = {"queued_at": moment}
        run = make_run(make_task(orchestration), status=status, **times)
        if run.ended_at:
            type(run).objects.filter(pk=run.pk).update(ended_at=moment)

    found = Orchestration.objects.with_workload_status().get(pk=orchestration.pk)
    assert found.workload_status == expected
    for chosen in ("active", "inactive", "error"):
        shown = listed(owner_client, workspace, status=chosen)
        assert shown == (["it"] if chosen == expected else [])


def test_the_list_costs_the_same_number_of_queries_however_long(
    owner_client: Client, workspace: Workspace
) -> None:
    url = reverse("orchestrations:list", args=[workspace.pk])

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert owner_client.get(url).status_code == 200
        return len(captured)

    make_run(make_task(make_orchestration(workspace)))
    few = queries()
    for _ in range(20):
        make_run(make_task(make_orchestration(workspace)))
    assert queries() == few <= 8


def test_the_orchestration_page_costs_the_same_however_many_runs(
    owner_client: Client, orchestration: Orchestration
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner_client.get(orchestration.get_absolute_url()).status_code == 200
        return len(captured)

    make_run(make_task(orchestration))
    few = queries()
    for _ in range(20):
        make_run(make_task(orchestration))
    assert queries() == few <= 9


def test_a_run_that_goes_on_is_shown_however_many_came_after(
    owner_client: Client, orchestration: Orchestration
) -> None:
    old = make_run(make_task(orchestration), status=Status.RUNNING)
    for minute in range(1, 40):
        moment = NOON + timedelta(minutes=minute)
        make_run(make_task(orchestration), status=Status.SUCCESS, queued_at=moment)

    context = owner_client.get(reverse("orchestrations:runs", args=[orchestration.pk])).context

    assert context["runs"][0] == old
    assert len(context["runs"]) == 26
    assert context["is_busy"]


def test_older_runs_and_tasks_are_a_page_further(
    owner_client: Client, orchestration: Orchestration
) -> None:
    for minute in range(60):
        moment = NOON + timedelta(minutes=minute)
        make_run(make_task(orchestration), status=Status.SUCCESS, queued_at=moment)

    for name, shown in (("runs", "runs"), ("detail", "tasks")):
        url, found = reverse(f"orchestrations:{name}", args=[orchestration.pk]), []
        while url:
            context = owner_client.get(url).context
            found += context[shown]
            more = context["page"].next
            url = f"{context['request'].path}?cursor={more}" if more else ""
        assert len(set(found)) == len(found) == 60


def test_htmx_gets_the_region_alone(owner_client: Client, workspace: Workspace) -> None:
    url = reverse("orchestrations:list", args=[workspace.pk])
    assert b"<html" in owner_client.get(url).content
    region = owner_client.get(url, headers=HTMX)
    assert b"<html" not in region.content
    assert b'id="workloads"' in region.content
    assert "HX-Request" in region["Vary"]
    assert b"<html" in owner_client.get(url, headers=HTMX | {"HX-Boosted": "true"}).content


def upload(client: Client, workspace: Workspace, content: bytes, **headers: str) -> object:
    return client.post(
        reverse("orchestrations:upload", args=[workspace.pk]),
        {"archive": SimpleUploadedFile("../../evil<b>.zip", content), "name": ""},
        headers=headers,
    )


def test_an_upload_leads_to_the_orchestration(
    owner_client: Client, workspace: Workspace, queued_jobs: list[str]
) -> None:
    response = upload(owner_client, workspace, make_zip({"main.py": ""}))
    orchestration = Orchestration.objects.get()
    assert response["Location"] == orchestration.get_absolute_url()  # type: ignore[index]
    assert orchestration.newest.file_name == "evil<b>.zip"
    page = owner_client.get(orchestration.get_absolute_url()).content.decode()
    assert "evil&lt;b&gt;.zip" in page
    assert "evil<b>" not in page


def test_htmx_is_led_there_too(
    owner_client: Client, workspace: Workspace, queued_jobs: list[str]
) -> None:
    response = upload(owner_client, workspace, make_zip({"main.py": ""}), **HTMX)
    assert response["HX-Redirect"] == Orchestration.objects.get().get_absolute_url()  # type: ignore[index]


def test_an_empty_workspace_begins_with_the_sample(
    owner_client: Client, workspace: Workspace
) -> None:
    url = reverse("orchestrations:sample", args=[workspace.pk])
    empty = owner_client.get(workspace.get_absolute_url()).content.decode()
    assert f'action="{url}"' in empty
    response = owner_client.post(url)
    sample = Orchestration.objects.get(workspace=workspace)
    assert response.headers["Location"] == sample.get_absolute_url()
    assert sample.display_name == "donuts"
    assert sample.newest.status == Version.Status.PENDING_PACKAGING


def test_a_refusal_lists_every_problem_with_422(owner_client: Client, workspace: Workspace) -> None:
    content = make_zip({"a/requirements.txt": "", "b/requirements.txt": "", "../up": ""})
    response = upload(owner_client, workspace, content)
    assert response.status_code == 422  # type: ignore[attr-defined]
    problems = " ".join(response.context["problems"])  # type: ignore[attr-defined]
    for words in ("main.py", "a/requirements.txt", "b/requirements.txt", "../up"):
        assert words in problems


def test_an_archive_over_the_limit_is_refused_in_words(
    owner_client: Client, workspace: Workspace, settings: object
) -> None:
    settings.ARCHIVE_MAX_BYTES = 10  # type: ignore[attr-defined]
    response = upload(owner_client, workspace, make_zip({"main.py": ""}))
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert b"at most" in response.content  # type: ignore[attr-defined]


def test_the_archive_is_handed_out_only_as_a_download(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = owner_client.get(reverse("orchestrations:download", args=[orchestration.pk, 1]))
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    with orchestration.newest.archive.open("rb") as archive:
        assert response.getvalue() == archive.read()


def test_the_page_shows_every_field_of_the_specification(
    owner_client: Client, orchestration: Orchestration
) -> None:
    page = owner_client.get(orchestration.get_absolute_url()).content.decode()
    for text in (
        orchestration.name,
        str(orchestration.pk),
        orchestration.newest.file_name,
        orchestration.newest.sha,
        orchestration.created_at.isoformat(timespec="seconds")[:16],
    ):
        assert text in page


def test_tasks_are_listed_with_state_next_run_and_their_stop(
    owner_client: Client, orchestration: Orchestration
) -> None:
    scheduled = make_task(
        orchestration, kind="scheduled", next_run_at=datetime(2099, 3, 1, 2, 30, tzinfo=UTC)
    )
    paused = make_task(orchestration, kind="continuous", state="paused")
    killed = make_task(orchestration, kind="continuous", state="killed")
    once = make_task(orchestration)
    run = make_run(once, status=Status.RUNNING)

    page = owner_client.get(orchestration.get_absolute_url()).content.decode()

    assert "Sun\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}Mar\N{NO-BREAK SPACE}2099, 02:30" in page
    for words in ("Active", "Paused", "Stopped", "Running"):
        assert words in page
    for task, is_stoppable in [(scheduled, True), (paused, True), (killed, False), (once, False)]:
        assert task.get_absolute_url() in page
        assert (reverse("tasks:kill", args=[task.pk]) in page) is is_stoppable
    assert reverse("tasks:run-stop", args=[run.pk]) in page


def test_a_task_that_runs_by_itself_keeps_the_page_fresh(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, kind="scheduled", state="paused")
    url = orchestration.get_absolute_url()
    assert not owner_client.get(url).context["is_changing"]
    Task.objects.filter(pk=task.pk).update(state="active")
    assert owner_client.get(url).context["is_changing"]
