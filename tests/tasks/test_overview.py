"""The overview of the whole server: what it counts, and what it calls late, failing or stuck."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrations.models import Packaging, Version
from tasks.models import Kind, Task
from tasks.overview import Overview, overview
from tests.factories import (
    NOON,
    log_in_a_browser,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
)
from wallaroo_ui.accounts.models import BrowserSession, User
from wallaroo_ui.executions.models import Node, Status

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def look() -> Overview:
    return overview(at=NOON)


@pytest.fixture
def node() -> Node:
    return make_node(name="alpha", agent_seen_at=NOON, cluster_seen_at=NOON)


def run(
    task: Task | None = None, *, ago: timedelta, lasted: timedelta = MINUTE, **fields: Any
) -> Any:
    """Make a run that began so long before noon."""
    status = fields.setdefault("status", Status.SUCCESS)
    begun = NOON - ago
    times: dict[str, Any] = {"queued_at": begun}
    if status != Status.QUEUED:
        times |= {"claimed_at": begun}
    if status not in {Status.QUEUED, Status.STARTING}:
        times |= {"started_at": begun}
    if status not in {Status.QUEUED, Status.STARTING, Status.RUNNING}:
        times |= {"ended_at": begun + lasted}
    return make_run(task, **times | fields)


def troubles() -> list[str]:
    return [trouble.words for trouble in look().stuck]


# -- Figures --------------------------------------------------------------------------------


def test_an_empty_server_has_an_overview() -> None:
    found = look()
    assert set(found.figures.values()) <= {0}
    assert (found.nodes, found.failing, found.late, found.stuck) == ([], [], [], [])


def test_people_who_are_there_and_who_were_seen_lately(db: None) -> None:
    make_user(is_active=False)
    for hours in (1, 25):
        browser = log_in_a_browser(make_user())
        seen = NOON - timedelta(hours=hours)
        BrowserSession.objects.filter(pk=browser.pk).update(last_seen_at=seen)
    figures = look().figures
    assert (figures["people"], figures["people_seen"]) == (2, 1)


def test_workloads_and_their_packaging(admin: User) -> None:
    good = make_orchestration()
    make_orchestration(status=Version.Status.ERROR)
    Packaging.objects.create(version=good.newest)
    figures = look().figures
    assert (figures["workloads"], figures["packaging"], figures["not_packaged"]) == (2, 1, 1)


def test_what_runs_and_what_waits_the_longest_waiting_first(node: Node) -> None:
    run(ago=MINUTE, status=Status.RUNNING, node=node)
    run(ago=MINUTE, status=Status.STARTING, node=node)
    second, first = (
        run(ago=2 * MINUTE, status=Status.QUEUED),
        run(ago=3 * MINUTE, status=Status.QUEUED),
    )
    waits_for_its_time = run(ago=HOUR, status=Status.QUEUED, not_before=NOON + MINUTE)
    run(ago=HOUR, status=Status.QUEUED, start_by=NOON - MINUTE)
    found = look()
    assert (found.figures["going_on"], found.figures["queued"]) == (2, 4)
    assert found.figures["past_deadline"] == 1
    assert [row.pk for row in found.waiting] == [first.pk, second.pk]
    assert waits_for_its_time.pk not in {row.pk for row in found.waiting}


def test_nodes_that_answer_with_what_they_hold(node: Node) -> None:
    silent = make_node(name="beta", agent_seen_at=NOON - MINUTE, cluster_seen_at=NOON)
    run(ago=MINUTE, status=Status.RUNNING, node=node)
    found = look()
    assert found.nodes == [(node, True, 1), (silent, False, 0)]
    assert (found.answering, found.silent) == (1, 1)


# -- Late -----------------------------------------------------------------------------------


def test_late_is_a_tick_that_no_scheduler_has_seen_for_half_a_minute() -> None:
    def due(seconds: int, **fields: Any) -> Task:
        tick = NOON - timedelta(seconds=seconds)
        return make_task(kind=Kind.SCHEDULED, next_run_at=tick, **fields)

    due(29)
    later, earlier = due(31), due(300)
    due(300, state=Task.State.PAUSED)
    found = look()
    assert found.late == [earlier, later]
    assert found.figures["late"] == 2


# -- Failing --------------------------------------------------------------------------------


def test_failing_is_a_task_whose_latest_verdict_is_bad() -> None:
    recovered, broken, never, stopped = make_task(), make_task(), make_task(), make_task()
    run(recovered, ago=2 * HOUR, status=Status.FAILURE)
    run(recovered, ago=HOUR)
    run(broken, ago=3 * HOUR)
    run(broken, ago=2 * HOUR, status=Status.FAILURE)
    latest = run(broken, ago=HOUR, status=Status.TIMED_OUT, reason="It took too long.")
    run(broken, ago=MINUTE, status=Status.QUEUED)  # It is tried again: no verdict yet.
    lost = run(never, ago=2 * HOUR, status=Status.LOST)
    run(stopped, ago=HOUR, status=Status.KILLED)
    failing = look().failing
    assert [row.pk for row in failing] == [latest.pk, lost.pk]
    assert (failing[0].reason, failing[0].status_label) == ("It took too long.", "Timed_out")


def test_a_flood_of_failures_shows_the_newest_few() -> None:
    for minutes in range(20):
        run(ago=minutes * MINUTE, status=Status.FAILURE)
    failing = look().failing
    assert len(failing) == 8
    assert failing[0].queued_at == NOON


# -- Stuck ----------------------------------------------------------------------------------


def test_a_run_that_gets_on_is_no_trouble(node: Node) -> None:
    task = make_task()
    run(task, ago=2 * HOUR, lasted=10 * MINUTE)
    run(task, ago=29 * MINUTE, status=Status.RUNNING, node=node)
    run(ago=10 * HOUR, status=Status.RUNNING, node=node)  # Nobody knows how long it takes.
    assert troubles() == []


def test_a_run_that_goes_on_long_past_usual(node: Node) -> None:
    task = make_task()
    run(task, ago=4 * HOUR, lasted=HOUR)
    run(task, ago=2 * HOUR, lasted=10 * MINUTE)
    run(task, ago=HOUR, lasted=HOUR, status=Status.FAILURE)
    run(task, ago=31 * MINUTE, status=Status.RUNNING, node=node)
    assert troubles() == ["Running for 31 min; its last success took 10 min."]


def test_quick_tasks_are_given_five_minutes(node: Node) -> None:
    task = make_task()
    run(task, ago=HOUR, lasted=timedelta(seconds=1))
    going_on = run(task, ago=5 * MINUTE, status=Status.RUNNING, node=node)
    assert troubles() == []
    going_on.started_at = NOON - 6 * MINUTE
    going_on.save()
    assert troubles() == ["Running for 6 min; its last success took 1 s."]


def test_a_run_whose_node_does_not_answer() -> None:
    silent = make_node(agent_seen_at=NOON - MINUTE, cluster_seen_at=NOON - MINUTE)
    run(ago=MINUTE, status=Status.RUNNING, node=silent)
    assert troubles() == ["Its node does not answer."]


def test_a_run_that_does_not_start_or_does_not_stop(node: Node) -> None:
    run(ago=59 * timedelta(seconds=1), status=Status.STARTING, node=node)
    run(ago=2 * MINUTE, status=Status.STARTING, node=node)
    run(ago=HOUR, status=Status.RUNNING, node=node, stop_requested_at=NOON - 3 * MINUTE)
    assert troubles() == ["It was asked to stop 3 min ago.", "Starting for 2 min."]


def test_packagings_that_hang(node: Node, settings: Any) -> None:
    settings.PACKAGING_TIMEOUT_SECONDS = 600
    silent = make_node(agent_seen_at=NOON - MINUTE)

    def packaging(ago: timedelta, **fields: Any) -> None:
        begun = NOON - ago
        version = make_orchestration().newest
        if fields.setdefault("status", Status.RUNNING) == Status.RUNNING:
            fields |= {"started_at": begun, "node": fields.get("node", node)}
        Packaging.objects.create(version=version, queued_at=begun, **fields)

    packaging(4 * MINUTE, status=Status.QUEUED)
    packaging(9 * MINUTE)
    packaging(20 * MINUTE, status=Status.QUEUED)
    packaging(11 * MINUTE)
    packaging(MINUTE, node=silent)
    assert troubles() == ["Waits for 20 min.", "Goes on for 11 min.", "Its node does not answer."]


# -- The page -------------------------------------------------------------------------------


def test_the_page_leads_to_where_one_acts(
    admin: User, node: Node, django_assert_max_num_queries: Any
) -> None:
    client = Client()
    client.force_login(admin)
    now = timezone.now()
    task = make_task(name="nightly", kind=Kind.SCHEDULED, next_run_at=now - HOUR)
    failed = make_run(task, status=Status.FAILURE, reason="exit status 1", ended_at=now)
    stuck = make_run(make_task(name="hangs"), status=Status.RUNNING, node=node, started_at=NOON)
    for _ in range(12):
        make_run(status=Status.QUEUED)
        make_run(status=Status.FAILURE)
    Packaging.objects.create(version=make_orchestration(name="slow").newest, queued_at=NOON)
    url = reverse("overview")

    with django_assert_max_num_queries(8):
        page = client.get(url).content.decode()
    assert "Packaging of slow" in page
    for thing in (failed, stuck, task):
        assert f'href="{thing.get_absolute_url()}"' in page
    for link in ("accounts_user", "orchestrations_orchestration", "tasks_taskrun"):
        assert reverse(f"admin:{link}_changelist") in page
    for link in ("tasks/taskrun/?status__exact=queued", "?newest__status__exact=error"):
        assert link in page
        assert client.get(f"/admin/{link.split('?')[0]}").status_code in {200, 302}

    region = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert region.lstrip().startswith('<div id="overview"')
    assert 'hx-trigger="every 5s"' in region


def test_only_admins_find_it_in_their_menu(admin: User, owner: User) -> None:
    for user, expected in ((admin, True), (owner, False)):
        client = Client()
        client.force_login(user)
        page = client.get(reverse("workspaces:list")).content.decode()
        assert (reverse("overview") in page) is expected
