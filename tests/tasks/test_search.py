"""What a name or an ID finds, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tasks.search import MOST_OF_A_KIND, find
from tests.factories import (
    NOON,
    add_member,
    make_orchestration,
    make_run,
    make_task,
    make_workspace,
)
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Role, Workspace

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def test_a_part_of_a_name_finds_it_in_any_case(owner: User, workspace: Workspace) -> None:
    orchestration = make_orchestration(workspace, name="Churn scores")
    unnamed = make_orchestration(workspace, name="", file_name="churn.zip")
    task = make_task(make_orchestration(workspace, name="x"), name="Nightly CHURN")
    found = find(owner, "churn")
    assert set(found.workloads) == {orchestration, unnamed}
    assert list(found.tasks) == [task]


def test_a_task_that_is_found_brings_its_last_run(owner: User, workspace: Workspace) -> None:
    task = make_task(make_orchestration(workspace), name="nightly")
    make_run(task)
    last = make_run(task, queued_at=NOON + timedelta(hours=1))
    assert list(find(owner, "nightly").runs) == [last]


@pytest.mark.parametrize("digits", [4, 8, 13, 36])
def test_the_beginning_of_an_id_finds_it(digits: int, owner: User, workspace: Workspace) -> None:
    run = make_run(make_task(make_orchestration(workspace)))
    for thing, kind in [(run, "runs"), (run.task, "tasks"), (run.orchestration, "workloads")]:
        assert thing in getattr(find(owner, str(thing.pk)[:digits]), kind)
        assert thing in getattr(find(owner, str(thing.pk)[:digits].upper()), kind)


def test_few_digits_are_a_name_and_no_id(owner: User, workspace: Workspace) -> None:
    run = make_run(make_task(make_orchestration(workspace)))
    assert list(find(owner, str(run.pk)[:3]).runs) == []


def test_nobody_finds_what_they_may_not_see(owner: User, stranger: User) -> None:
    workspace = make_workspace(owner, name="secret plans")
    run = make_run(make_task(make_orchestration(workspace, name="secret"), name="secret"))
    assert len(find(owner, "secret")) == 4
    for text in ("secret", str(run.pk), str(run.task_id), str(run.orchestration_id)):
        assert len(find(stranger, text)) == 0


def test_a_viewer_and_an_admin_find_it(admin: User, viewer: User) -> None:
    workspace = make_workspace(name="elsewhere")
    add_member(workspace, viewer, Role.VIEWER)
    assert list(find(viewer, "elsewhere").workspaces) == [workspace]
    assert list(find(admin, "elsewhere").workspaces) == [workspace]


@pytest.mark.parametrize("text", ["", "100%_", "\\", "'; --", "🍩", "x" * 255, "-" * 36])
def test_strange_texts_find_nothing(text: str, owner: User, workspace: Workspace) -> None:
    make_run(make_task(make_orchestration(workspace)))
    assert len(find(owner, text)) == 0


def test_a_screen_is_not_flooded_and_costs_few_queries(
    owner_client: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for _ in range(MOST_OF_A_KIND + 2):
        make_run(make_task(make_orchestration(workspace, name="many"), name="many"))
    with django_assert_max_num_queries(8):
        response = owner_client.get(reverse("tasks:search"), {"q": "many"}, headers=HTMX)
    found = response.context["found"]
    assert [len(found.workloads), len(found.tasks), len(found.runs)] == [MOST_OF_A_KIND] * 3


def test_the_page_works_alone_and_the_dialog_has_a_title(owner_client: Client) -> None:
    url = reverse("tasks:search")
    assert "<html" in owner_client.get(url, {"q": "nothing"}).content.decode()
    dialog = owner_client.get(url, headers=HTMX | {"HX-Target": "dialog"}).content.decode()
    assert 'id="dialog-title"' in dialog
    assert "<html" not in dialog
    findings = owner_client.get(url, {"q": "zzz"}, headers=HTMX).content.decode()
    assert findings.lstrip().startswith('<div id="findings"')
