"""The Create Task form and the run's page."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orchestrations.models import Orchestration
from tasks.models import Task
from tests.factories import make_orchestration, make_run, make_task
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
GOOD = {"name": "nightly", "kind": "once", "arguments": "", "timeout": "900"}


def send(client: Client, orchestration: Orchestration, **changes: str) -> Any:
    return client.post(reverse("tasks:create", args=[orchestration.pk]), GOOD | changes)


def test_a_task_leads_to_its_run(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    response = send(owner_client, orchestration, arguments='{"dogs": 3.9}')
    task = Task.objects.get()
    assert response["Location"] == task.runs.get().get_absolute_url()
    assert task.arguments == {"dogs": 3.9}
    assert task.timeout_seconds == 900


def test_arguments_are_kept_as_they_were_sent(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    text = '{"z": 1.10, "a": [1e2]}'
    send(owner_client, orchestration, arguments=text)
    assert Task.objects.get().arguments_json == text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arguments": "[1]"}, "Line 1, column 1"),
        ({"arguments": '{"a": NaN}'}, "Line 1, column 7"),
        ({"arguments": '{"a": 1,\n  "a": 2}'}, "Line 2, column 3"),
        ({"arguments": '{"a":' * 101 + "1" + "}" * 101}, "Line 1, column"),
        ({"arguments": '{"a": "' + "x" * 1_000_001 + '"}'}, "Line 1, column"),
        ({"timeout": "0"}, "at least 1 second"),
        ({"timeout": "2592001"}, "30 days"),
        ({"timeout": "1.5"}, "whole number"),
        ({"timeout": "soon"}, "whole number"),
        ({"timeout": ""}, "required"),
        ({"name": ""}, "required"),
        ({"name": "x" * 256}, "255"),
        ({"kind": "sometimes"}, "sometimes"),
    ],
)
def test_bad_input_is_refused_with_422_and_words(
    changes: dict[str, str], words: str, owner_client: Client, orchestration: Orchestration
) -> None:
    response = send(owner_client, orchestration, **changes)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Task.objects.exists()


def test_an_orchestration_in_error_is_refused_with_what_to_do(
    owner_client: Client, workspace: Workspace
) -> None:
    response = send(owner_client, make_orchestration(workspace, status="error"))
    assert response.status_code == 422
    assert "Package it again" in response.content.decode()


def test_log_text_is_never_markup(owner_client: Client, orchestration: Orchestration) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING)
    run.spool.create()
    run.spool.log.write_bytes(
        b"2026-03-01T12:00:00.000000001Z stdout F <script>alert(1)</script> \xff\n"
    )
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\xff" in page


def test_the_log_region_goes_on_from_where_it_was(
    owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING)
    run.spool.create()
    line = b"2026-03-01T12:00:00.000000001Z stdout F number %d\n"
    run.spool.log.write_bytes(line % 1)
    url = reverse("tasks:run-log", args=[run.pk])
    offset = owner_client.get(url).context["log"].end_offset
    with run.spool.log.open("ab") as log:
        log.write(line % 2)

    more = owner_client.get(url, {"after": offset}).context["log"]

    assert [each.text for each in more.lines] == ["number 2"]


@pytest.mark.parametrize("after", ["", "-1", "x", "9" * 30, "1e3", "999999"])
def test_a_strange_offset_is_no_error(
    after: str, owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING)
    url = reverse("tasks:run-log", args=[run.pk])
    assert owner_client.get(url, {"after": after}).status_code == 200


@pytest.mark.parametrize(
    ("status", "polls"), [(Status.RUNNING, True), (Status.QUEUED, True), (Status.SUCCESS, False)]
)
def test_a_run_is_polled_until_it_has_ended(
    status: Status, polls: bool, owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=status)
    for name in ("tasks:run-summary", "tasks:run-log"):
        region = owner_client.get(reverse(name, args=[run.pk])).content.decode()
        assert ("hx-trigger" in region) is polls


def test_the_run_page_costs_few_queries(owner_client: Client, orchestration: Orchestration) -> None:
    run = make_run(make_task(orchestration))
    with CaptureQueriesContext(connection) as captured:
        owner_client.get(run.get_absolute_url())
    assert len(captured) <= 8
