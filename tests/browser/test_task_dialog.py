"""Creating a task in the dialog: by keyboard, on a phone, its arguments line by line."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from orchestrations.models import Orchestration
from tasks.models import Task
from tests.browser.conftest import Visitor
from tests.factories import make_orchestration, make_task
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser

SCRIPT = 'a = wl.task_args()\nprint(a["kind"], a.get("limit", 3))\n'


@pytest.fixture
def orchestration(team: Workspace) -> Orchestration:
    return make_orchestration(team, name="scores", script=SCRIPT)


def test_a_task_is_made_by_keyboard_alone_on_a_small_phone(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 320, "height": 640})
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())
    opener, name = page.get_by_role("link", name="Create Task"), page.get_by_label("Task Name")
    dialog = page.get_by_role("dialog", name="Create Task")

    opener.press("Enter")
    expect(name).to_be_focused()
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    opener.press("Enter")
    name.fill("")
    name.press("Enter")
    # The browser itself asks for a name; what the server refuses stays in the dialog, too.
    name.fill("by hand")
    page.get_by_text("Advanced Settings").press("Enter")
    page.get_by_label("Json arguments").fill("{")
    name.press("Enter")
    expect(dialog).to_contain_text("Line 1, column 2")
    page.get_by_label("Json arguments").fill("{}")
    name.press("Enter")
    page.wait_for_url("**/runs/**")
    assert Task.objects.get().name == "by hand"


@pytest.mark.parametrize(("width", "height"), [(1280, 700), (320, 640)])
def test_the_buttons_stay_in_sight_and_cover_no_field_that_has_the_focus(
    visitor: Visitor, orchestration: Orchestration, width: int, height: int
) -> None:
    page = visitor.page
    page.set_viewport_size({"width": width, "height": height})
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())
    page.get_by_role("link", name="Create Task").click()
    button = page.get_by_role("button", name="Create Task")
    page.get_by_text("Run recurringly").click()
    page.get_by_text("Advanced Settings").click()

    box = page.locator("dialog")
    assert box.evaluate("box => box.scrollHeight > box.clientHeight * 1.5")
    for at in (0, 400, 100_000):
        box.evaluate("(box, at) => { box.scrollTop = at; }", at)
        expect(button).to_be_in_viewport(ratio=1)

    box.evaluate("box => { box.scrollTop = 0; }")
    page.get_by_label("Task Name").focus()
    # All of a field; of a tall one, as the JSON, its first line.
    bottom = """element => {
        const { top, bottom } = element.getBoundingClientRect();
        return Math.min(bottom, top + 30);
    }"""
    bar = box.locator(".form-actions")
    while not button.evaluate("button => button === document.activeElement"):
        page.keyboard.press("Tab")
        focused = page.locator("*:focus")
        if not bar.evaluate("bar => bar.contains(document.activeElement)"):
            top = bar.evaluate("bar => bar.getBoundingClientRect().top")
            assert focused.evaluate(bottom) <= top, focused.evaluate("each => each.outerHTML")


def test_lines_and_json_stay_in_step_and_a_mistake_is_said(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())
    page.get_by_role("link", name="Create Task").click()
    page.get_by_text("Advanced Settings").click()
    text, kind = page.get_by_label("Json arguments"), page.get_by_label("kind", exact=True)
    limit = page.get_by_label("limit", exact=True)
    expect(limit).to_have_attribute("placeholder", "3")

    kind.fill("houses")
    expect(text).to_have_value(re.compile('"kind": "houses"'))
    expect(kind).to_be_focused()

    text.fill('{"kind": "flats",\n "limit": True}')
    expect(page.locator("#arguments-problem")).to_contain_text("Line 2, column 11")
    expect(page.locator("#live")).to_contain_text("JSON writes true, in small letters")

    text.fill('{"kind": "flats", "limit": 7}')
    expect(page.locator("#arguments-problem")).to_be_hidden()
    expect(kind).to_have_value("flats")
    expect(limit).to_have_value("7")

    limit.fill("[1, 2]")
    page.get_by_role("button", name="Create Task").click()
    page.wait_for_url("**/runs/**")
    assert Task.objects.get().arguments == {"kind": "flats", "limit": [1, 2]}


@pytest.mark.parametrize("both", [False, True], ids=["one after the other", "both at once"])
@pytest.mark.parametrize("first", ["line", "json"])
def test_what_was_written_stays_when_one_goes_on_to_the_other_at_once(
    first: str, both: bool, visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    task = make_task(orchestration, arguments={"kind": "old", "limit": 1})
    visitor.log_in("owner")
    visitor.open(f"{task.get_absolute_url()}edit/")
    page.get_by_text("Advanced Settings").click()
    line, text = page.get_by_label("kind", exact=True), page.get_by_label("Json arguments")
    check = reverse("tasks:arguments-check", args=[orchestration.pk])
    # The answer that brings one in step with the other comes when both have been left.
    with page.expect_response(f"**{check}"):
        if first == "line":
            line.fill("new")
            text.focus()
            if both:
                text.fill('{"kind": "old", "limit": 2}')
        else:
            text.fill('{"kind": "%s", "limit": 2}' % ("old" if both else "new"))
            line.focus()
            if both:
                line.fill("new")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/tasks/[^/]+/$"))

    task.refresh_from_db()
    limit = 1 if first == "line" and not both else 2
    assert task.arguments == {"kind": "new", "limit": limit}


def test_the_form_is_good_after_one_has_logged_in_again(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())
    page.get_by_role("link", name="Create Task").click()
    expect(page.get_by_label("Task Name")).to_be_visible()
    visitor.context.clear_cookies()
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())
    page.get_by_role("link", name="Create Task").click()
    page.get_by_role("dialog").get_by_role("button", name="Create Task").click()
    page.wait_for_url("**/runs/**")


def test_a_time_that_is_written_last_is_in_the_cron_line(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(f"{orchestration.get_absolute_url()}tasks/new/")
    page.get_by_text("Run recurringly").click()
    page.locator("#id_times").fill("09:15")
    page.get_by_label("Write cron").check()
    expect(page.get_by_label("Cron lines")).to_have_value("15 9 * * *")
