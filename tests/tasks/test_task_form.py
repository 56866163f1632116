"""The form of a task: arguments by their names, versions, and the dialog."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.models import Orchestration
from tasks.models import Task, TaskRun
from tests.factories import make_orchestration, make_task, make_version
from wallaroo_ui.workspaces.models import Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

READS_TWO = 'a = wl.task_args()\nprint(a["name"], a.get("limit", 3))\n'
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reads_two(workspace: Workspace) -> Orchestration:
    return make_orchestration(workspace, script=READS_TWO)


def send(client: Client, orchestration: Orchestration, **fields: str) -> Any:
    address = reverse("tasks:create", args=[orchestration.pk])
    return client.post(address, {"name": "a", "kind": "once"} | fields)


def opened(client: Client, orchestration: Orchestration, **headers: str) -> Any:
    return client.get(reverse("tasks:create", args=[orchestration.pk]), headers=headers)


def check(client: Client, orchestration: Orchestration, **fields: str) -> Any:
    response = client.post(reverse("tasks:arguments-check", args=[orchestration.pk]), fields)
    assert response.status_code == 200
    return response


# -- Arguments -------------------------------------------------------------------------


def test_each_argument_that_the_script_reads_has_a_line_with_its_default(
    owner_client: Client, reads_two: Orchestration
) -> None:
    response = opened(owner_client, reads_two)

    fields = response.context["argument_fields"]
    assert [(field.name, field.value, field.default) for field in fields] == [
        ("name", "", ""),
        ("limit", "", "3"),
    ]
    page = response.content.decode()
    assert '<label for="id_argument_1">limit</label>' in page
    assert 'placeholder="3"' in page


@pytest.mark.parametrize("script", ["print('none')", "if", "a\0", "#" * 600_000])
def test_a_script_that_tells_no_arguments_has_no_lines(
    script: str, owner_client: Client, workspace: Workspace
) -> None:
    page = opened(owner_client, make_orchestration(workspace, script=script))
    assert page.context["argument_fields"] == []


def test_without_scripts_lines_and_json_are_put_together(
    owner_client: Client, reads_two: Orchestration
) -> None:
    send(
        owner_client,
        reads_two,
        arguments='{"own": [1]}',
        **{"argument:name": "houses", "argument:limit": ""},
    )
    assert Task.objects.get().arguments == {"own": [1], "name": "houses"}


def test_json_is_kept_as_it_was_written_where_no_line_was_changed(
    owner_client: Client, reads_two: Orchestration
) -> None:
    written = '{"name":  "houses", "limit": 5.0}'
    send(
        owner_client,
        reads_two,
        arguments=written,
        arguments_shown='{"name": "flats"}',
        **{"argument:name": "flats", "argument:limit": ""},
    )
    assert Task.objects.get().arguments_json == written


def test_a_task_that_is_edited_shows_its_arguments_in_their_lines(
    owner_client: Client, reads_two: Orchestration
) -> None:
    task = make_task(reads_two, arguments={"name": "houses", "own": 1})
    address = reverse("tasks:edit", args=[task.pk])

    fields = owner_client.get(address).context["argument_fields"]
    assert [field.value for field in fields] == ["houses", ""]
    owner_client.post(
        address,
        {
            "name": "b",
            "arguments": task.arguments_json,
            "arguments_shown": task.arguments_json,
            "argument:name": "",
            "argument:limit": "9",
        },
    )
    task.refresh_from_db()
    assert task.arguments == {"own": 1, "limit": 9}


def test_what_is_wrong_is_named_by_line_and_column_while_it_is_written(
    owner_client: Client, reads_two: Orchestration
) -> None:
    page = check(owner_client, reads_two, arguments='{\n  "a": True}').content.decode()
    assert "Line 2, column 8: JSON writes true, in small letters" in page
    assert "hx-swap-oob" not in page


def test_a_line_that_is_no_json_says_which_one(
    owner_client: Client, reads_two: Orchestration
) -> None:
    page = check(owner_client, reads_two, **{"argument:limit": "[1, 2"}).content.decode()
    assert "in the argument limit" in page


def test_lines_follow_the_json_and_the_json_follows_the_lines(
    owner_client: Client, reads_two: Orchestration
) -> None:
    response = check(
        owner_client,
        reads_two,
        arguments='{"limit": 4}',
        arguments_shown="{}",
        **{"argument:name": "houses", "argument:limit": ""},
    )

    form = response.context["form"]
    assert json.loads(form["arguments"].value()) == {"limit": 4, "name": "houses"}
    assert form["arguments_shown"].value() == form["arguments"].value()
    assert [field.value for field in response.context["argument_fields"]] == ["houses", "4"]
    for part in ("arguments-json", "arguments-lines", "arguments-shown"):
        assert f'<div id="{part}" hx-swap-oob' in " ".join(
            response.content.decode().replace("span", "div").split()
        ).replace(' class="argument-lines"', "").replace(" hidden", "")


def test_a_refused_form_keeps_what_stands_in_its_lines(
    owner_client: Client, reads_two: Orchestration
) -> None:
    response = send(owner_client, reads_two, arguments="{oops", **{"argument:limit": "7"})
    assert response.status_code == 422
    assert [field.value for field in response.context["argument_fields"]] == ["", "7"]
    page = response.content.decode()
    assert 'aria-describedby="id_arguments_helptext arguments-problem"' in page
    assert "Line 1, column 2" in page


# -- Versions --------------------------------------------------------------------------


def test_a_task_follows_the_latest_unless_a_version_is_chosen(
    owner_client: Client, orchestration: Orchestration
) -> None:
    first = orchestration.newest
    make_version(orchestration)

    send(owner_client, orchestration, name="follows")
    send(owner_client, orchestration, name="pinned", version="1")

    assert Task.objects.get(name="follows").version is None
    assert Task.objects.get(name="pinned").version == first


def test_only_versions_of_the_orchestration_can_be_chosen(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = send(owner_client, orchestration, version="2")
    assert response.status_code == 422
    assert response.context["form"].errors["version"]


def test_a_pinned_task_is_unpinned_on_its_edit_page(
    owner_client: Client, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, version=orchestration.newest)
    address = reverse("tasks:edit", args=[task.pk])
    assert owner_client.get(address).context["form"]["version"].value() == "1"

    owner_client.post(address, {"name": "b", "version": ""})

    task.refresh_from_db()
    assert task.version is None


def test_a_version_that_cannot_run_is_refused_in_words(
    owner_client: Client, orchestration: Orchestration
) -> None:
    make_version(orchestration, status="error")
    response = send(owner_client, orchestration, version="2")
    assert response.status_code == 422
    assert "version 2, which it is pinned to, failed" in response.content.decode()


def test_the_lines_are_those_of_the_version_that_would_run(
    owner_client: Client, reads_two: Orchestration
) -> None:
    make_version(reads_two, script='wl.task_args()["other"]', status="error")

    def names(response: Any) -> list[str]:
        return [field.name for field in response.context["argument_fields"]]

    assert names(opened(owner_client, reads_two)) == ["name", "limit"]
    assert names(check(owner_client, reads_two, version="2")) == ["other"]


# -- The dialog ------------------------------------------------------------------------


def test_the_form_opens_in_the_dialog_and_stays_there_when_it_is_refused(
    owner_client: Client, orchestration: Orchestration
) -> None:
    page = opened(owner_client, orchestration, **HTMX, **{"HX-Target": "dialog"}).content.decode()
    assert 'id="dialog-title"' in page
    assert "<html" not in page

    address = reverse("tasks:create", args=[orchestration.pk])
    headers = HTMX | {"HX-Target": "task-form"}
    refused = owner_client.post(address, {"name": "", "kind": "once"}, headers=headers)
    assert refused.status_code == 422
    assert refused.content.decode().lstrip().startswith("<form")
    accepted = owner_client.post(address, {"name": "a", "kind": "once"}, headers=headers)
    assert accepted["HX-Redirect"] == TaskRun.objects.get().get_absolute_url()


@pytest.mark.parametrize("versions", [1, 20])
def test_the_form_takes_few_queries_however_many_versions_there_are(
    versions: int,
    owner_client: Client,
    orchestration: Orchestration,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(versions - 1):
        make_version(orchestration)
    with django_assert_max_num_queries(8):
        opened(owner_client, orchestration)


@pytest.mark.parametrize(
    "lines", [{"name": "x\0y"}, {"name": "x" * 400_000, "limit": "y" * 900_000}]
)
def test_lines_keep_to_what_holds_for_the_json(
    lines: dict[str, str], owner_client: Client, reads_two: Orchestration
) -> None:
    fields = {f"argument:{name}": text for name, text in lines.items()}
    check(owner_client, reads_two, **fields)
    assert send(owner_client, reads_two, **fields).status_code == 422
    assert not Task.objects.exists()
