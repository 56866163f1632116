"""From ZIP to log, as a person does it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasks.models import TaskRun
from tests.browser.conftest import Visitor
from tests.factories import make_orchestration, make_zip
from tests.processes import finished
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser


def upload(page: Page, archive: Path) -> None:
    page.get_by_role("link", name="Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(archive)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/orchestrations/**")


def create_task(page: Page, arguments: str) -> None:
    page.get_by_role("link", name="Create Task").click()
    page.get_by_text("Advanced Settings").click()
    page.get_by_label(re.compile("Json arguments")).fill(arguments)
    page.get_by_role("button", name="Create Task").click()


def test_a_person_uploads_runs_and_reads_the_first_line_while_the_script_still_runs(
    visitor: Visitor, team: Workspace, archive: Path
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())

    upload(page, archive)
    expect(page.locator("#packaging")).to_contain_text("Ready", timeout=60_000)
    expect(page.locator("main")).to_contain_text("story.zip")
    create_task(page, '{"name": "you", "seconds": 600}')
    page.wait_for_url("**/runs/**")

    expect(page.locator("main")).to_contain_text("first line for you")
    expect(page.locator("#run-summary")).to_contain_text("Running")
    assert "last line" not in page.locator("main").inner_text()

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=re.compile("Stop")).click()
    expect(page.locator("#run-summary")).to_contain_text("Killed")
    expect(page.locator("#run-summary")).to_contain_text("Stopped by owner@example.com.")
    run = TaskRun.objects.get()
    assert run.status == Status.KILLED


def test_the_page_follows_a_run_to_its_end_by_itself(
    visitor: Visitor, team: Workspace, archive: Path
) -> None:
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    upload(visitor.page, archive)
    expect(visitor.page.locator("#packaging")).to_contain_text("Ready", timeout=60_000)
    create_task(visitor.page, '{"name": "you", "seconds": 3}')

    expect(visitor.page.locator("main")).to_contain_text("first line for you")
    expect(visitor.page.locator("#run-summary")).to_contain_text("Success")
    expect(visitor.page.locator("main")).to_contain_text("last line")
    # Nothing asks the server any more once the run is over.
    expect(visitor.page.locator("#run-summary[hx-trigger], #log[data-stream]")).to_have_count(0)


def test_a_refused_archive_is_answered_at_once_with_every_problem(
    visitor: Visitor, team: Workspace, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(make_zip({"a/requirements.txt": "", "b/requirements.txt": "", "../x": ""}))
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())

    visitor.page.get_by_role("link", name="Upload", exact=True).click()
    visitor.page.locator("input[type=file]").set_input_files(bad)
    visitor.page.get_by_role("button", name="Upload").click()

    alert = visitor.page.get_by_role("alert")
    for words in ("main.py", "a/requirements.txt", "../x"):
        expect(alert).to_contain_text(words)
    assert not team.orchestrations.exists()


def test_wrong_arguments_are_answered_with_line_and_column(
    visitor: Visitor, team: Workspace
) -> None:
    orchestration = make_orchestration(team)
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())

    create_task(visitor.page, '{"a": 1,\n "a": 2}')

    expect(visitor.page.locator("#task-form")).to_contain_text("Line 2, column 2")
    assert not TaskRun.objects.exists()


def test_the_journey_works_with_scripts_off(
    plain_visitor: Visitor, team: Workspace, archive: Path
) -> None:
    page = plain_visitor.page
    plain_visitor.log_in("owner")
    plain_visitor.open(team.get_absolute_url())

    upload(page, archive)
    # The page asks again by itself, without a script.
    expect(page.locator("#packaging")).to_contain_text("Ready", timeout=60_000)
    create_task(page, '{"name": "you", "seconds": 0}')
    page.wait_for_url("**/runs/**")
    finished(TaskRun.objects.get())

    expect(page.locator("#run-summary")).to_contain_text("Success", timeout=20_000)
    expect(page.locator("main")).to_contain_text("first line for you")


def test_the_list_is_searched_and_filtered(visitor: Visitor, team: Workspace) -> None:
    make_orchestration(team, name="nightly scores")
    make_orchestration(team, name="donuts", status="error")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    table = visitor.page.locator("#workloads")
    expect(table).to_contain_text("donuts")

    visitor.page.get_by_role("searchbox").fill("SCORE")
    expect(table).not_to_contain_text("donuts")
    expect(table).to_contain_text("nightly scores")

    visitor.page.get_by_role("searchbox").fill("")
    expect(table).to_contain_text("donuts")
    visitor.page.get_by_role("combobox").select_option(label="Only Error")
    expect(table).not_to_contain_text("nightly scores")
    expect(table).to_contain_text("donuts")
    assert "status=error" in visitor.page.url


def test_a_viewer_is_offered_nothing_to_change(visitor: Visitor, team: Workspace) -> None:
    orchestration = make_orchestration(team)
    visitor.log_in("viewer")

    visitor.open(team.get_absolute_url())
    expect(visitor.page.get_by_role("link", name="Upload", exact=True)).to_have_count(0)
    visitor.open(orchestration.get_absolute_url())
    expect(visitor.page.get_by_role("link", name="Create Task")).to_have_count(0)
    expect(visitor.page.get_by_role("button", name="Package again")).to_have_count(0)


@pytest.mark.parametrize("path", ["", "upload/"])
def test_no_page_scrolls_sideways_on_a_small_phone(
    path: str, visitor: Visitor, team: Workspace
) -> None:
    make_orchestration(team, name="a-very-long-name-" * 10)
    visitor.page.set_viewport_size({"width": 320, "height": 700})
    visitor.log_in("owner")

    visitor.open(team.get_absolute_url() + path)

    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
