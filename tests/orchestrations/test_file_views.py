"""The files of an archive: listed, shown, handed out; never those of anything else."""

import zipfile
from pathlib import Path
from typing import cast

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from orchestrations import file_views, version_views
from orchestrations.highlighting import MAX_BYTES
from orchestrations.models import Orchestration
from tests.factories import make_orchestration
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def url(orchestration: Orchestration, name: str, *, download: bool = False) -> str:
    view = "archive-file-download" if download else "archive-file"
    return reverse(f"orchestrations:{view}", args=[orchestration.pk, 1, name])


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def saved(client: Client, address: str) -> tuple[str, bytes]:
    response = cast("StreamingHttpResponse", client.get(address))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/octet-stream"
    return response["Content-Disposition"], b"".join(cast("list[bytes]", response))


@pytest.mark.parametrize("place", ["version", "orchestration"])
def test_the_files_are_listed_folder_by_folder(
    place: str, owner_client: Client, workspace: Workspace
) -> None:
    files = {"src/b.py": "", "main.py": "import src.b", "src/deep/c.py": "", "a/z.txt": "z"}
    orchestration = make_orchestration(workspace, files=files)

    response = owner_client.get(
        orchestration.newest.get_absolute_url()
        if place == "version"
        else reverse("orchestrations:files", args=[orchestration.pk])
    )

    names = [file.name for file in response.context["files"]]
    assert names == ["main.py", "a/z.txt", "src/b.py", "src/deep/c.py"]
    for name in names:
        assert f'href="{url(orchestration, name)}"' in response.content.decode()


def test_folders_and_what_macos_adds_are_not_listed(
    owner_client: Client, workspace: Workspace
) -> None:
    files = {"main.py": "", "data/": "", "__MACOSX/._main.py": "x"}
    orchestration = make_orchestration(workspace, files=files)

    files = owner_client.get(orchestration.newest.get_absolute_url()).context["files"]

    assert [file.name for file in files] == ["main.py"]


def test_a_long_list_ends_with_the_count_of_the_rest(
    owner_client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_views, "FILES_SHOWN", 2)
    files = dict.fromkeys(["main.py", "a/1", "a/2", "a/3"], "")
    orchestration = make_orchestration(workspace, files=files)

    shown = page(owner_client, orchestration.newest.get_absolute_url())

    assert "2 more, not listed here" in shown
    assert url(orchestration, "a/1") in shown
    assert url(orchestration, "a/2") not in shown


@pytest.mark.parametrize("spoil", ["remove", "cut"])
def test_a_page_stands_though_its_archive_is_spoilt(
    spoil: str, owner_client: Client, orchestration: Orchestration
) -> None:
    path = Path(orchestration.newest.archive.path)
    path.unlink() if spoil == "remove" else path.write_bytes(path.read_bytes()[:-1])

    assert "cannot be read any more" in page(owner_client, orchestration.newest.get_absolute_url())
    assert owner_client.get(url(orchestration, "main.py")).status_code == 404
    assert owner_client.get(url(orchestration, "main.py", download=True)).status_code == 404


def test_a_file_is_shown_with_numbers_and_colours(
    owner_client: Client, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace, script="import os\nprint('<b>')\n")

    shown = page(owner_client, url(orchestration, "main.py"))

    assert '<a class="code-number" href="#L2" tabindex="-1">2</a>' in shown
    assert '<code><span class="k">import</span> os</code>' in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "style=" not in shown


def test_a_long_file_ends_with_the_count_of_the_rest(
    owner_client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_views, "LINES_SHOWN", 2)
    orchestration = make_orchestration(workspace, script="a\nb\nc\n")

    shown = page(owner_client, url(orchestration, "main.py"))

    assert 'id="L2"' in shown
    assert 'id="L3"' not in shown
    assert "1 more line:" in shown


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\0", "It is not text."),
        (b"x" * (MAX_BYTES + 1), "It is larger than 512 KB."),
        (b"", "This file is empty"),
    ],
)
def test_what_is_not_shown_is_offered(
    content: bytes, words: str, owner_client: Client, workspace: Workspace
) -> None:
    orchestration = make_orchestration(workspace, files={"main.py": "", "data/it": content})

    shown = page(owner_client, url(orchestration, "data/it"))

    assert words in shown
    assert 'class="code-number"' not in shown
    assert url(orchestration, "data/it", download=True) in shown
    disposition, received = saved(owner_client, url(orchestration, "data/it", download=True))
    assert disposition == 'attachment; filename="it"'
    assert received == content


@pytest.mark.parametrize("name", ["été #1?.txt", "a%2Fb.txt", "a b/c+d&e.txt", "x;y=z"])
def test_any_name_leads_to_its_file(name: str, owner_client: Client, workspace: Workspace) -> None:
    orchestration = make_orchestration(workspace, files={"main.py": "", name: "found"})

    assert "<code>found</code>" in page(owner_client, url(orchestration, name))
    assert saved(owner_client, url(orchestration, name, download=True))[1] == b"found"


@pytest.mark.parametrize(
    "name",
    [
        "other.py",
        "MAIN.py",
        "data",
        "data/",
        "./main.py",
        "/main.py",
        "data/../main.py",
        "../manage.py",
        "../../../../etc/passwd",
        "/etc/passwd",
        "__MACOSX/._main.py",
        "main.py\0",
    ],
)
def test_only_the_archives_own_files_are_found(
    name: str, owner_client: Client, workspace: Workspace
) -> None:
    files = {"main.py": "", "data/": "", "data/it": "", "__MACOSX/._main.py": "x"}
    orchestration = make_orchestration(workspace, files=files)

    assert owner_client.get(url(orchestration, name)).status_code == 404
    assert owner_client.get(url(orchestration, name, download=True)).status_code == 404


def test_a_damaged_file_is_not_shown(owner_client: Client, workspace: Workspace) -> None:
    orchestration = make_orchestration(workspace, script="x" * 100)
    path = Path(orchestration.newest.archive.path)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("main.py").header_offset + 30 + len("main.py")
    data = bytearray(path.read_bytes())
    data[start] ^= 0xFF
    path.write_bytes(data)

    assert "main.py” is damaged" in page(owner_client, url(orchestration, "main.py"))
