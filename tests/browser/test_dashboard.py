"""The dashboard as somebody has it open all day: keys, drops, selections, and bad days."""

import base64
import re
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from tasks.models import Kind, Task
from tests.browser.conftest import Visitor
from tests.factories import make_orchestration, make_task, make_zip
from tests.processes import Processes, answers, parts, wait_until
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser


def scheduled(team: Workspace, name: str) -> Task:
    return make_task(make_orchestration(team, name=name), name=f"{name} task", kind=Kind.SCHEDULED)


def drop(page: Page, name: str, content: bytes, *, on: str = "h1") -> None:
    """Drop a file on a part of the page, as a mouse does that comes from the desktop."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type: "application/zip" }));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event(on, event, {"dataTransfer": transfer})


def test_the_main_journey_by_keyboard_alone(
    visitor: Visitor, team: Workspace, archive: Path
) -> None:
    page, keyboard = visitor.page, visitor.page.keyboard
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())

    keyboard.press("u")
    dialog = page.get_by_role("dialog", name="Upload an orchestration")
    expect(dialog).to_be_visible()
    page.locator("input[type=file]").set_input_files(archive)
    dialog.get_by_label("Name").press("Enter")
    page.wait_for_url("**/orchestrations/**")
    expect(page.locator("#packaging")).to_contain_text("Ready", timeout=60_000)

    keyboard.press("c")
    name = page.get_by_label("Task Name")
    expect(name).to_be_focused()
    keyboard.press("ControlOrMeta+a")
    keyboard.type("by keys")
    page.get_by_text("Advanced Settings").press("Enter")
    page.get_by_label("Json arguments").fill('{"name": "keys", "seconds": 1}')
    name.press("Enter")
    page.wait_for_url("**/runs/**")
    expect(page.locator("main")).to_contain_text("first line for keys")
    expect(page.locator("#run-summary")).to_contain_text("Success")

    keyboard.press("g")
    keyboard.press("w")
    page.wait_for_url(f"**{team.get_absolute_url()}")
    keyboard.press("j")
    expect(page.get_by_role("link", name="story.zip", exact=True)).to_be_focused()
    keyboard.press("ControlOrMeta+k")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    keyboard.type("by keys")
    expect(page.locator("#findings")).to_contain_text("by keys")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    page.wait_for_url("**/tasks/**")
    expect(page.get_by_role("heading", name="by keys")).to_be_visible()


def test_what_is_typed_the_moment_the_switcher_opens_is_searched_for(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    make_orchestration(team, name="churn-scores")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    # In the very moment in which the field appears: before htmx has taken up its form.
    page.evaluate(
        """() => new MutationObserver((changes, observer) => {
            const field = document.querySelector("#switcher-query");
            if (!field) return;
            observer.disconnect();
            field.value = "churn";
            field.dispatchEvent(new Event("input", { bubbles: true }));
        }).observe(document.querySelector("#dialog"), { childList: true, subtree: true })"""
    )
    page.keyboard.press("ControlOrMeta+k")
    expect(page.locator("#findings")).to_contain_text("churn-scores")


def test_enter_goes_to_what_was_typed_last_and_not_to_what_was_found_before(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    make_orchestration(team, name="alpha")
    wanted = make_orchestration(team, name="beta")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.keyboard.press("ControlOrMeta+k")
    field = page.locator("#switcher-query")
    expect(field).to_be_focused()
    field.fill("alpha")
    expect(page.locator("#findings")).to_contain_text("alpha")
    field.fill("beta")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{wanted.get_absolute_url()}")


def test_the_switcher_comes_once_and_has_what_was_typed_before_it_was_there(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    on_their_way: list[Route] = []
    page.route("**/search/", lambda route: on_their_way.append(route))  # noqa: PLW0108
    with page.expect_request("**/search/"):
        page.keyboard.press("ControlOrMeta+k")
    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type("up")  # No shortcuts: they are meant for the field that is to come.
    assert len(on_their_way) == 1
    on_their_way[0].continue_()
    field = page.get_by_role("dialog", name="Go to").get_by_role("searchbox")
    expect(field).to_have_value("up")
    page.keyboard.type("on")
    expect(field).to_have_value("upon")


def test_one_escape_closes_the_switcher_whatever_is_written_in_it(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.keyboard.press("ControlOrMeta+k")
    switcher = page.get_by_role("dialog", name="Go to")
    expect(switcher.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("churn")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(switcher).to_be_hidden()
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_the_sheet_of_shortcuts_opens_and_single_keys_can_be_turned_off(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    sheet.get_by_label("Single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("?")
    page.keyboard.press("ControlOrMeta+k")  # This one is not a single key.
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    expect(sheet).to_be_hidden()


def test_a_held_key_acts_once(visitor: Visitor, team: Workspace) -> None:
    page = visitor.page
    task = scheduled(team, "nightly")
    visitor.log_in("owner")
    visitor.open(task.get_absolute_url())
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.keyboard.down("p")
    expect(page.locator("#task-summary")).to_contain_text("Paused")
    page.keyboard.down("p")  # The browser repeats a key that is held.
    page.keyboard.down("p")
    page.keyboard.up("p")
    page.keyboard.press("ControlOrMeta+k")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    assert sent.count("POST") == 1


def test_a_search_keeps_the_order_of_the_list(visitor: Visitor, team: Workspace) -> None:
    page = visitor.page
    for name in ("one of b", "one of a", "one of c"):
        make_orchestration(team, name=name)
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.get_by_role("link", name="Workload", exact=True).click()
    page.wait_for_url("**sort=name**")
    page.locator("#q").fill("one")
    page.wait_for_url("**q=one**")
    names = page.locator("tbody .row-link")
    expect(names).to_have_text(["one of a", "one of b", "one of c"])


def test_a_time_zone_that_the_browser_does_not_know_takes_nothing_else_away(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    User.objects.filter(username="owner").update(time_zone="Mars/Base")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.get_by_role("link", name="Upload").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Upload an orchestration")


def test_a_zip_is_dropped_anywhere_on_the_list(visitor: Visitor, team: Workspace) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    drop(page, "broken.zip", b"this is no ZIP")
    expect(page.get_by_role("dialog")).to_contain_text("The archive was not accepted")
    page.keyboard.press("Escape")
    drop(page, "dropped.zip", make_zip({"main.py": "print('hello')\n"}))
    page.wait_for_url("**/orchestrations/**")
    expect(page.locator("main")).to_contain_text("dropped.zip")


def test_what_is_selected_stays_so_and_is_paused_together(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    first, second = scheduled(team, "first"), scheduled(team, "second")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    for name in ("first", "second"):
        page.get_by_label(f"Select {name}").check()
    make_orchestration(team, name="came meanwhile")
    expect(page.get_by_role("link", name="came meanwhile")).to_be_visible(timeout=30_000)
    expect(page.locator("#bulk-tasks")).to_contain_text("All tasks of the selected: 2")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("main")).to_contain_text("2 tasks were paused.")
    states = Task.objects.filter(pk__in=[first.pk, second.pk]).values_list("state", flat=True)
    assert list(states) == ["paused", "paused"]


def test_the_list_is_sorted_and_its_address_tells_so(visitor: Visitor, team: Workspace) -> None:
    page = visitor.page
    for name in ("beta", "alpha"):
        make_orchestration(team, name=name)
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    heading = page.get_by_role("columnheader", name="Workload")
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert page.url.endswith("?sort=name")
    expect(page.locator("tbody .row-link")).to_have_text(["alpha", "beta"])
    page.reload()
    expect(page.locator("tbody .row-link")).to_have_text(["alpha", "beta"])


def test_a_login_that_ends_while_a_page_is_watched_leads_back_to_it(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    make_orchestration(team, name="watched", status="pending_packaging")
    visitor.log_in("owner")
    visitor.open(f"{team.get_absolute_url()}?q=watched")
    Session.objects.all().delete()
    page.wait_for_url(re.compile("/login/"), timeout=30_000)
    page.locator("input[name=username]").fill("owner")
    page.locator("input[name=password]").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{team.get_absolute_url()}?q=watched")


def test_a_list_says_that_the_server_is_away_and_recovers(
    visitor: Visitor, server: Processes, team: Workspace
) -> None:
    page = visitor.page
    # What is being packaged is asked for every few seconds.
    make_orchestration(team, name="watched", status="pending_packaging")
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    serve = server.running[0]
    serve.suspend()  # It starts another web process as soon as this one is gone.
    parts(serve)["web"].kill()
    try:
        lost = "Connection lost, trying again…"
        expect(page.locator("#notice")).to_have_text(lost, timeout=30_000)
    finally:
        serve.resume()
    wait_until(lambda: answers(f"{server.url}/readyz"), "the server to be back")
    make_orchestration(team, name="made meanwhile")
    expect(page.get_by_role("link", name="made meanwhile")).to_be_visible(timeout=30_000)
    expect(page.locator("#notice")).not_to_have_text("Connection lost, trying again…")
    # The browser itself complains of what it could not reach.
    visitor.complaints.clear()
