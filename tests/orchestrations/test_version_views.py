"""Pages of versions, and the parts of the page of an orchestration."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from orchestrations import services, version_views
from orchestrations.models import Orchestration, Version
from tests.factories import (
    NOON,
    make_orchestration,
    make_run,
    make_task,
    make_version,
    make_zip,
)
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queued_jobs")]

HTMX = {"HX-Request": "true"}


def url(name: str, *args: object) -> str:
    return reverse(f"orchestrations:{name}", args=args)


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def send(client: Client, orchestration: Orchestration, content: bytes, **headers: str) -> Any:
    archive = SimpleUploadedFile("next.zip", content)
    address = url("version-upload", orchestration.pk)
    return client.post(address, {"archive": archive}, headers=headers)


# -- Upload ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["owner", "collaborator"])
def test_an_upload_leads_to_the_new_version(
    who: str, request: pytest.FixtureRequest, orchestration: Orchestration
) -> None:
    client, content = Client(), make_zip({"main.py": "print(2)"})
    client.force_login(request.getfixturevalue(who))

    response = send(client, orchestration, content)

    version = Version.objects.get(number=2)
    assert response["Location"] == version.get_absolute_url()
    assert version.file_name == "next.zip"
    assert version.created_by == request.getfixturevalue(who)
    assert "main.py changed" in page(client, version.get_absolute_url())


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_who_may_not_change_things_uploads_nothing(
    who: str, request: pytest.FixtureRequest, orchestration: Orchestration
) -> None:
    client = Client()
    client.force_login(request.getfixturevalue(who))
    response = send(client, orchestration, make_zip({"main.py": "print(2)"}))
    assert response.status_code in {403, 404}
    assert Version.objects.count() == 1


def test_the_same_file_is_refused_in_words(
    owner_client: Client, workspace: Workspace, owner: Any
) -> None:
    content = make_zip({"main.py": ""})
    orchestration = services.upload_orchestration(
        workspace=workspace,
        file=SimpleUploadedFile("a.zip", content),
        file_name="a.zip",
        name="",
        user=owner,
    )

    response = send(owner_client, orchestration, content, **HTMX)

    assert response.status_code == 422
    assert "This is the same file as version 1, byte for byte" in response.content.decode()
    assert 'role="alert"' in response.content.decode()


def test_every_problem_of_a_refused_version_is_named(
    owner_client: Client, orchestration: Orchestration
) -> None:
    response = send(owner_client, orchestration, make_zip({"a/../b": "", "readme": ""}))
    assert response.status_code == 422
    assert "leads out of its folder" in response.content.decode()
    assert "No main.py is in the archive" in response.content.decode()


# -- The parts of an orchestration's page ----------------------------------------------


def test_tasks_runs_and_versions_are_reached_by_links(
    owner_client: Client, orchestration: Orchestration
) -> None:
    addresses = [url(name, orchestration.pk) for name in ("detail", "runs", "versions")]
    for here in addresses:
        shown = page(owner_client, here)
        for address in addresses:
            current = ' aria-current="page"' if address == here else ""
            assert f'href="{address}"{current} hx-get="{address}"' in shown


def test_htmx_gets_a_part_alone(owner_client: Client, orchestration: Orchestration) -> None:
    for name in ("detail", "runs", "versions"):
        response = owner_client.get(url(name, orchestration.pk), headers=HTMX)
        assert response.content.decode().lstrip().startswith('<div id="activity"')


def test_the_versions_say_what_changed_which_one_runs_and_what_is_pinned(
    owner_client: Client, orchestration: Orchestration
) -> None:
    first = orchestration.newest
    make_task(orchestration, version=first)
    make_task(orchestration, version=first, state="killed")
    make_version(orchestration, status="error", changes="main.py changed")

    response = owner_client.get(url("versions", orchestration.pk))

    assert [version.number for version in response.context["page"].rows] == [2, 1]
    assert [version.pinned for version in response.context["page"].rows] == [0, 1]
    shown = " ".join(response.content.decode().split())
    assert url("version-changes", orchestration.pk, 2) in shown
    assert shown.count("runs where a task follows the latest") == 1
    assert shown.index(">Version 1<") < shown.index("runs where a task follows the latest")


def test_a_page_says_that_tasks_go_on_with_an_older_version(
    owner_client: Client, orchestration: Orchestration
) -> None:
    second = make_version(orchestration, status="error")
    words = "Tasks that follow the latest go on with"
    assert words in page(owner_client, orchestration.get_absolute_url())
    assert words in page(owner_client, second.get_absolute_url())
    assert words not in page(owner_client, url("version", orchestration.pk, 1))


def test_the_last_lines_of_a_run_come_when_they_are_opened(
    owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(
        make_task(orchestration),
        status=Status.FAILURE,
        log_bytes=9,
        log_tail="step 1\rstep 2\n\x1b[31mred\x1b[0m\nthe <end>",
    )
    shown = page(owner_client, url("runs", orchestration.pk))
    tail = reverse("tasks:run-tail", args=[run.pk])

    assert "the &lt;end&gt;" not in shown
    assert f'hx-get="{tail}"' in shown
    # As a terminal shows them, as the whole log does.
    expected = '>step 2 <span class="ansi-red">red</span> the &lt;end&gt; </pre>'
    assert expected in page(owner_client, tail)


def many(orchestration: Orchestration, count: int) -> None:
    for number in range(count):
        version = make_version(orchestration)
        task = make_task(orchestration, version=version, kind="continuous")
        moment = NOON + timedelta(minutes=number)
        make_run(task, status=Status.RUNNING, queued_at=moment, version=version)


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("newest", ["ready", "error"])
def test_pages_take_eight_queries_however_much_there_is(
    newest: str,
    count: int,
    owner_client: Client,
    orchestration: Orchestration,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    many(orchestration, count)
    make_version(orchestration, status=newest)
    addresses = [url(name, orchestration.pk) for name in ("detail", "runs", "versions")]
    addresses += [url(name, orchestration.pk, 2) for name in ("version", "version-changes")]
    for address in addresses:
        with django_assert_max_num_queries(8):
            assert owner_client.get(address).status_code == 200
        with django_assert_max_num_queries(8):
            assert owner_client.get(address, headers=HTMX).status_code == 200


# -- One version -----------------------------------------------------------------------


def test_each_version_hands_out_its_own_archive_and_files(
    owner_client: Client, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace, script="print('old')")
    make_version(orchestration, script="print('new')", file_name="new.zip")

    for number, word in ((1, "old"), (2, "new")):
        assert word in page(owner_client, url("archive-file", orchestration.pk, number, "main.py"))
        raw: Any = owner_client.get(url("download", orchestration.pk, number))
        with orchestration.versions.get(number=number).archive.open("rb") as archive:
            assert raw.getvalue() == archive.read()
    assert owner_client.get(url("download", orchestration.pk, 3)).status_code == 404


def test_an_older_version_is_packaged_again(
    owner_client: Client, orchestration: Orchestration
) -> None:
    first, second = orchestration.newest, make_version(orchestration)
    owner_client.post(url("package", orchestration.pk, 1))
    assert first.packagings.count() == 1
    assert not second.packagings.exists()


@pytest.mark.parametrize("number", ["0", "99", "9" * 30])
def test_a_number_that_is_none_is_not_found(
    number: str, owner_client: Client, orchestration: Orchestration
) -> None:
    address = f"{orchestration.get_absolute_url()}versions/{number}/"
    assert owner_client.get(address).status_code == 404


# -- What changed ----------------------------------------------------------------------


@pytest.fixture
def changed(workspace: Workspace) -> Orchestration:
    orchestration = make_orchestration(
        workspace,
        files={"main.py": "a = 1\nb = 2\n", "old.txt": "bye", "pic": b"\0\1"},
        requirements=["six"],
    )
    make_version(
        orchestration,
        files={"main.py": "a = 1\nb = '<3>'\n", "pic": b"\0\2"},
        requirements=["six==1.16"],
    )
    return orchestration


def test_changes_are_shown_line_by_line(owner_client: Client, changed: Orchestration) -> None:
    shown = page(owner_client, url("version-changes", changed.pk, 2))
    assert '<span class="comparison-sign">-</span>b = 2</code>' in shown
    assert '<span class="comparison-sign">+</span>b = &#x27;&lt;3&gt;&#x27;</code>' in shown
    assert '<span class="comparison-sign">-</span>bye</code>' in shown
    assert "It is not text." in shown
    assert "<code>six</code> → <code>six==1.16</code>" in shown


def test_any_two_versions_can_be_compared(owner_client: Client, changed: Orchestration) -> None:
    make_version(changed, files={"main.py": "a = 1\nb = 2\n", "old.txt": "bye", "pic": b"\0\1"})
    address = url("version-changes", changed.pk, 3)

    assert owner_client.get(address).context["since"].number == 2
    response = owner_client.get(address, {"since": "1"})
    assert response.context["changes"].files == []
    for wrong in ("3", "4", "x", "-1"):
        assert owner_client.get(address, {"since": wrong}).status_code == 404


def test_the_first_version_has_nothing_to_be_compared_with(
    owner_client: Client, orchestration: Orchestration
) -> None:
    shown = page(owner_client, url("version-changes", orchestration.pk, 1))
    assert "This is the first version" in shown


@pytest.mark.parametrize("number", [1, 2])
def test_changes_stand_though_an_archive_is_lost(
    number: int, owner_client: Client, changed: Orchestration
) -> None:
    Path(changed.versions.get(number=number).archive.path).unlink()
    shown = page(owner_client, url("version-changes", changed.pk, 2))
    assert "cannot be read any more" in shown


@pytest.mark.parametrize(
    ("bound", "value", "words"),
    [
        ("LINES_COMPARED_SHOWN", 1, "too many to show them here"),
        ("TEXTS_COMPARED", 1, "there is too much before it"),
        ("COMPARING_SECONDS", 0, "there is too much before it"),
        ("CHANGES_SHOWN", 1, "2 more files changed, not listed here"),
    ],
)
def test_what_a_page_compares_is_bounded(
    bound: str,
    value: int,
    words: str,
    owner_client: Client,
    changed: Orchestration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(version_views, bound, value)
    assert words in page(owner_client, url("version-changes", changed.pk, 2))


def test_an_archive_that_is_lost_is_no_empty_download(
    owner_client: Client, orchestration: Orchestration
) -> None:
    version = orchestration.newest
    Path(version.archive.path).unlink()
    shown = owner_client.get(url("download", orchestration.pk, 1), follow=True)
    assert "The archive cannot be read any more." in shown.content.decode()
    assert shown.redirect_chain == [(version.get_absolute_url(), 302)]
