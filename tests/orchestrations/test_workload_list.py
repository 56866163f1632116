"""The Workloads list: its order, its pages, and what a row shows of runs."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.workload_list import COLUMNS, ROWS_A_PAGE, RUNS_A_ROW, headings
from tasks.models import Kind
from tests.factories import NOON, make_orchestration, make_run, make_task
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def listed(client: Client, workspace: Workspace, **query: str) -> list[str]:
    page = client.get(workspace.get_absolute_url(), query).context["page"]
    return [row.display_name for row in page.rows]


@pytest.fixture
def three(workspace: Workspace) -> None:
    """Three workloads that differ in every column."""
    failing = make_orchestration(workspace, name="beta")
    make_run(make_task(failing), status=Status.FAILURE, queued_at=NOON)
    scheduled = make_orchestration(workspace, name="", file_name="Alpha.zip")
    soon = NOON + timedelta(days=3650)
    make_task(scheduled, kind=Kind.SCHEDULED, next_run_at=soon)
    make_task(scheduled, kind=Kind.SCHEDULED, next_run_at=soon + timedelta(days=1))
    idle = make_orchestration(workspace, name="gamma")
    later = NOON + timedelta(hours=1)
    make_run(make_task(idle), status=Status.SUCCESS, queued_at=later)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["gamma", "Alpha.zip", "beta"]),
        ("created", ["beta", "Alpha.zip", "gamma"]),
        ("name", ["Alpha.zip", "beta", "gamma"]),
        ("-name", ["gamma", "beta", "Alpha.zip"]),
        ("status", ["beta", "Alpha.zip", "gamma"]),
        ("-last", ["gamma", "beta", "Alpha.zip"]),
        ("nonsense", ["gamma", "Alpha.zip", "beta"]),
        ("--name", ["gamma", "Alpha.zip", "beta"]),
    ],
)
def test_the_list_is_sorted_as_its_address_says(
    sort: str, expected: list[str], three: None, owner_client: Client, workspace: Workspace
) -> None:
    assert listed(owner_client, workspace, sort=sort) == expected


def test_what_runs_next_comes_first_and_what_never_does_last(
    three: None, owner_client: Client, workspace: Workspace
) -> None:
    assert listed(owner_client, workspace, sort="next")[0] == "Alpha.zip"
    assert listed(owner_client, workspace, sort="-next")[-1] == "Alpha.zip"


def test_a_paused_task_has_no_next_run(owner_client: Client, workspace: Workspace) -> None:
    paused = make_orchestration(workspace)
    make_task(paused, kind=Kind.SCHEDULED, next_run_at=NOON, state="paused")
    row = owner_client.get(workspace.get_absolute_url()).context["page"].rows[0]
    assert (row.next_run_at, row.workload_status) == (None, "inactive")


def test_a_heading_turns_the_order_round() -> None:
    by_name = headings("name")[0]
    assert (by_name.sort, by_name.direction) == ("-name", "ascending")
    assert headings("-name")[0].sort == "name"
    assert [each.direction for each in headings("name")[1:]] == [""] * (len(COLUMNS) - 1)


@pytest.mark.parametrize(
    "sort", [name for each in COLUMNS for name in (each.name, f"-{each.name}")]
)
def test_every_order_is_paged_without_losing_a_row(
    sort: str, owner_client: Client, workspace: Workspace
) -> None:
    names = [make_orchestration(workspace).name for _ in range(ROWS_A_PAGE + 3)]
    url = workspace.get_absolute_url()
    first = owner_client.get(url, {"sort": sort}).context["page"]
    second = owner_client.get(url, {"sort": sort, "cursor": first.next}).context["page"]
    assert sorted(row.name for row in first.rows + second.rows) == sorted(names)
    assert second.next == ""


def test_the_pages_keep_search_filter_and_order(owner_client: Client, workspace: Workspace) -> None:
    for _ in range(ROWS_A_PAGE + 1):
        make_orchestration(workspace)
    query = {"q": "orchestration", "status": "inactive", "sort": "name"}
    response = owner_client.get(workspace.get_absolute_url(), query)
    link = _links(response.content.decode())["page-next"]
    assert "q=orchestration" in link
    assert "status=inactive" in link
    assert "sort=name" in link
    assert len(owner_client.get(workspace.get_absolute_url() + link).context["page"].rows) == 1


def test_a_row_shows_the_newest_runs_of_all_its_tasks(
    owner_client: Client, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace)
    tasks = [make_task(orchestration), make_task(orchestration)]
    made = [
        make_run(tasks[hour % 2], status=Status.SUCCESS, queued_at=NOON + timedelta(hours=hour))
        for hour in range(RUNS_A_ROW + 2)
    ]
    make_run(make_task(make_orchestration(workspace)))
    response = owner_client.get(workspace.get_absolute_url(), {"sort": "created"})
    assert response.context["page"].rows[0].newest_runs == made[: -RUNS_A_ROW - 1 : -1]
    assert "10 runs: 10 Success. The latest: Success." in response.content.decode()


def test_the_last_runs_cost_three_queries_however_many(
    owner_client: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for _ in range(ROWS_A_PAGE):
        task = make_task(make_orchestration(workspace))
        for hour in range(3):
            make_run(task, status=Status.SUCCESS, queued_at=NOON + timedelta(hours=hour))
    with django_assert_max_num_queries(8):
        assert owner_client.get(workspace.get_absolute_url()).status_code == 200


def test_the_form_opens_in_the_dialog_too(owner_client: Client, workspace: Workspace) -> None:
    url = reverse("orchestrations:upload", args=[workspace.pk])
    in_dialog = owner_client.get(url, headers=HTMX | {"HX-Target": "dialog"}).content.decode()
    assert 'id="dialog-title"' in in_dialog
    assert "<html" not in in_dialog
    assert 'id="dialog-title"' not in owner_client.get(url, headers=HTMX).content.decode()


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        attributes = dict(attrs)
        if tag == "a" and "id" in attributes:
            self.found[attributes["id"]] = attributes.get("href", "")


def _links(html: str) -> dict[str, str]:
    parser = _Links()
    parser.feed(html)
    return parser.found


def test_a_cursor_of_another_order_means_the_first_page(
    owner_client: Client, workspace: Workspace
) -> None:
    for _ in range(ROWS_A_PAGE + 1):
        make_orchestration(workspace)
    url = workspace.get_absolute_url()
    for column in COLUMNS:
        cursor = owner_client.get(url, {"sort": column.name}).context["page"].next
        for other in COLUMNS:
            if other is not column:
                page = owner_client.get(url, {"sort": other.name, "cursor": cursor}).context["page"]
                assert not page.previous


def test_a_name_that_nothing_can_have_finds_nothing(
    owner_client: Client, workspace: Workspace
) -> None:
    make_orchestration(workspace)
    assert listed(owner_client, workspace, q="x" * 60_000) == []
    assert owner_client.get("/workspaces/", {"q": "x" * 60_000}).status_code == 200
