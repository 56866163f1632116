"""Tasks, runs and logs over REST, in the SDK's words."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from orchestrations.models import Orchestration, Version
from tasks import services
from tasks.models import Kind, Task, TaskRun
from tests.api.conftest import ApiClient, client_of
from tests.factories import NOON, make_orchestration, make_run, make_task, make_user
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

MINUTE = timedelta(minutes=1)


def new(orchestration: Orchestration, **changes: Any) -> dict[str, Any]:
    return {
        "orch_id": str(orchestration.pk),
        "workspace_id": orchestration.workspace_id,
        "json": {"dogs": 3.9},
        "name": "nightly",
        "debug": False,
    } | changes


def status_of(api: ApiClient, task: Task) -> str:
    word: str = api.post("task/get_by_id", {"id": str(task.pk)}).json()["status"]
    return word


# -- Making tasks ----------------------------------------------------------------------


def test_run_once_answers_with_the_whole_task(api: ApiClient, orchestration: Orchestration) -> None:
    response = api.post("task/run_once", new(orchestration, timeout=30))

    assert response.status_code == 201
    task = Task.objects.get()
    assert response.json() == api.post("task/get_by_id", {"id": str(task.pk)}).json()
    shown = response.json()
    assert (
        shown
        | {
            "id": str(task.pk),
            "name": "nightly",
            "status": "pending",
            "killed": False,
            "input_data": {"dogs": 3.9},
            "run_type": "Oneshot",
            "schedule": None,
            "reap_threshold_secs": 30,
            "last_runs": [],
            "workspace_id": orchestration.workspace_id,
        }
        == shown
    )
    assert (task.kind, task.timeout_seconds, task.runs.count()) == (Kind.ONCE, 30, 1)


def test_run_scheduled_takes_cron_in_the_workspace_s_zone(
    api: ApiClient, orchestration: Orchestration, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(time_zone="Europe/Berlin")
    response = api.post("task/run_scheduled", new(orchestration, schedule="00 1 * * 0"))

    shown, task = response.json(), Task.objects.get()
    assert (response.status_code, shown["run_type"], shown["status"]) == (201, "CronJob", "started")
    assert (shown["schedule"], task.time_zone) == (task.schedule, "Europe/Berlin")
    assert task.timeout_seconds == 900
    assert not task.runs.exists()


def test_run_continuously_has_no_timeout(api: ApiClient, orchestration: Orchestration) -> None:
    response = api.post("task/run_continuously", new(orchestration))
    assert response.status_code == 201
    assert response.json()["run_type"] == "NetworkService"
    assert Task.objects.get().timeout_seconds is None


def test_a_task_without_a_name_is_called_after_its_orchestration(
    api: ApiClient, orchestration: Orchestration
) -> None:
    shown = api.post("task/run_once", new(orchestration, name=None)).json()
    assert shown["name"] == orchestration.name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"json": None}, "json: Input should be a valid dictionary"),
        ({"json": [1]}, "json: Input should be a valid dictionary"),
        ({"json": {"x": "a\0"}}, "a character that cannot be kept"),
        ({"timeout": 0}, "timeout: Input should be greater than or equal to 1"),
        ({"timeout": "60"}, "timeout: Input should be a valid integer"),
        ({"timeout": True}, "timeout: Input should be a valid integer"),
        ({"timeout": 10**9}, "timeout: Input should be less than or equal to 2592000"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"name": "x" * 256}, "name: String should have at most 255 characters"),
        ({"name": 7}, "name: Input should be a valid string"),
        ({"orch_id": "7"}, "orch_id: Input should be a valid UUID"),
        ({"workspace_id": "1"}, "workspace_id: Input should be a valid integer"),
        ({"workspace_id": 2**63}, "workspace_id: Input should be less than"),
        ({"schedule": "61 * * * *"}, "schedule: Line 1"),
        ({"schedule": "0 0 30 2 *"}, "schedule: "),
        ({"schedule": ["0 1 * * *"]}, "schedule: Input should be a valid string"),
        ({"schedule": None}, "schedule: Input should be a valid string"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    api: ApiClient, orchestration: Orchestration, changes: dict[str, Any], words: str
) -> None:
    response = api.post("task/run_scheduled", new(orchestration, schedule="0 1 * * *") | changes)
    assert response.status_code == 400
    assert words in response.json()["msg"]
    assert not Task.objects.exists()


def test_an_orchestration_is_found_in_its_own_workspace_only(
    api: ApiClient, orchestration: Orchestration, owner: User
) -> None:
    elsewhere = Workspace.objects.get(default_for=owner)
    response = api.post("task/run_once", new(orchestration, workspace_id=elsewhere.pk))
    assert response.status_code == 404


def test_what_cannot_be_packaged_cannot_be_run(api: ApiClient, workspace: Workspace) -> None:
    broken = make_orchestration(workspace, status=Version.Status.ERROR)
    response = api.post("task/run_once", new(broken))
    assert response.status_code == 400
    assert "packaging failed" in response.json()["msg"]


# -- Status ----------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Status.SUCCESS, Status.FAILURE, Status.TIMED_OUT, Status.LOST])
def test_a_run_once_task_is_pending_then_started_and_stays_so(
    api: ApiClient, orchestration: Orchestration, verdict: Status
) -> None:
    task = make_task(orchestration)
    run = make_run(task)
    assert status_of(api, task) == "pending"
    TaskRun.objects.filter(pk=run.pk).update(status=Status.RUNNING)
    assert status_of(api, task) == "started"
    TaskRun.objects.filter(pk=run.pk).update(status=verdict, ended_at=NOON)
    assert status_of(api, task) == "started"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"kind": Kind.SCHEDULED}, "started"),
        ({"kind": Kind.CONTINUOUS}, "pending"),
        ({"kind": Kind.CONTINUOUS, "quick_failures": 3}, "crash_loop"),
        ({"kind": Kind.SCHEDULED, "schedule_error": "?"}, "schedule_error"),
        ({"state": Task.State.PAUSED}, "paused"),
        ({"state": Task.State.PENDING_KILL}, "pending_kill"),
        ({"state": Task.State.KILLED}, "killed"),
    ],
    ids=str,
)
def test_the_status_of_a_task_in_the_sdk_s_words(
    api: ApiClient, orchestration: Orchestration, fields: dict[str, Any], word: str
) -> None:
    assert status_of(api, make_task(orchestration, **fields)) == word


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.STARTING, "running"),
        (Status.RUNNING, "running"),
        (Status.SUCCESS, "success"),
        (Status.FAILURE, "failure"),
        (Status.TIMED_OUT, "timed_out"),
        (Status.KILLED, "killed"),
        (Status.LOST, "failure"),
    ],
)
def test_the_status_of_a_run_in_the_sdk_s_words(
    api: ApiClient, orchestration: Orchestration, status: Status, word: str
) -> None:
    run = make_run(make_task(orchestration), status=status)
    request = {"task": str(run.task_id), "pod_id": str(run.pk)}
    assert api.post("task/get_run_details", request).json()["status"] == word


# -- Lists -----------------------------------------------------------------------------


def test_tasks_are_listed_newest_first_whether_killed_or_not(
    api: ApiClient, orchestration: Orchestration, stranger: User
) -> None:
    live = make_task(orchestration)
    killed = make_task(orchestration, state=Task.State.KILLED)
    ending = make_task(orchestration, state=Task.State.PENDING_KILL)
    make_task()  # Of others.

    def listed(**wanted: Any) -> list[str]:
        return [task["id"] for task in api.post("task/list", wanted).json()]

    everything = [str(task.pk) for task in (ending, killed, live)]
    assert listed() == listed(killed=False) == everything
    assert (
        listed(workspace_id=None) == listed(workspace_id=orchestration.workspace_id) == everything
    )
    assert listed(killed=True) == everything[:2]
    assert listed(orch_sha=orchestration.newest.sha) == everything
    assert listed(orch_sha="0" * 64) == []
    other = make_orchestration(orchestration.workspace)
    assert listed(orch_id=str(other.pk)) == []
    by_sha = api.post("task/get_tasks_by_orch_sha", {"sha": orchestration.newest.sha})
    assert by_sha.json() == {"ids": everything}


@pytest.mark.parametrize(
    "wanted",
    [{"workspace_id": 987654}, {"orch_id": str(uuid4())}],
    ids=["workspace", "orchestration"],
)
def test_a_list_of_what_does_not_exist_is_no_empty_list(
    api: ApiClient, wanted: dict[str, Any]
) -> None:
    assert api.post("task/list", wanted).status_code == 404


def test_the_last_runs_of_a_task_end_with_the_newest(
    api: ApiClient, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    runs = [
        make_run(task, status=Status.SUCCESS, queued_at=NOON + number * MINUTE)
        for number in range(7)
    ]
    make_run(task, queued_at=NOON + 8 * MINUTE)  # It waits: for the SDK it is not there yet.

    def shown(path: str, **request: Any) -> list[str]:
        answer = api.post(path, request).json()
        task = answer[0] if isinstance(answer, list) else answer
        return [run["run_id"] for run in task["last_runs"]]

    expected = [str(run.pk) for run in runs]
    assert shown("task/list") == shown("task/get_by_id", id=str(task.pk)) == expected[-5:]
    assert shown("task/list", run_limit=2) == expected[-2:]
    assert shown("task/get_by_id", id=str(task.pk), run_limit=7) == expected
    assert shown("task/list", run_limit=0) == []


def test_the_runs_of_a_task_are_listed_by_their_last_change(
    api: ApiClient, orchestration: Orchestration
) -> None:
    task = make_task(orchestration)
    old = make_run(task, status=Status.RUNNING)
    new_one = make_run(task, status=Status.SUCCESS, queued_at=NOON + MINUTE)
    TaskRun.objects.filter(pk=old.pk).update(status=Status.FAILURE, ended_at=NOON)
    old.refresh_from_db()
    old.save()  # The older one ended last.

    def listed(**wanted: Any) -> list[str]:
        rows = api.post("task/list_task_runs", {"task_id": str(task.pk), **wanted}).json()
        return [row["run_id"] for row in rows]

    assert listed() == listed(status="all") == listed(status=None) == [str(old.pk), str(new_one.pk)]
    assert listed(limit=1) == [str(old.pk)]
    assert listed(status="success") == [str(new_one.pk)]
    assert listed(status="timed_out") == []
    assert listed(time_range=[NOON.isoformat(), NOON.isoformat()]) == [str(old.pk)]
    bad = api.post("task/list_task_runs", {"task_id": str(task.pk), "status": "odd"})
    assert bad.status_code == 400


@pytest.mark.parametrize("count", [1, 40])
def test_the_list_costs_as_many_queries_however_long(
    orchestration: Orchestration, owner: User, django_assert_num_queries: Any, count: int
) -> None:
    for _ in range(count):
        task = make_task(orchestration, created_by=owner)
        for _ in range(3):
            make_run(task, status=Status.SUCCESS)
    client = client_of(make_user(is_superuser=True))
    with django_assert_num_queries(3):  # The caller, tasks, their runs.
        rows = client.post("task/list").json()
    assert [len(row["last_runs"]) for row in rows] == [3] * count


# -- Kill and pause --------------------------------------------------------------------


def test_a_kill_answers_pending_kill_and_once_more_is_no_error(
    api: ApiClient, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, kind=Kind.SCHEDULED)
    first = api.post("task/kill", {"id": str(task.pk)})
    assert (first.status_code, first.json()["status"], first.json()["killed"]) == (
        202, "pending_kill", False,
    )  # fmt: skip
    Task.objects.update(state=Task.State.KILLED)
    again = api.post("task/kill", {"id": str(task.pk)})
    assert (again.status_code, again.json()["status"], again.json()["killed"]) == (
        202, "killed", True,
    )  # fmt: skip


def test_pause_and_resume(api: ApiClient, orchestration: Orchestration) -> None:
    task = make_task(orchestration, kind=Kind.SCHEDULED)

    def pause(wanted: bool) -> Any:
        response = api.post("task/pause", {"id": str(task.pk), "pause": wanted})
        assert response.status_code == 202
        return response.json()["status"]

    assert [pause(True), pause(True), pause(False), pause(False)] == [
        "paused", "paused", "started", "started",
    ]  # fmt: skip
    services.kill_task(task=task, user=make_user(), at=NOON)
    ended = api.post("task/pause", {"id": str(task.pk), "pause": True})
    assert ended.status_code == 400
    assert "stopped for good" in ended.json()["msg"]


# -- Logs ------------------------------------------------------------------------------


@pytest.fixture
def logged(orchestration: Orchestration) -> TaskRun:
    run: TaskRun = make_run(make_task(orchestration), status=Status.SUCCESS)
    run.spool.directory.mkdir(parents=True)
    run.spool.log.write_bytes(
        b"2026-03-01T12:00:00.000000001Z stdout F   indented\n"
        b"2026-03-01T12:00:00.000000002Z stderr F \n"
        b"2026-03-01T12:00:00.000000003Z stdout P \xff <b>\r\n"
        b"2026-03-01T12:00:00.000000004Z stdout F being wri"
    )
    return run


def test_log_lines_come_as_a_container_runtime_writes_them(api: ApiClient, logged: TaskRun) -> None:
    lines = [
        "2026-03-01T12:00:00.000000001Z stdout F   indented",
        "2026-03-01T12:00:00.000000002Z stderr F ",
        "2026-03-01T12:00:00.000000003Z stdout P \\xff <b>\r",
    ]

    def logs(**wanted: Any) -> list[str]:
        answer: list[str] = api.post(
            "task/get_logs_for_run", {"id": str(logged.pk), **wanted}
        ).json()["logs"]
        return answer

    assert logs() == logs(lines=None) == logs(lines=10) == lines
    assert logs(lines=2) == lines[1:]


def test_a_run_without_output_has_no_lines(api: ApiClient, orchestration: Orchestration) -> None:
    run = make_run(make_task(orchestration))
    assert api.post("task/get_logs_for_run", {"id": str(run.pk)}).json() == {"logs": []}


def test_of_a_huge_log_the_end_is_given(
    api: ApiClient, logged: TaskRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallaroo_ui.executions.logstore.ENTRIES_BYTES", 100)
    entries = api.post("task/get_logs_for_run", {"id": str(logged.pk)}).json()["logs"]
    assert [entry[:30] for entry in entries] == [
        "2026-03-01T12:00:00.000000002Z", "2026-03-01T12:00:00.000000003Z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("moments", "status"),
    [
        (["2026-03-01T12:00:00+23:00", "2026-03-01T12:00:00-23:00"], 200),
        (["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59Z"], 400),
        (["2026-03-01T12:00:00", "2026-03-01T12:00:00"], 400),  # In which zone?
        ([0, 1], 400),
        (["2026-03-01T12:00:00Z"], 400),
    ],
    ids=str,
)
def test_a_range_of_time_is_two_moments_with_an_offset(
    api: ApiClient, orchestration: Orchestration, moments: list[Any], status: int
) -> None:
    body = {"task_id": str(make_task(orchestration).pk), "time_range": moments}
    assert api.post("task/list_task_runs", body).status_code == status


def test_times_have_microseconds_and_an_offset(
    api: ApiClient, orchestration: Orchestration
) -> None:
    at = NOON.replace(microsecond=123456)
    make_run(make_task(orchestration), status=Status.SUCCESS, queued_at=at)
    shown = api.post("task/list").json()[0]["last_runs"][0]
    assert shown["created_at"] == "2026-03-01T12:00:00.123456+00:00"
