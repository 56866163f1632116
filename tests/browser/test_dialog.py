"""The dialog: what is typed in it is lost, and what is sent from it is done, on purpose only."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from orchestrations.models import Orchestration
from tests.browser.conftest import Visitor
from tests.browser.test_dashboard import drop
from tests.factories import make_orchestration, make_zip
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser

SCRIPT = make_zip({"main.py": "print('hello')\n"})


def test_it_is_left_by_a_click_beside_it_and_not_by_one_that_slips(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(make_orchestration(team, name="scores").get_absolute_url())
    page.get_by_role("link", name="Create Task").click()
    dialog, name = page.locator("#dialog"), page.get_by_label("Task Name")
    name.fill("typed with care")
    box, field = dialog.bounding_box(), name.bounding_box()
    assert box
    assert field
    left, middle = box["x"], field["y"] + field["height"] / 2

    page.mouse.click(left + 6, middle)  # On its own margin.
    page.mouse.move(field["x"] + 90, middle)  # The text is selected, and a bit more.
    page.mouse.down()
    page.mouse.move(left - 30, middle)
    page.mouse.up()
    expect(dialog).to_be_visible()
    expect(name).to_have_value("typed with care")

    page.mouse.click(left - 30, middle)
    expect(dialog).to_be_hidden()


def test_an_upload_that_is_cancelled_on_its_way_makes_nothing(
    visitor: Visitor, team: Workspace, tmp_path: Path
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.locator("#upload").click()
    big = tmp_path / "big.zip"
    big.write_bytes(make_zip({"main.py": "print(1)", "weights.bin": os.urandom(4_000_000)}))
    page.locator("#dialog input[type=file]").set_input_files(big)
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#dialog")).to_contain_text("Sending:")

    with page.expect_event("requestfailed") as failed:
        page.locator("#dialog").get_by_text("Cancel").click()

    assert failed.value.method == "POST"
    expect(page.locator("#notice")).to_be_empty()
    visitor.complaints.clear()  # htmx notes that a request was given up.
    assert not Orchestration.objects.exists()


def test_a_file_is_dropped_into_the_form_that_is_open_and_sent_by_who_filled_it_in(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.locator("#upload").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("a careful name")

    drop(page, "beside.zip", SCRIPT, on="#dialog .form-actions")
    dialog.get_by_role("button", name="Upload").click()

    page.wait_for_url("**/orchestrations/**")
    made = Orchestration.objects.get()
    assert (made.name, made.newest.file_name) == ("a careful name", "beside.zip")


def test_a_dropped_file_that_could_not_be_sent_is_not_sent_later(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.route("**/upload/", lambda route: route.fulfill(status=429))
    drop(page, "old.zip", SCRIPT)
    expect(page.locator("#notice")).to_contain_text("did not answer")
    page.unroute("**/upload/")

    page.locator("#upload").click()

    expect(page.get_by_role("dialog")).to_contain_text("Drop a ZIP file here")
    field = page.locator("#dialog input[type=file]")
    assert field.evaluate("(field) => field.files.length") == 0
    visitor.complaints.clear()  # The browser says in its own words that it was refused.
