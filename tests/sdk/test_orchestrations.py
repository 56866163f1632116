"""Uploading and listing orchestrations."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.factories import make_zip
from tests.processes import wait_until
from tests.sdk.conftest import ECHO, new_name, ready, upload
from tests.sdk.remote import Raised
from tests.sdk.shown import fields, records

pytestmark = pytest.mark.engine

TABLE = [
    "id",
    "name",
    "status",
    "filename",
    "sha",
    "created at",
    "updated at",
    "workspace id",
    "workspace name",
]


def test_an_archive_at_a_path_becomes_an_orchestration_that_gets_ready(
    ann: Any, workspace: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "hello.zip"
    archive.write_bytes(make_zip({"main.py": "print('hello')", "requirements.txt": "\n"}))

    orchestration = ann.upload_orchestration(path=str(archive))

    assert orchestration.status() in {"pending_packaging", "packaging", "ready"}
    assert UUID(orchestration.id())
    assert orchestration.name() is None
    assert orchestration.file_name() == "hello.zip"
    assert orchestration.sha() == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert orchestration.workspace_id() == workspace.id()
    age = datetime.now(UTC) - datetime.fromisoformat(orchestration.created_at().isoformat())
    assert timedelta(0) < age < timedelta(minutes=1)
    assert ready(orchestration).updated_at().isoformat() >= orchestration.created_at().isoformat()


def test_bytes_are_uploaded_under_the_names_that_are_given(ann: Any, workspace: Any) -> None:
    content = make_zip({"main.py": ""})

    named = ann.upload_orchestration(bytes_buffer=content, name="nightly", file_name="a.zip")
    unnamed = ann.upload_orchestration(bytes_buffer=content)

    assert (named.name(), named.file_name()) == ("nightly", "a.zip")
    # Without a file name the SDK itself sends this one.
    assert (unnamed.name(), unnamed.file_name()) == (None, "_")
    # Two uploads of the same bytes are two orchestrations.
    assert named.sha() == unnamed.sha()
    assert named.id() != unnamed.id()


def test_a_script_in_a_folder_runs_there(ann: Any, workspace: Any) -> None:
    content = make_zip({"job/main.py": "print(open('data.txt').read())", "job/data.txt": "found"})
    orchestration = ann.upload_orchestration(bytes_buffer=content)
    assert ready(orchestration)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (make_zip({"readme.txt": "no script"}), "main.py"),
        (
            make_zip({"main.py": "", "requirements.txt": "", "a/requirements.txt": ""}),
            "requirements.txt",
        ),
        (make_zip({"main.py": "", "../outside.py": ""}), "leads out of its folder"),
        (b"this is no ZIP", "ZIP"),
        (b"", "empty"),
    ],
    ids=["no main.py", "two requirements.txt", "a way out", "no ZIP", "nothing"],
)
def test_an_archive_is_refused_in_words_that_say_why(
    ann: Any, workspace: Any, content: bytes, words: str
) -> None:
    with pytest.raises(Raised, match=words) as refused:
        ann.upload_orchestration(bytes_buffer=content, file_name="a.zip")

    assert refused.value.kind == "OrchestrationUploadFailed"
    assert list(ann.list_orchestrations(workspace_id=workspace.id())) == []


def test_an_upload_without_a_file_is_refused_by_the_sdk(ann: Any, workspace: Any) -> None:
    with pytest.raises(Raised, match="OrchestrationMissingFile"):
        ann.upload_orchestration(name="nothing")


def test_requirements_that_cannot_be_installed_are_an_error(ann: Any, workspace: Any) -> None:
    content = make_zip({"main.py": "", "requirements.txt": "six==0.0.0.1"})
    orchestration = ann.upload_orchestration(bytes_buffer=content)

    wait_until(lambda: orchestration.status() == "error", "the packaging to fail")

    with pytest.raises(Raised, match=r"OrchestrationDeployOneshotFailed.*packag"):
        orchestration.run_once("in vain")


def test_orchestrations_are_listed_the_newest_first(ann: Any, workspace: Any) -> None:
    uploads = [upload(ann, ECHO).id() for _ in range(3)]

    listed = ann.list_orchestrations(workspace_id=workspace.id())

    assert [each.id() for each in listed] == uploads[::-1]


def test_orchestrations_are_filtered_by_workspace(ann: Any, workspace: Any) -> None:
    here = upload(ann, ECHO).id()
    other = ann.set_current_workspace(ann.create_workspace(new_name("team")))
    there = upload(ann, ECHO).id()

    def ids(**options: Any) -> list[str]:
        return [each.id() for each in ann.list_orchestrations(**options)]

    assert ids(workspace_id=workspace.id()) == [here]
    assert ids(workspace_name=other.name()) == [there]
    assert ids()[:2] == [there, here]


def test_filters_of_a_wrong_type_or_an_unknown_name_are_refused(ann: Any) -> None:
    with pytest.raises(Raised, match="TypeError: Workspace ID must be an integer"):
        ann.list_orchestrations(workspace_id="1")
    with pytest.raises(Raised, match="TypeError: Workspace name must be a string"):
        ann.list_orchestrations(workspace_name=1)
    with pytest.raises(Raised, match="Workspace by name nowhere is not found"):
        ann.list_orchestrations(workspace_name="nowhere")
    with pytest.raises(Raised, match="Failed to list orchestrations"):
        ann.list_orchestrations(workspace_id=2**40)


def test_an_orchestration_is_shown_as_a_table(ann: Any, workspace: Any, orchestration: Any) -> None:
    shown = fields(orchestration)

    assert shown["ID"] == orchestration.id()
    assert shown["Name"] == orchestration.name()
    assert shown["File Name"] == "archive.zip"
    assert shown["SHA"] == orchestration.sha()
    assert shown["Status"] == "ready"
    assert shown["Created At"] == orchestration.created_at().strftime("%Y-%d-%b %H:%M:%S")
    assert shown["Updated At"] == orchestration.updated_at().strftime("%Y-%d-%b %H:%M:%S")
    assert shown["Workspace ID"] == str(workspace.id())
    assert shown["Workspace Name"] == workspace.name()


def test_a_list_of_orchestrations_is_shown_as_a_table(
    ann: Any, workspace: Any, orchestration: Any
) -> None:
    sha = orchestration.sha()

    [shown] = records(ann.list_orchestrations(workspace_id=workspace.id()))

    assert list(shown) == TABLE
    assert shown["id"] == orchestration.id()
    assert shown["status"] == "ready"
    assert shown["sha"] == f"{sha[:6]}...{sha[-6:]}"
    assert shown["workspace name"] == workspace.name()


def test_an_empty_list_says_so(ann: Any, workspace: Any) -> None:
    listed = ann.list_orchestrations(workspace_id=workspace.id())
    assert listed._repr_html_() == "(no orchestrations)"
