"""Django admin: every model is there, and history is not edited."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from orchestrations.models import Packaging
from tasks.models import SkippedTicks, Task
from tests.factories import (
    NOON,
    make_api_token,
    make_connection,
    make_invitation,
    make_login,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections.models import Connection
from wallaroo_ui.executions.models import Node, Status
from wallaroo_ui.workspaces.models import Workspace
from wallaroo_ui.workspaces.services import create_workspace

OURS = [
    model
    for model in admin.site._registry
    if model.__module__.split(".")[0] in {"wallaroo_ui", "orchestrations", "tasks"}
]
HISTORY = {
    "event",
    "node",
    "orchestration",
    "packaging",
    "skippedticks",
    "task",
    "taskrun",
    "version",
}
SECRETS = {"apitoken", "invitation", "refreshtoken"}


@pytest.fixture
def admin_site(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def one_of_each(db: None) -> None:
    orchestration = make_orchestration()
    run = make_run(make_task(orchestration), node=make_node())
    SkippedTicks.objects.create(
        task=run.task,
        reason="overlap",
        first_due_at=NOON,
        last_due_at=NOON,
        count=1,
        noticed_at=NOON,
    )
    Packaging.objects.create(version=orchestration.newest)
    make_api_token(make_user())
    make_login(make_user())
    make_connection(orchestration.workspace)
    make_invitation(orchestration.workspace, make_user())


def test_only_what_works_is_in_the_admin() -> None:
    import_module("wallaroo_ui.urls")
    assert set(admin.site._registry) == set(OURS)


def test_every_model_is_in_the_admin() -> None:
    assert {model._meta.model_name for model in OURS} == HISTORY | SECRETS | {
        "browsersession",  # tests/accounts/test_sessions.py
        "connection",
        "user",
        "workspace",
        "membership",
    }


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_each_can_be_listed_searched_and_opened(
    model: Any, admin_site: Client, one_of_each: None
) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin_site.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    thing = model.objects.first()
    assert admin_site.get(reverse(f"{name}_change", args=[thing.pk])).status_code == 200


@pytest.mark.parametrize(
    "model", [m for m in OURS if m._meta.model_name in HISTORY], ids=lambda m: m._meta.model_name
)
def test_history_is_neither_added_nor_edited_nor_deleted(
    model: Any, admin_site: Client, one_of_each: None
) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    thing = model.objects.first()
    assert admin_site.get(reverse(f"{name}_add")).status_code == 403
    assert admin_site.post(reverse(f"{name}_change", args=[thing.pk]), {}).status_code == 403
    assert admin_site.post(reverse(f"{name}_delete", args=[thing.pk]), {}).status_code == 403


@pytest.mark.parametrize(
    "model", [m for m in OURS if m._meta.model_name in SECRETS], ids=lambda m: m._meta.model_name
)
def test_secrets_are_ended_but_neither_made_nor_edited_nor_read(
    model: Any, admin_site: Client, one_of_each: None
) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    thing = model.objects.get()
    change = reverse(f"{name}_change", args=[thing.pk])
    assert thing.hash not in admin_site.get(change).content.decode()
    assert admin_site.get(reverse(f"{name}_add")).status_code == 403
    assert admin_site.post(change, {}).status_code == 403
    admin_site.post(reverse(f"{name}_delete", args=[thing.pk]), {"post": "yes"})
    assert not model.objects.exists()


def test_runs_are_stopped_from_the_list(admin_site: Client, queued_jobs: list[str]) -> None:
    run = make_run()
    admin_site.post(
        reverse("admin:tasks_taskrun_changelist"),
        {"action": "stop", "_selected_action": [str(run.pk)]},
    )
    run.refresh_from_db()
    assert run.status == Status.KILLED


def test_orchestrations_are_packaged_again_from_the_list(
    admin_site: Client, queued_jobs: list[str]
) -> None:
    orchestration = make_orchestration()
    admin_site.post(
        reverse("admin:orchestrations_orchestration_changelist"),
        {"action": "package_again", "_selected_action": [str(orchestration.pk)]},
    )
    assert orchestration.newest.packagings.get().status == Status.QUEUED


def act(client: Client, model: str, action: str, thing: Any) -> None:
    client.post(
        reverse(f"admin:{model}_changelist"),
        {"action": action, "_selected_action": [str(thing.pk)]},
    )


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (Task.State.ACTIVE, "pause", Task.State.PAUSED),
        (Task.State.PAUSED, "resume", Task.State.ACTIVE),
        (Task.State.PAUSED, "stop", Task.State.PENDING_KILL),
        (Task.State.KILLED, "resume", Task.State.KILLED),
    ],
)
def test_tasks_are_paused_resumed_and_stopped_from_the_list(
    before: str, action: str, after: str, admin_site: Client, queued_jobs: list[str]
) -> None:
    task = make_task(kind="scheduled", state=before)
    act(admin_site, "tasks_task", action, task)
    task.refresh_from_db()
    assert task.state == after


def test_nodes_are_drained_from_the_list(admin_site: Client) -> None:
    node = make_node()
    act(admin_site, "executions_node", "drain", node)
    assert Node.objects.get().is_draining
    act(admin_site, "executions_node", "take_work_again", node)
    assert not Node.objects.get().is_draining


@pytest.mark.parametrize("way", ["with a password", "without one"])
def test_an_administrator_makes_a_person(way: str, admin_site: Client) -> None:
    url = reverse("admin:accounts_user_add")
    address = "ann@example.com"
    page = admin_site.get(url, {"username": address, "email": address})
    assert page.content.decode().count(f'value="{address}"') == 2
    person = {"username": address, "email": address, "usable_password": "false"}
    if way == "with a password":
        words = "correct horse battery"
        person |= {"usable_password": "true", "password1": words, "password2": words}

    assert admin_site.post(url, person).status_code == 302

    user = User.objects.get(email=address)
    assert user.has_usable_password() is (way == "with a password")
    assert user.default_workspace is not None


def test_an_empty_workspace_is_deleted_with_what_happened_in_it(admin_site: Client) -> None:
    workspace = create_workspace(name="brief", owner=make_user())
    url = reverse("admin:workspaces_workspace_delete", args=[workspace.pk])
    assert admin_site.post(url, {"post": "yes"}).status_code == 302
    assert not Workspace.objects.filter(pk=workspace.pk).exists()


def test_nobody_is_deleted_and_nobody_shuts_themselves_out(
    admin_site: Client, admin: User, owner: User
) -> None:
    url = reverse("admin:accounts_user_delete", args=[owner.pk])
    assert admin_site.post(url, {"post": "yes"}).status_code == 403

    for person, stays in ((admin, True), (owner, False)):
        form = {"username": person.username, "email": person.email, "theme": "system"}
        url = reverse("admin:accounts_user_change", args=[person.pk])
        assert admin_site.post(url, form).status_code == 302  # With no box ticked.
        person.refresh_from_db()
        assert (person.is_active, person.is_superuser) == (stays, stays)


def test_a_zone_that_is_none_is_refused(admin_site: Client, owner: User) -> None:
    form = {"username": "owner", "email": owner.email, "theme": "system", "time_zone": "Mars/Base"}
    url = reverse("admin:accounts_user_change", args=[owner.pk])
    assert "There is no time zone" in admin_site.post(url, form).content.decode()


def test_days_are_those_of_the_zone_in_which_they_are_shown(
    admin_site: Client, admin: User
) -> None:
    User.objects.filter(pk=admin.pk).update(time_zone="Asia/Tokyo")
    connection = make_connection(name="late")
    at = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)  # The 6th in Tokyo.
    Connection.objects.filter(pk=connection.pk).update(created_at=at)
    day = {"created_at__year": 2026, "created_at__month": 1, "created_at__day": 6}
    url = reverse("admin:connections_connection_changelist")
    assert "late" in admin_site.get(url, day).content.decode()


def test_members_are_changed_on_the_page_of_their_workspace_only(
    admin_site: Client, workspace: Workspace
) -> None:
    membership = workspace.memberships.get(role="owner")
    delete = reverse("admin:workspaces_membership_delete", args=[membership.pk])
    change = reverse("admin:workspaces_membership_change", args=[membership.pk])
    assert admin_site.post(delete, {"post": "yes"}).status_code == 403
    assert admin_site.post(change, {"role": "viewer"}).status_code == 403
    assert admin_site.get(reverse("admin:workspaces_membership_add")).status_code == 403
    for url in (change, reverse("admin:workspaces_workspace_change", args=[workspace.pk])):
        assert f'href="{workspace.page_url}"' in admin_site.get(url).content.decode()
