"""The Create Task form and the run's page."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrations.environments import Environment
from orchestrations.models import Orchestration
from tasks.models import Kind, Missed, Overlap, Task, TaskRun, Trigger
from tests.factories import NOON, make_orchestration, make_run, make_task
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Role, Workspace

pytestmark = pytest.mark.django_db
GOOD = {"name": "nightly", "kind": "once", "arguments": "", "timeout": "900"}
PICKED = {"kind": "scheduled", "times": "20:00, 8:30", "weekdays": ["1", "5"], "time_zone": "UTC"}
WRITTEN = {"kind": "scheduled", "schedule_mode": "cron", "cron": "*/7 * * * *", "time_zone": "UTC"}


def send(client: Client, orchestration: Orchestration, **changes: Any) -> Any:
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


def test_chosen_times_become_a_schedule_and_lead_to_the_task(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    response = send(
        owner_client, orchestration, **PICKED | {"time_zone": "Europe/Berlin", "overlap": "skip"}
    )
    task = Task.objects.get()
    assert response["Location"] == task.get_absolute_url()
    assert task.kind == Kind.SCHEDULED
    assert task.schedule == "30 8 * * 1,5\n0 20 * * 1,5"
    assert task.time_zone == "Europe/Berlin"
    assert task.next_run_at is not None
    assert (task.overlap, task.missed) == (Overlap.SKIP, Missed.LATEST)
    assert not TaskRun.objects.exists()


def test_written_cron_becomes_a_schedule(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    send(owner_client, orchestration, **WRITTEN | {"cron": "0 8 * * *\r\n@weekly"})
    assert Task.objects.get().schedule == "0 8 * * *\n0 0 * * 0"


def test_a_new_schedule_is_meant_in_the_zone_of_its_workspace(
    owner_client: Client, orchestration: Orchestration, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(time_zone="Asia/Tokyo")
    page = owner_client.get(reverse("tasks:create", args=[orchestration.pk]))
    assert page.context["form"]["time_zone"].value() == "Asia/Tokyo"
    assert b"Every day at 08:00" in page.content


@pytest.mark.parametrize(
    ("kind", "timeout", "expected"),
    [
        ("once", "", 900),
        ("scheduled", "", 900),
        ("continuous", "", None),
        ("continuous", "3600", 3600),
    ],
)
def test_only_what_runs_indefinitely_has_no_timeout_by_default(
    kind: str,
    timeout: str,
    expected: int | None,
    owner_client: Client,
    orchestration: Orchestration,
    queued_jobs: list[str],
) -> None:
    send(owner_client, orchestration, **PICKED | {"kind": kind, "timeout": timeout})
    assert Task.objects.get().timeout_seconds == expected


def test_a_kind_takes_over_only_the_policies_that_it_has(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    policies = {"overlap": "skip", "missed": "all", "retries": "3", "start_deadline": "60"}
    send(owner_client, orchestration, **policies, kind="continuous", retry_delay="5")
    task = Task.objects.get()
    assert (task.overlap, task.missed, task.retries) == (Overlap.ALLOW, Missed.LATEST, 0)
    assert task.start_deadline_seconds == 60


def test_a_wrong_schedule_is_no_matter_to_a_task_without_one(
    owner_client: Client, orchestration: Orchestration, queued_jobs: list[str]
) -> None:
    wrong = {"times": "soon", "time_zone": "Mars", "days": "99", "overlap": "perhaps"}
    send(owner_client, orchestration, **wrong)
    send(owner_client, orchestration, **wrong, kind="continuous", retries="-1", retry_delay="x")
    assert [task.schedule for task in Task.objects.all()] == ["", ""]


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
        ({"name": ""}, "required"),
        ({"name": "x" * 256}, "255"),
        ({"kind": "sometimes"}, "sometimes"),
        ({"retries": "101"}, "At most 100 retries"),
        ({"retry_delay": "86401"}, "At most 86400 seconds"),
        ({"start_deadline": "0"}, "At least 1"),
        ({"kind": "scheduled", "times": ""}, "Choose at least one time of day."),
        ({"kind": "scheduled", "times": "8 o'clock"}, "write hours and minutes like 20:00"),
        (
            {"kind": "scheduled", "times": "8:00", "days": "30", "months": "2"},
            "There is no 30 February",
        ),
        ({"kind": "scheduled", "times": "8:00," * 3000}, "at most 10080 characters"),
        ({"kind": "scheduled", "days": "32"}, "32 is not one of the available choices"),
        ({"kind": "scheduled", "time_zone": "Europe/Berln"}, "did you mean Europe/Berlin"),
        ({"kind": "scheduled", "schedule_mode": "cron", "cron": "@reboot"}, "Line 1: @reboot"),
        ({"kind": "scheduled", "schedule_mode": "cron", "cron": ""}, "at least one line"),
        ({"kind": "scheduled", "schedule_mode": "guess"}, "guess is not one"),
    ],
)
def test_bad_input_is_refused_with_422_and_words(
    changes: dict[str, str], words: str, owner_client: Client, orchestration: Orchestration
) -> None:
    response = send(owner_client, orchestration, **{"time_zone": "UTC"} | changes)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Task.objects.exists()


def preview(client: Client, orchestration: Orchestration, **data: Any) -> Any:
    return client.post(reverse("tasks:schedule-preview", args=[orchestration.pk]), data)


def test_the_preview_shows_words_warnings_and_the_next_ten_runs(
    owner_client: Client, orchestration: Orchestration
) -> None:
    data = PICKED | {"times": "02:30", "weekdays": [], "days": ["31"], "time_zone": "Asia/Tokyo"}
    page = preview(owner_client, orchestration, **data).content.decode()
    assert "At 02:30 on the 31st of every month" in page
    assert "have no 31st" in page
    assert page.count("<tr>") == 11
    assert "Tokyo time" in page
    assert "+09:00" in page


def test_choosing_writes_the_cron_lines_and_leaves_the_choices_alone(
    owner_client: Client, orchestration: Orchestration
) -> None:
    page = preview(owner_client, orchestration, **PICKED).content.decode()
    assert 'id="schedule-cron"' in page
    assert "30 8 * * 1,5\n0 20 * * 1,5</textarea>" in page
    assert 'id="schedule-picker"' not in page


def test_writing_cron_makes_the_choices_and_leaves_the_lines_alone(
    owner_client: Client, orchestration: Orchestration
) -> None:
    cron = WRITTEN | {"cron": "0 20 1,15 1-3 *"}
    response = preview(owner_client, orchestration, **cron)
    form, page = response.context["form"], response.content.decode()
    assert form["times"].value() == "20:00"
    assert (form["days"].value(), form["months"].value()) == (["1", "15"], ["1", "2", "3"])
    assert 'id="schedule-picker"' in page
    assert "textarea" not in page


def test_lines_that_are_no_choices_are_said_to_be_none(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = preview(owner_client, orchestration, **WRITTEN)
    assert "Choices cannot show what the cron lines say" in response.content.decode()
    assert not response.context["form"]["times"].value()


def test_a_schedule_that_is_refused_replaces_nothing_that_was_written(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = preview(owner_client, orchestration, **WRITTEN | {"cron": "61 * * * *"})
    assert response.status_code == 200
    assert "out of range" in response.content.decode()
    assert b"hx-swap-oob" not in response.content


def test_without_scripts_a_button_shows_the_next_runs(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = send(owner_client, orchestration, **PICKED, preview="1")
    assert response.status_code == 200
    assert "On Mondays and Fridays" in response.content.decode()
    assert response.context["form"]["cron"].value() == "30 8 * * 1,5\n0 20 * * 1,5"
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


@pytest.mark.parametrize(
    ("status", "polls"), [(Status.RUNNING, True), (Status.QUEUED, True), (Status.SUCCESS, False)]
)
def test_a_run_is_polled_until_it_has_ended(
    status: Status, polls: bool, owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=status)
    region = owner_client.get(reverse("tasks:run-summary", args=[run.pk])).content.decode()
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert ("hx-trigger" in region) is polls
    assert ("data-stream=" in page) is polls


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILURE])
def test_page_and_regions_of_a_run_cost_few_queries(
    status: Status,
    owner_client: Client,
    orchestration: Orchestration,
    django_assert_max_num_queries: Any,
) -> None:
    task = make_task(orchestration, retries=1)
    for _ in range(3):
        make_run(task, status=Status.SUCCESS, queued_at=NOON - timedelta(days=1))
    run = make_run(task, status=status)
    make_run(task, retry_of=run, attempt=2)
    with django_assert_max_num_queries(8):
        owner_client.get(run.get_absolute_url())
    for name in ("tasks:run-log", "tasks:run-log-search"):
        with django_assert_max_num_queries(5):
            owner_client.get(reverse(name, args=[run.pk]))
    url = reverse("tasks:run-summary", args=[run.pk])
    with django_assert_max_num_queries(5):
        etag = owner_client.get(url)["ETag"]
    with django_assert_max_num_queries(4):
        assert owner_client.get(url, headers={"If-None-Match": etag}).status_code == 304
    with django_assert_max_num_queries(7):  # Once, when something has changed.
        assert owner_client.get(url, headers={"If-None-Match": '"old"'}).status_code == 200


def test_a_summary_is_sent_again_only_when_it_has_changed(
    owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING, started_at=NOON)
    url = reverse("tasks:run-summary", args=[run.pk])
    etag = owner_client.get(url)["ETag"]

    same = owner_client.get(url, headers={"If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")

    assert run.ask_to_stop(reason="enough", at=NOON)
    changed = owner_client.get(url, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert b"Stopping." in changed.content


def test_a_summary_offers_its_buttons_as_soon_as_they_may_be_pressed(
    viewer: User, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING, started_at=NOON)
    url = reverse("tasks:run-summary", args=[run.pk])
    client = Client()
    client.force_login(viewer)
    first = client.get(url)
    assert b"Stop" not in first.content
    viewer.memberships.update(role=Role.COLLABORATOR)
    assert b"Stop" in client.get(url, headers={"If-None-Match": first["ETag"]}).content


def test_a_run_leads_to_the_ones_before_and_after_it(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    runs = [make_run(task, queued_at=NOON + timedelta(hours=hours)) for hours in (0, 1, 1, 2)]
    runs.sort(key=lambda run: (run.queued_at, run.pk))
    make_run(make_task(orchestration), queued_at=NOON + timedelta(minutes=30))

    def neighbours(run: TaskRun) -> tuple[object, object]:
        shown = owner_client.get(run.get_absolute_url()).context["run"]
        return shown.previous_id, shown.next_id

    ids = [None, *(run.pk for run in runs), None]
    assert [neighbours(run) for run in runs] == list(zip(ids, ids[2:], strict=False))


TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "main.py", line 1, in <module>',
    "ValueError: <no> such pipeline",
)


def write_log(run: TaskRun, *lines: str, stream: str = "stdout") -> None:
    run.spool.create()
    stamp = "2026-03-01T12:00:00.000000001Z"
    run.spool.log.write_text("".join(f"{stamp} {stream} F {line}\n" for line in lines))


def test_a_failed_run_shows_its_traceback_and_what_changed_first(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    earlier = NOON - timedelta(days=1)
    worked = make_run(
        task, status=Status.SUCCESS, queued_at=earlier, arguments_json='{"a": 1, "b": 2}'
    )
    make_run(task, status=Status.FAILURE, queued_at=NOON - timedelta(hours=1))
    run = make_run(task, status=Status.FAILURE, arguments_json='{"a": 5, "c": 3}', exit_code=1)
    write_log(run, *TRACEBACK, stream="stderr")

    page = owner_client.get(run.get_absolute_url()).content.decode()

    assert page.index("ValueError: &lt;no&gt; such pipeline") < page.index('id="traceback"')
    assert page.index('id="traceback"') < page.index('id="log"')
    changed = page[page.index("What changed since it last worked") : page.index('id="log"')]
    assert worked.get_absolute_url() in changed
    assert [name for name in "abc" if f"<code>{name}</code>" in changed] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("has_worked", "words"),
    [(True, "Nothing that is recorded of a run"), (False, "has worked before this one")],
)
def test_a_failed_run_says_where_nothing_changed(
    has_worked: bool, words: str, owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    # What worked later is no explanation.
    make_run(task, status=Status.SUCCESS, queued_at=NOON + timedelta(days=1))
    if has_worked:
        make_run(task, status=Status.SUCCESS, queued_at=NOON - timedelta(days=1))
    run = make_run(task, status=Status.FAILURE)
    assert words in owner_client.get(run.get_absolute_url()).content.decode()


def test_a_run_that_worked_shows_no_traceback(
    owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.SUCCESS)
    write_log(run, *TRACEBACK)
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert 'id="traceback"' not in page
    assert "What changed" not in page


def test_a_run_shows_the_packages_of_its_environment(
    owner_client: Client, orchestration: Orchestration, base: Environment
) -> None:
    run = make_run(make_task(orchestration), environment_name=base.name)
    assert b">1." in (page := owner_client.get(run.get_absolute_url()).content)
    assert b"six" in page
    gone = make_run(make_task(orchestration), environment_name="layer-gone")
    assert b"layer-gone, was removed" in owner_client.get(gone.get_absolute_url()).content


def test_a_run_says_what_made_it_and_when_it_was_due(
    owner_client: Client, orchestration: Orchestration, owner: User
) -> None:
    scheduled = make_task(orchestration, kind=Kind.SCHEDULED, retries=3)
    first = make_run(scheduled, status=Status.FAILURE, trigger=Trigger.SCHEDULE, due_at=NOON)
    second = make_run(scheduled, trigger=Trigger.SCHEDULE, due_at=NOON, attempt=2, retry_of=first)
    page = owner_client.get(second.get_absolute_url()).content.decode()
    assert "By schedule" in page
    assert "2 of 4" in page
    assert first.get_absolute_url() in page
    assert "tried again: Queued" in owner_client.get(first.get_absolute_url()).content.decode()

    again = make_run(scheduled, trigger=Trigger.PERSON, requested_by=owner)
    page = owner_client.get(again.get_absolute_url()).content.decode()
    assert "Run again by owner@example.com" in page


def test_a_run_shows_what_it_ran_with_and_not_what_its_task_has_now(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, arguments={"now": 1}, timeout_seconds=60)
    run = make_run(task, arguments_json='{"then": 1}', timeout_seconds=None)
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert "&quot;then&quot;" in page
    assert "&quot;now&quot;" not in page
    assert "1 min" not in page


def test_a_retry_says_how_long_it_waits(owner_client: Client, orchestration: Orchestration) -> None:
    task = make_task(orchestration, retries=1)
    first = make_run(task, status=Status.FAILURE)
    soon = timezone.now() + timedelta(minutes=31, seconds=30)
    run = make_run(task, attempt=2, retry_of=first, not_before=soon)
    page = owner_client.get(reverse("tasks:run-summary", args=[run.pk])).content.decode()
    assert "Next try in 31 min" in page
    assert "Attempt 2 of 2." in page


@pytest.mark.parametrize(
    ("kind", "status", "is_offered"),
    [
        (Kind.ONCE, Status.SUCCESS, True),
        (Kind.SCHEDULED, Status.FAILURE, True),
        (Kind.ONCE, Status.RUNNING, False),
        (Kind.CONTINUOUS, Status.FAILURE, False),
    ],
)
def test_a_run_can_be_run_again(
    kind: Kind,
    status: Status,
    is_offered: bool,
    owner_client: Client,
    orchestration: Orchestration,
) -> None:
    run = make_run(make_task(orchestration, kind=kind), status=status)
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert ("Run again" in page) is is_offered


@pytest.mark.parametrize(("kind", "says_so"), [(Kind.CONTINUOUS, True), (Kind.ONCE, False)])
def test_the_stop_of_a_continuous_run_says_that_the_next_one_follows(
    kind: Kind, says_so: bool, owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration, kind=kind), status=Status.RUNNING)
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert ("The next run starts right after." in page) is says_so


def test_a_log_that_was_deleted_says_so(owner_client: Client, orchestration: Orchestration) -> None:
    run = make_run(make_task(orchestration), status=Status.SUCCESS, log_deleted_at=NOON)
    page = owner_client.get(run.get_absolute_url()).content.decode()
    assert "Its log was deleted when its task was stopped." in page
    assert "wrote nothing" not in page
