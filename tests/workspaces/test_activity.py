"""Who did what in a workspace: written with the deed, read by the members."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrations.models import Orchestration
from orchestrations.services import upload_orchestration
from tasks import removal
from tasks import services as tasks
from tasks.models import Kind
from tasks.schedules import Schedule
from tests.factories import (
    NOON,
    make_connection,
    make_invitation,
    make_run,
    make_task,
    make_user,
    make_zip,
    start_task,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections import services as connections
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces import activity, services
from wallaroo_ui.workspaces.models import Event, Role, Verb, Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]


def told(workspace: Workspace) -> list[str]:
    """Return what the events say, the first first."""
    rows = Event.objects.filter(workspace=workspace).order_by("pk")
    return [f"{row.get_verb_display()} {row.subject} {row.detail}".strip() for row in rows]


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_members_and_defaults(workspace: Workspace, owner: User, stranger: User) -> None:
    services.set_member(workspace=workspace, user=stranger, role=Role.VIEWER, by=owner)
    services.set_member(workspace=workspace, user=stranger, role=Role.VIEWER, by=owner)
    services.set_member(workspace=workspace, user=stranger, role=Role.OWNER, by=owner)
    services.remove_member(workspace=workspace, user=stranger, by=owner)
    services.remove_member(workspace=workspace, user=stranger, by=owner)
    services.set_defaults(workspace=workspace, time_zone="UTC", timeout_seconds=60, by=owner)
    make_invitation(workspace, owner)
    assert told(workspace) == [
        "added stranger@example.com as Viewer",
        "changed the role of stranger@example.com to Owner",
        "removed stranger@example.com",
        "changed the defaults  UTC, timeout 60 s",
        "invited new@example.com as Collaborator",
    ]


def test_who_leaves_is_not_removed(workspace: Workspace, viewer: User) -> None:
    services.remove_member(workspace=workspace, user=viewer, by=viewer)
    assert told(workspace) == ["left"]


def test_uploads_tasks_and_runs(
    workspace: Workspace, orchestration: Orchestration, owner: User
) -> None:
    file = ContentFile(make_zip({"main.py": "print(1)"}))
    upload_orchestration(
        workspace=workspace, file=file, file_name="a.zip", name="scores", user=owner
    )
    schedule = Schedule.parse("0 0 1 1 *", "UTC", at=NOON)
    task = start_task(
        orchestration, kind="scheduled", user=owner, at=NOON, name="try", schedule=schedule
    )
    wanted = tasks.TaskSettings(name="again", timeout_seconds=60, schedule=schedule)
    tasks.edit_task(task=task, wanted=wanted, user=owner, at=NOON)
    tasks.pause_task(task=task, user=owner, at=NOON)
    assert not tasks.pause_task(task=task, user=owner, at=NOON)
    tasks.resume_task(task=task, user=owner, at=NOON)
    run = tasks.run_again(task=task, user=owner, at=NOON)
    tasks.stop_run(run=run, user=owner, at=NOON)
    assert not tasks.stop_run(run=run, user=owner, at=NOON)
    tasks.kill_task(task=task, user=owner, at=NOON)
    assert not tasks.kill_task(task=task, user=owner, at=NOON)
    assert told(workspace) == [
        "uploaded scores",
        "made the task try",
        "changed the task again",
        "paused the task try",
        "resumed the task again",
        "ran the task again",
        "stopped a run of again",
        "stopped the task try",
    ]
    event = Event.objects.get(verb=Verb.RUN_ASKED)
    assert (event.user, event.url) == (owner, run.get_absolute_url())


def test_connections(workspace: Workspace, owner: User) -> None:
    connection = make_connection(name="lake", details={"password": "open sesame"})
    connections.link_connection(connection=connection, workspace=workspace, user=owner)
    connections.link_connection(connection=connection, workspace=workspace, user=owner)
    connections.unlink_connection(connection=connection, workspace=workspace, user=owner)
    connections.unlink_connection(connection=connection, workspace=workspace, user=owner)
    connections.link_connection(connection=connection, workspace=workspace, user=owner)
    connections.delete_connection(connection=connection, user=owner)
    assert told(workspace) == [
        "shared the connection lake",
        "took away the connection lake",
        "shared the connection lake",
        "took away the connection lake deleted",
    ]
    assert "sesame" not in json.dumps(list(Event.objects.values()), default=str)


def test_deleting_a_workload_is_told_after_it_is_gone(
    workspace: Workspace, owner: User, orchestration: Orchestration
) -> None:
    name = orchestration.display_name
    removal.delete_orchestration(orchestration=orchestration, user=owner)
    assert told(workspace) == [f"deleted the workload {name}"]


def test_what_the_server_does_by_itself_is_not_told(
    workspace: Workspace, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, kind=Kind.SCHEDULED)
    make_run(task, status=Status.SUCCESS)
    activity.record(workspace, None, Verb.RUN_ASKED, task)
    assert told(workspace) == []


def test_what_did_not_happen_is_not_told(workspace: Workspace, owner: User) -> None:
    def half() -> None:
        with transaction.atomic():
            services.set_defaults(workspace=workspace, time_zone="UTC", timeout_seconds=1, by=owner)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert told(workspace) == []


def test_names_of_any_length_are_told(workspace: Workspace, owner: User) -> None:
    activity.record(workspace, owner, Verb.UPLOADED, "x" * 400, detail="y" * 400, url="/z" * 400)
    row = Event.objects.get(workspace=workspace)
    assert (len(row.subject), len(row.detail), row.url) == (255, 255, "")


@pytest.mark.parametrize("name", ["owner", "collaborator", "viewer", "admin"])
def test_members_read_it_in_pages(
    name: str,
    workspace: Workspace,
    owner: User,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(60):
        activity.record(workspace, owner, Verb.UPLOADED, f"model-{number:02}")
    client = login(request.getfixturevalue(name))
    url = reverse("workspaces:activity", args=[workspace.pk])

    with django_assert_max_num_queries(8):
        first = client.get(url)
    assert [event.subject for event in first.context["events"]][:2] == ["model-59", "model-58"]
    rest = client.get(url, {"cursor": first.context["page"].next}, headers={"HX-Request": "true"})
    assert [event.subject for event in rest.context["events"]][-1] == "model-00"
    short = client.get(workspace.page_url).content.decode()
    assert "model-59" in short
    assert "model-40" not in short


def test_a_person_whose_account_is_gone_is_somebody(workspace: Workspace, owner: User) -> None:
    gone = make_user("gone")
    activity.record(workspace, gone, Verb.UPLOADED, "model")
    Event.objects.update(user=None)
    page = login(owner).get(workspace.page_url).content.decode()
    assert "<strong>Somebody</strong> uploaded" in page


def test_old_events_are_deleted_in_bounded_pieces(
    workspace: Workspace, owner: User, settings: Any
) -> None:
    settings.ACTIVITY_KEPT_DAYS = 10
    now = timezone.now()
    for days in (9, 11, 12, 13):
        activity.record(workspace, owner, Verb.UPLOADED, str(days), at=now - timedelta(days=days))
    assert activity.delete_old_events(at=now, limit=2) == 2
    assert activity.delete_old_events(at=now, limit=2) == 1
    assert [event.subject for event in workspace.events.all()] == ["9"]
