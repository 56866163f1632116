"""The page of a task, and what can be done there."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from orchestrations.models import Orchestration
from tasks.models import Kind, SkippedTicks, Task, TaskRun, Trigger
from tests.factories import (
    NOON,
    make_run,
    make_task,
    make_user,
    start_task,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def scheduled(orchestration: Orchestration, owner: User) -> Task:
    task = make_task(
        orchestration,
        kind=Kind.SCHEDULED,
        name="nightly",
        schedule="0 12 * * *",
        time_zone="Europe/Berlin",
        created_by=owner,
    )
    task.next_run_at = task.cron.next_after(timezone.now())
    task.save()
    return task


def url(task: Task, name: str = "detail") -> str:
    return reverse(f"tasks:{name}", args=[task.pk])


def newest_run(task: Task) -> TaskRun:
    run = task.last_run
    assert run is not None
    return run


def shown(client: Client, task: Task, name: str = "detail") -> str:
    return client.get(url(task, name)).content.decode()


def test_the_page_shows_schedule_words_zone_and_the_next_runs(
    owner_client: Client, scheduled: Task
) -> None:
    page = shown(owner_client, scheduled)
    for words in (
        "Every day at 12:00",
        "0 12 * * *",
        "Europe/Berlin",
        "Next 5 runs",
        "Next run in",
    ):
        assert words in page
    assert "Run Scheduled" in page


def test_the_ledger_tells_what_became_of_each_tick(
    owner_client: Client, scheduled: Task, owner: User
) -> None:
    run = make_run(
        scheduled, status=Status.SUCCESS, trigger=Trigger.SCHEDULE, due_at=NOON, queued_at=NOON
    )
    TaskRun.objects.filter(pk=run.pk).update(started_at=NOON + timedelta(seconds=4))
    day = timedelta(days=1)
    SkippedTicks.objects.create(
        task=scheduled,
        reason="paused",
        user=owner,
        first_due_at=NOON + day,
        last_due_at=NOON + 2 * day,
        count=2,
        noticed_at=NOON + 3 * day,
    )
    page = shown(owner_client, scheduled)
    assert "ran 4 s late" in page
    assert "2 ticks paused by owner@example.com" in page
    assert page.index("2 ticks paused") < page.index("ran 4 s late")


def test_a_retry_says_which_attempt_it_is_and_of_which_run(
    owner_client: Client, scheduled: Task
) -> None:
    Task.objects.filter(pk=scheduled.pk).update(retries=3)
    first = make_run(scheduled, status=Status.FAILURE, due_at=NOON)
    make_run(scheduled, status=Status.SUCCESS, due_at=NOON, attempt=2, retry_of=first)
    page = shown(owner_client, scheduled)
    assert "attempt 2 of 4, retry of <a" in page
    assert first.get_absolute_url() in page


def test_a_crash_loop_says_when_it_tries_again(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, kind=Kind.CONTINUOUS, quick_failures=5, timeout_seconds=None)
    soon = timezone.now() + timedelta(minutes=32, seconds=30)
    make_run(task, trigger=Trigger.CONTINUOUS, not_before=soon)
    page = shown(owner_client, task)
    assert "Crash loop" in page
    assert "Next try in 32 min" in page
    assert "5 runs in a row failed at once" in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "once"}, "Active"),
        ({"state": "paused"}, "By somebody"),
        ({"state": "pending_kill"}, "Its last runs are ending"),
        ({"state": "killed"}, "Stopped"),
        ({"kind": "scheduled", "schedule_error": "The zone is gone."}, "The zone is gone."),
        ({"kind": "scheduled"}, "no more times"),
        ({"kind": "scheduled", "next_run_at": NOON}, "A run is due now"),
        ({"kind": "scheduled", "schedule": "61 * * * *"}, "out of range"),
    ],
)
def test_every_state_has_its_words(
    fields: dict[str, Any], words: str, owner_client: Client, orchestration: Orchestration
) -> None:
    assert words in shown(owner_client, make_task(orchestration, **fields))


@pytest.mark.parametrize(
    ("fields", "status", "polls"),
    [
        ({"kind": "scheduled"}, None, True),
        ({"kind": "scheduled", "state": "paused"}, None, False),
        ({"kind": "scheduled", "state": "paused"}, Status.RUNNING, True),
        ({"kind": "once"}, Status.SUCCESS, False),
        ({"kind": "once"}, Status.RUNNING, True),
        ({"kind": "continuous", "state": "pending_kill"}, None, True),
        ({"kind": "continuous", "state": "killed"}, Status.KILLED, False),
    ],
)
def test_a_task_is_polled_while_something_may_change(
    fields: dict[str, Any],
    status: Status | None,
    polls: bool,
    owner_client: Client,
    orchestration: Orchestration,
) -> None:
    task = make_task(orchestration, **fields)
    if status:
        make_run(task, status=status)
    assert ("hx-trigger" in shown(owner_client, task, "summary")) is polls
    region = owner_client.get(url(task), headers=HTMX).content.decode()
    assert "<html" not in region
    assert ('hx-trigger="every' in region) is polls


def test_the_page_costs_few_queries_however_long_its_history(
    owner_client: Client, scheduled: Task
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner_client.get(url(scheduled)).status_code == 200
        return len(captured)

    make_run(scheduled, status=Status.SUCCESS, due_at=NOON)
    few = queries()
    for day in range(1, 40):
        make_run(scheduled, status=Status.FAILURE, due_at=NOON + timedelta(days=day))
    assert queries() == few <= 8


def test_a_viewer_is_offered_no_action(client: Client, viewer: User, scheduled: Task) -> None:
    client.force_login(viewer)
    page = shown(client, scheduled)
    assert url(scheduled, "kill") not in page
    assert url(scheduled, "pause") not in page


def test_pause_and_resume(owner_client: Client, scheduled: Task) -> None:
    owner_client.post(url(scheduled, "pause"))
    page = shown(owner_client, scheduled)
    assert "Paused" in page
    assert url(scheduled, "resume") in page

    again = owner_client.post(url(scheduled, "pause"), follow=True)
    assert "nothing to pause" in again.content.decode()

    owner_client.post(url(scheduled, "resume"))
    scheduled.refresh_from_db()
    assert scheduled.is_active
    again = owner_client.post(url(scheduled, "resume"), follow=True)
    assert "nothing to resume" in again.content.decode()


def test_the_form_for_changes_shows_what_the_task_has(
    owner_client: Client, scheduled: Task
) -> None:
    form = owner_client.get(url(scheduled, "edit")).context["form"]
    assert (form["name"].value(), form["times"].value()) == ("nightly", "12:00")
    assert form["schedule_mode"].value() == "picker"
    assert form["time_zone"].value() == "Europe/Berlin"

    Task.objects.filter(pk=scheduled.pk).update(schedule="*/7 * * * *")
    form = owner_client.get(url(scheduled, "edit")).context["form"]
    assert form["schedule_mode"].value() == "cron"
    assert form["cron"].value() == "*/7 * * * *"


def test_a_schedule_of_very_many_times_is_edited_as_it_is(
    owner_client: Client, scheduled: Task
) -> None:
    Task.objects.filter(pk=scheduled.pk).update(schedule="*/2 8-17 * * *")
    form = owner_client.get(url(scheduled, "edit")).context["form"]
    data = {each.html_name: each.value() for each in form if each.value()}
    assert len(data["times"]) > 2000
    answer = owner_client.post(url(scheduled, "edit"), data)
    assert answer.status_code == 302, answer.context["form"].errors
    assert answer["Location"] == scheduled.get_absolute_url()


def test_nobody_undoes_unawares_what_somebody_else_has_changed(
    owner_client: Client, scheduled: Task, collaborator: User
) -> None:
    def send(seen: str) -> Any:
        data = {"name": "mine", "schedule_mode": "cron", "cron": "0 * * * *", "time_zone": "UTC"}
        return owner_client.post(url(scheduled, "edit"), data | {"seen": seen})

    opened = owner_client.get(url(scheduled, "edit")).context["form"].state
    Task.objects.filter(pk=scheduled.pk).update(timeout_seconds=7, changed_by=collaborator)

    refused = send(opened)
    assert refused.status_code == 422
    assert f"{collaborator} has changed this task while you had it open" in refused.content.decode()
    assert 'value="mine"' in refused.content.decode()
    scheduled.refresh_from_db()
    assert (scheduled.name, scheduled.timeout_seconds) == ("nightly", 7)

    assert send(refused.context["form"].state).status_code == 302  # They know now.
    scheduled.refresh_from_db()
    assert scheduled.name == "mine"


def test_an_edit_holds_from_now_on_and_keeps_the_kind(
    owner_client: Client, scheduled: Task
) -> None:
    data = {
        "name": "hourly",
        "kind": "once",
        "schedule_mode": "cron",
        "cron": "0 * * * *",
        "time_zone": "UTC",
        "retries": "2",
    }
    response = owner_client.post(url(scheduled, "edit"), data)
    assert response["Location"] == scheduled.get_absolute_url()
    scheduled.refresh_from_db()
    assert (scheduled.name, scheduled.kind) == ("hourly", Kind.SCHEDULED)
    assert (scheduled.schedule, scheduled.retries) == ("0 * * * *", 2)
    assert scheduled.next_run_at is not None
    assert scheduled.next_run_at > timezone.now()


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"cron": "0 0 30 2 *"}, "There is no 30 February".lower()), ({"name": ""}, "required")],
)
def test_a_refused_edit_changes_nothing(
    changes: dict[str, str], words: str, owner_client: Client, scheduled: Task
) -> None:
    data = {"name": "b", "schedule_mode": "cron", "cron": "0 1 * * *", "time_zone": "UTC"}
    response = owner_client.post(url(scheduled, "edit"), data | changes)
    assert response.status_code == 422
    assert words in response.content.decode().lower()
    scheduled.refresh_from_db()
    assert scheduled.name == "nightly"


def test_what_is_stopped_cannot_be_edited_any_more(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, state=Task.State.KILLED)
    response = owner_client.post(url(task, "edit"), {"name": "b"})
    assert response.status_code == 422
    assert "Make a new task instead" in response.content.decode()


def test_run_now_takes_the_arguments_of_the_task(
    owner_client: Client, scheduled: Task, owner: User
) -> None:
    response = owner_client.post(url(scheduled, "run"))
    run = scheduled.runs.get()
    assert response["Location"] == run.get_absolute_url()
    assert (run.trigger, run.requested_by) == (Trigger.PERSON, owner)
    assert run.arguments_json == scheduled.arguments_json


def test_run_again_takes_the_arguments_of_the_run(owner_client: Client, scheduled: Task) -> None:
    like = make_run(scheduled, status=Status.SUCCESS, arguments_json='{"dogs": 1}')
    owner_client.post(url(scheduled, "run"), {"run": like.pk})
    assert newest_run(scheduled).arguments_json == '{"dogs": 1}'


@pytest.mark.parametrize("named", ["", "x", "8e0a3895-bc80-4ef8-a0e9-d03c2d6fd6e3"])
def test_a_run_that_does_not_exist_is_like_the_task_itself(
    named: str, owner_client: Client, scheduled: Task
) -> None:
    owner_client.post(url(scheduled, "run"), {"run": named})
    assert scheduled.runs.get().arguments_json == scheduled.arguments_json


def test_run_with_other_arguments(owner_client: Client, scheduled: Task) -> None:
    like = make_run(scheduled, status=Status.SUCCESS, arguments_json='{"dogs": 1}')
    page = owner_client.get(url(scheduled, "run"), {"run": str(like.pk)})
    assert page.context["form"]["arguments"].value() == '{"dogs": 1}'

    refused = owner_client.post(url(scheduled, "run"), {"arguments": "[1]"})
    assert refused.status_code == 422
    assert "Line 1, column 1" in refused.content.decode()

    owner_client.post(url(scheduled, "run"), {"arguments": '{"dogs": 2}'})
    assert newest_run(scheduled).arguments_json == '{"dogs": 2}'
    scheduled.refresh_from_db()
    assert scheduled.arguments == {}


def test_why_it_cannot_run_again_is_said(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, state=Task.State.KILLED)
    page = owner_client.post(url(task, "run"), follow=True).content.decode()
    assert "It has been stopped for good" in page
    assert not task.runs.exists()


def test_the_stop_page_says_what_would_happen(owner_client: Client, scheduled: Task) -> None:
    make_run(scheduled, status=Status.RUNNING)
    make_run(scheduled, status=Status.SUCCESS, log_bytes=3 * 1024 * 1024)
    page = shown(owner_client, scheduled, "kill")
    for words in ("stops 1 run<", "cancels 7 runs in the coming week", "deletes 1 log, 3.0\xa0MB"):
        assert words in page
    assert url(scheduled, "logs-zip") in page
    region = owner_client.get(url(scheduled, "kill"), headers=HTMX).content.decode()
    assert region.lstrip().startswith("<div")
    scheduled.refresh_from_db()
    assert scheduled.is_active


def test_stop_is_for_good_and_twice_is_no_error(
    owner_client: Client, orchestration: Orchestration, owner: User
) -> None:
    task = start_task(orchestration, kind=Kind.CONTINUOUS, user=owner)
    owner_client.post(url(task, "kill"))
    task.refresh_from_db()
    assert task.state == Task.State.PENDING_KILL
    assert task.runs.get().status == Status.KILLED

    again = owner_client.post(url(task, "kill"), follow=True)
    assert again.status_code == 200
    assert "stopped already" in again.content.decode()
    assert "stopped already" in shown(owner_client, task, "kill")


def test_the_logs_come_as_a_zip_with_names_that_sort(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    moment = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    run = make_run(task, status=Status.SUCCESS, queued_at=moment)
    run.spool.create()
    run.spool.log.write_bytes(b"hello\n" * 100_000)
    silent = make_run(task, queued_at=moment + timedelta(hours=1))
    make_run(task, status=Status.KILLED, log_deleted_at=moment)

    response = owner_client.get(url(task, "logs-zip"))

    assert response["Content-Disposition"] == f'attachment; filename="logs-{task.pk}.zip"'
    assert response.streaming
    packed = zipfile.ZipFile(io.BytesIO(response.getvalue()))
    assert packed.namelist() == [
        f"2026-11-22T02-00-00Z-success-{str(run.pk)[:8]}.log",
        f"2026-11-22T03-00-00Z-queued-{str(silent.pk)[:8]}.log",
    ]
    assert packed.read(packed.namelist()[0]) == b"hello\n" * 100_000
    assert packed.testzip() is None


# -- History and the list of runs ------------------------------------------------------------


def make_history(task: Task, *statuses: str) -> list[TaskRun]:
    """Make a run an hour, the newest last."""
    now = timezone.now()
    return [
        make_run(
            task,
            status=status,
            queued_at=now - timedelta(hours=len(statuses) - number),
            started_at=now - timedelta(hours=len(statuses) - number),
            ended_at=now - timedelta(hours=len(statuses) - number, seconds=-30),
        )
        for number, status in enumerate(statuses)
    ]


def test_the_history_shows_rate_durations_and_a_bar_for_each_run(
    owner_client: Client, scheduled: Task
) -> None:
    runs = make_history(scheduled, "success", "failure", "success", "success")
    page = shown(owner_client, scheduled, "history")
    assert "75 %" in page
    assert "3 of the newest 4" in page
    for run in runs:
        assert f'href="{run.get_absolute_url()}"' in page
    assert "<title>Failure, 30 s</title>" in page
    assert 'href="#mark-failure"' in page
    assert "Berlin time" in page
    assert "As a table" in page


@pytest.mark.parametrize("statuses", [(), ("success",), ("queued",)])
def test_there_is_no_history_of_less_than_two_runs(
    statuses: tuple[str, ...], owner_client: Client, scheduled: Task
) -> None:
    for status in statuses:
        make_run(scheduled, status=status)
    page = shown(owner_client, scheduled)
    assert '<svg class="chart' not in page
    assert "Success rate" not in page


def test_a_task_whose_runs_all_failed_has_a_history_too(
    owner_client: Client, scheduled: Task
) -> None:
    make_history(scheduled, "failure", "lost")
    page = shown(owner_client, scheduled, "history")
    assert "0 %" in page
    assert "0 of the newest 2" in page


def test_the_runs_are_narrowed_by_status_and_paged(owner_client: Client, scheduled: Task) -> None:
    make_history(scheduled, *["failure"] * 27, "success", "timed_out")

    first = owner_client.get(url(scheduled), {"status": "failure"}, headers=HTMX)
    assert {run.status for run in first.context["page"].rows} == {"failure"}
    cursor = first.context["page"].next
    rest = owner_client.get(url(scheduled), {"status": "failure", "cursor": cursor}, headers=HTMX)
    assert len(rest.context["page"].rows) == 2
    assert "status=failure" in rest.content.decode()  # The way back keeps the choice.

    failed = owner_client.get(url(scheduled), {"status": "failed"}).context["page"].rows
    assert failed[0].status == "timed_out"
    nothing = owner_client.get(url(scheduled), {"status": "killed"}).content.decode()
    assert "No run has this status" in nothing
    unknown = owner_client.get(url(scheduled), {"status": "odd"}).context["page"].rows
    assert len(unknown) == 25


@pytest.mark.parametrize("kind", [Kind.SCHEDULED, Kind.ONCE, Kind.CONTINUOUS])
@pytest.mark.parametrize("name", ["owner", "viewer"])
def test_the_page_and_its_regions_stay_below_nine_queries(
    kind: str,
    name: str,
    orchestration: Orchestration,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    task = make_task(orchestration, kind=kind, timeout_seconds=None)
    make_history(task, *["success", "failure"] * 30)
    make_run(task, status=Status.RUNNING, started_at=NOON, requested_by=make_user())
    client = Client()
    client.force_login(request.getfixturevalue(name))
    for region in ("detail", "summary", "history"):
        with django_assert_max_num_queries(8):
            shown(client, task, region)


def test_only_who_may_change_a_task_is_offered_to(
    scheduled: Task, request: pytest.FixtureRequest
) -> None:
    for name, expected in (("collaborator", 1), ("owner", 1), ("admin", 1), ("viewer", 0)):
        client = Client()
        client.force_login(request.getfixturevalue(name))
        assert shown(client, scheduled, "summary").count('id="run-now"') == expected, name
