"""The log of a run, as somebody reads it who wants to know what their script does."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect

from orchestrations.models import Orchestration
from tasks.models import TaskRun
from tests.browser.conftest import Visitor
from tests.factories import make_orchestration, make_run, make_task
from tests.processes import Processes, answers, parts, wait_until
from wallaroo_ui.executions import supervisor
from wallaroo_ui.executions.models import Status
from wallaroo_ui.executions.spool import Verdict
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser

TRACEBACK = """\
Traceback (most recent call last):
  File "/home/jovyan/main.py", line 3, in <module>
    raise ValueError("no such pipeline")
ValueError: no such pipeline
"""


class Written:
    """A run that goes on for as long as the test wants, and writes what the test says."""

    def __init__(self, orchestration: Orchestration) -> None:
        now = timezone.now()
        self.run: TaskRun = make_run(
            make_task(orchestration, name="nightly"),
            status=Status.RUNNING,
            queued_at=now,
            claimed_at=now,
            started_at=now,
            fence=1,
        )
        self.run.spool.create()
        self.log = supervisor.Log(str(self.run.spool.directory), limit=1 << 60)
        self.path = self.run.get_absolute_url()

    def write(self, *texts: str, stream: bytes = b"stdout") -> None:
        self.log.feed(stream, "".join(f"{text}\n" for text in texts).encode())

    def count(self, number: int) -> None:
        """Write so many lines that say their own number."""
        start = self.log.lines + 1
        for first in range(start, start + number, 1000):
            last = min(first + 1000, start + number)
            self.write(*[f"this is {n}" for n in range(first, last)])

    def end(self, status: Status) -> None:
        assert self.run.finish(
            Verdict(status=status, ended_at=timezone.now(), exit_code=0, reason="")
        )


@pytest.fixture
def written(team: Workspace) -> Written:
    return Written(make_orchestration(team, name="scores"))


def line(page: Page, number: int) -> str:
    return page.locator(f"#L{number} .log-text").inner_text()


def numbers(page: Page) -> list[int]:
    """Return the numbers of all lines that are in the page."""
    found: list[int] = page.evaluate(
        "[...document.querySelectorAll('#log-rows .log-row')].map((row) => Number(row.id.slice(1)))"
    )
    return found


def expect_shown(page: Page, number: int) -> None:
    """Wait until a line is in the visible part of the log."""
    script = """(number) => {
        const row = document.getElementById(`L${number}`)?.getBoundingClientRect();
        const box = document.getElementById("run-log").getBoundingClientRect();
        return row && row.top >= box.top - 1 && row.bottom <= box.bottom + 1;
    }"""
    page.wait_for_function(script, arg=number)


def is_at_end(page: Page) -> bool:
    script = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24"
    return bool(page.locator("#run-log").evaluate(script))


def scroll(page: Page, pixels: int) -> None:
    page.locator("#run-log").evaluate("(box, by) => { box.scrollTop += by; }", pixels)


def test_the_log_follows_its_end_until_the_reader_scrolls_up(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.count(300)
    visitor.log_in("owner")
    visitor.open(written.path)
    jump = page.locator("#log-jump")
    expect_shown(page, 300)

    written.count(50)
    expect_shown(page, 350)
    expect(jump).to_be_hidden()

    scroll(page, -1500)
    expect(jump).to_have_text("To the end")
    place = page.locator("#run-log").evaluate("(box) => box.scrollTop")
    written.count(1)
    expect(jump).to_have_text("1 new line")
    written.count(40)
    expect(jump).to_have_text("41 new lines")
    assert page.locator("#run-log").evaluate("(box) => box.scrollTop") == place

    jump.click()
    expect_shown(page, 391)
    expect(jump).to_be_hidden()
    written.count(5)
    expect_shown(page, 396)
    assert numbers(page) == list(range(101, 397))


def test_the_lines_are_counted_as_they_come(visitor: Visitor, written: Written) -> None:
    visitor.log_in("owner")
    visitor.open(written.path)
    total = visitor.page.locator("#log-total")
    expect(total).to_have_text("0 lines")
    written.count(1)
    expect(total).to_have_text("1 line")
    written.count(1)
    expect(total).to_have_text("2 lines")


def test_a_huge_log_is_a_window_that_moves(visitor: Visitor, written: Written) -> None:
    page = visitor.page
    written.count(50_000)
    visitor.log_in("owner")
    visitor.open(written.path)
    expect(page.locator("#log-total")).to_have_text("50,000 lines")

    page.get_by_role("link", name="Middle").click()
    expect_shown(page, 25000)
    for _ in range(6):  # Up and up: far lines leave the page.
        first = numbers(page)[0]
        scroll(page, -100_000)
        expect(page.locator(f"#L{first - 1}")).to_be_attached()
    shown = numbers(page)
    assert len(shown) <= 2000
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert shown[0] < 23_000

    for _ in range(2):  # And down again.
        last = numbers(page)[-1]
        scroll(page, 1_000_000)
        expect(page.locator(f"#L{last + 1}")).to_be_attached()
    shown = numbers(page)
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert len(shown) <= 2000

    page.keyboard.press("b")
    expect_shown(page, 1)
    assert line(page, 1) == "this is 1"
    page.keyboard.press("Shift+G")
    expect_shown(page, 50000)
    assert is_at_end(page)


def test_what_is_looked_at_stays_where_it_is_as_earlier_lines_come(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.count(5000)
    visitor.log_in("owner")
    visitor.open(f"{written.path}#L4000")
    expect_shown(page, 4000)
    first = numbers(page)[0]
    top_row = """(box, scrolled) => {
        if (scrolled !== null) box.scrollTop = scrolled;
        const top = box.getBoundingClientRect().top;
        const rows = [...document.querySelectorAll("#log-rows .log-row")];
        return Number(rows.find((row) => row.getBoundingClientRect().bottom > top).id.slice(1));
    }"""
    box = page.locator("#run-log")
    looked_at = box.evaluate(top_row, 300)  # So near to the edge, earlier lines are fetched.
    expect(page.locator(f"#L{first - 1}")).to_be_attached()
    assert abs(box.evaluate(top_row, None) - looked_at) <= 1


def test_a_link_leads_to_its_lines_and_a_click_makes_one(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.count(5000)
    visitor.log_in("owner")
    visitor.open(f"{written.path}#L120-L140")

    expect_shown(page, 120)
    expect(page.locator("[data-chosen]")).to_have_count(21)
    expect(page.locator("#log-chosen-words")).to_have_text(re.compile("^Lines 120.140$"))

    page.locator("#L125 .log-number").click()
    assert page.url.endswith("#L125")
    page.locator("#L128 .log-number").click(modifiers=["Shift"])
    assert page.url.endswith("#L125-L128")
    expect(page.locator("[data-chosen]")).to_have_count(4)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#notice")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "this is 125\nthis is 126\nthis is 127\nthis is 128\n"

    page.get_by_label("Line", exact=True).fill("4000")
    page.keyboard.press("Enter")
    expect_shown(page, 4000)
    assert page.url.endswith("#L4000")


def test_a_search_jumps_to_a_hit_far_away(visitor: Visitor, written: Written) -> None:
    page = visitor.page
    written.write("first Needle")
    written.count(20_000)
    written.write("second \x1b[31mneedle\x1b[0m and a needle")
    written.count(20_000)
    visitor.log_in("owner")
    visitor.open(written.path)
    count = page.locator("#log-count")

    page.keyboard.press("/")
    page.keyboard.type("needle")
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 of 2")
    expect(page.locator("#L20002[data-hit]")).to_be_attached()
    expect_shown(page, 20002)
    page.wait_for_function("CSS.highlights.get('log-search').size === 2")

    page.locator("#run-log").focus()
    page.keyboard.press("Shift+N")
    expect(count).to_have_text("1 of 2")
    expect(page.locator("#L1[data-hit]")).to_be_attached()
    expect_shown(page, 1)
    page.keyboard.press("n")
    expect(page.locator("#L20002[data-hit]")).to_be_attached()
    expect_shown(page, 20002)

    written.write("a third needle")  # It is looked for where the search has ended.
    expect(page.locator("#log-total")).to_have_text("40,003 lines")
    page.keyboard.press("n")
    expect(count).to_have_text("3 of 3")
    expect_shown(page, 40_003)

    page.locator("#log-query").fill("no such thing")
    page.keyboard.press("Enter")
    expect(count).to_have_text("No hits")
    # Letters that are keys elsewhere are letters here.
    expect(page.locator("#log-query")).to_have_value("no such thing")
    page.keyboard.press("Escape")
    expect(count).to_be_empty()


def test_of_several_jumps_the_last_arrives_however_late_the_answers(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.count(20_000)
    visitor.log_in("owner")
    visitor.open(written.path)
    on_their_way: list[Route] = []
    page.route("**/log/?line=1", lambda route: on_their_way.append(route))  # noqa: PLW0108
    with page.expect_request("**/log/?line=1"):
        page.locator("#log-beginning").click()
    page.locator("#log-middle").click()
    expect(page.locator("#L10000")).to_be_attached()
    with page.expect_response("**/log/?line=1"):
        on_their_way[0].continue_()
    expect_shown(page, 10_000)
    assert 1 not in numbers(page)


def test_lines_that_could_not_be_fetched_are_not_said_to_be_copied(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.count(5000)
    visitor.log_in("owner")
    visitor.open(f"{written.path}#L1-L2500")
    expect(page.locator("#log-chosen")).to_be_visible()
    page.route("**/log/?first=*", lambda route: route.fulfill(status=503))
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { copied = text; }; }")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("did not answer")
    assert page.evaluate("typeof copied") == "undefined"
    visitor.complaints.clear()  # That is what is wrong here.


def test_two_browsers_that_watch_one_run_see_the_same_end(
    visitor: Visitor, written: Written, browser: Browser, server: Processes
) -> None:
    other = Visitor(browser.new_context(), server.url)
    written.count(10)
    for each, name in ((visitor, "owner"), (other, "viewer")):
        each.log_in(name)
        each.open(written.path)
        expect(each.page.locator("#log-live")).to_be_visible()

    written.count(700)
    written.write("\x1b[1mthe end\x1b[0m", stream=b"stderr")
    written.end(Status.SUCCESS)

    for each in (visitor, other):
        page = each.page
        expect(page.locator("#L711 .log-text")).to_have_text("stderr the end")
        expect(page.locator("#run-summary")).to_contain_text("Success")
        expect(page.locator("#log-live")).to_have_count(0)
        expect(page).to_have_title("Success · nightly · Wallaroo UI")
        expect(page.locator("link[rel=icon]")).to_have_attribute(
            "href", re.compile(r"/run-success[.\w]*\.svg$")
        )
        assert line(page, 500) == "this is 500"
    assert numbers(visitor.page) == numbers(other.page)
    other.context.close()


def test_a_restart_of_the_server_loses_and_doubles_no_line(
    visitor: Visitor, written: Written, server: Processes
) -> None:
    page = visitor.page
    written.count(20)
    visitor.log_in("owner")
    visitor.open(written.path)
    expect(page.locator("#L20")).to_be_visible()
    expect(page.locator("#log-live")).to_be_visible()
    serve = server.running[0]

    serve.suspend()  # It starts another web process as soon as this one is gone.
    parts(serve)["web"].kill()
    try:
        written.count(20)
        expect(page.locator("#notice")).to_have_text("Connection lost, trying again…")
        written.count(20)
    finally:
        serve.resume()
    wait_until(lambda: answers(f"{server.url}/healthz"), "the web process to be back")

    expect(page.locator("#L60")).to_be_visible()
    written.count(20)
    expect(page.locator("#L80")).to_be_visible()
    expect(page.locator("#notice")).not_to_have_text("Connection lost, trying again…")
    assert numbers(page) == list(range(1, 81))
    assert [line(page, n) for n in range(1, 81)] == [f"this is {n}" for n in range(1, 81)]
    visitor.complaints.clear()  # The browser itself says that the server did not answer.


def test_a_browser_without_streams_polls(visitor: Visitor, written: Written) -> None:
    page = visitor.page
    page.add_init_script("delete window.EventSource")
    written.count(5)
    visitor.log_in("owner")
    visitor.open(written.path)
    expect(page.locator("#L5")).to_be_visible()
    written.count(5)
    expect(page.locator("#L10")).to_be_visible()
    written.count(5)
    written.end(Status.SUCCESS)
    expect(page.locator("#L15")).to_be_visible()
    expect(page.locator("#log-live")).to_have_count(0)
    assert numbers(page) == list(range(1, 16))


def test_switches_are_remembered_and_keys_work_outside_of_fields_only(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.write("x" * 5000)
    visitor.log_in("owner")
    visitor.open(written.path)
    wrap, times = page.get_by_label("Wrap"), page.get_by_label("Times")
    text = page.locator("#L1 .log-text")
    assert text.bounding_box()["height"] > 100  # type: ignore[index]

    page.locator("#run-log").focus()
    page.keyboard.press("w")
    page.keyboard.press("t")
    expect(wrap).not_to_be_checked()
    expect(times).not_to_be_checked()
    expect(page.locator("#L1 time")).to_be_hidden()
    assert text.bounding_box()["height"] < 40  # type: ignore[index]

    page.locator("#log-query").fill("")
    page.locator("#log-query").press_sequentially("wt")
    expect(page.locator("#log-query")).to_have_value("wt")
    page.reload()
    expect(wrap).not_to_be_checked()
    expect(times).not_to_be_checked()


def test_the_last_lines_in_a_list_are_shown_from_their_end(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.write(*(f"part {number} " + "of a long story " * 20 for number in range(30)))
    visitor.log_in("owner")
    visitor.open(f"{written.run.orchestration.get_absolute_url()}runs/")
    page.get_by_text("Last lines").click()
    lines = page.locator(".tail-text")
    expect(lines).to_contain_text("part 29 ")
    hidden = "(box) => [box.scrollTop, box.scrollHeight - box.scrollTop - box.clientHeight]"
    above, below = lines.evaluate(hidden)
    assert above > 100
    assert below < 1


def test_a_failed_run_leads_to_its_traceback(visitor: Visitor, written: Written) -> None:
    page = visitor.page
    written.count(3000)
    written.write(*TRACEBACK.splitlines(), stream=b"stderr")
    written.count(1000)
    written.end(Status.FAILURE)
    visitor.log_in("owner")
    visitor.open(written.path)
    expect(page.locator("#traceback")).to_contain_text("ValueError: no such pipeline")

    page.locator("#log-traceback").click()
    expect_shown(page, 3001)
    expect(page.locator("[data-chosen]")).to_have_count(4)
    visitor.open("/")
    visitor.open(written.path)
    page.locator("#traceback-in-log").click()
    expect_shown(page, 3004)
    expect(page.locator("[data-chosen]")).to_have_count(4)


def test_everything_can_be_read_with_scripts_off(plain_visitor: Visitor, written: Written) -> None:
    page = plain_visitor.page
    written.count(1000)
    written.write("the needle")
    written.count(999)
    written.end(Status.SUCCESS)
    plain_visitor.log_in("owner")
    plain_visitor.open(written.path)
    expect(page.locator("#L2000")).to_be_attached()
    expect(page.locator("#log-wrap")).to_be_hidden()
    expect(page.get_by_text("Times are UTC")).to_be_visible()
    page.set_viewport_size({"width": 320, "height": 640})  # Where there is no room for times.
    expect(page.locator(".log-time").first).to_be_hidden()
    expect(page.get_by_text("Times are UTC")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 720})

    page.get_by_label("Search the whole log").fill("NEEDLE")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#log-hits")).to_contain_text("1 line with “NEEDLE”")
    page.get_by_role("link", name="1,001").click()
    expect(page.locator("#L1001[data-chosen] mark")).to_have_text("needle")

    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator("#L781")).to_be_attached()
    page.get_by_role("link", name="Beginning").click()
    expect(page.locator("#L1")).to_be_visible()
    page.get_by_label("Line", exact=True).fill("500-502")
    page.get_by_role("button", name="Go").click()
    expect(page.locator("[data-chosen]")).to_have_count(3)
    page.locator("#L510 .log-number").click()
    expect(page.locator("#L510[data-chosen]")).to_be_visible()
    page.get_by_role("link", name="Raw").click()
    expect(page.locator("body")).to_contain_text("stdout F the needle")


def test_the_page_of_a_run_does_not_scroll_sideways_on_a_small_phone(
    visitor: Visitor, written: Written
) -> None:
    page = visitor.page
    written.write("x" * 3000, "y" * 50)
    written.write(*TRACEBACK.splitlines(), stream=b"stderr")
    written.end(Status.FAILURE)
    page.set_viewport_size({"width": 320, "height": 700})
    visitor.log_in("owner")
    visitor.open(f"{written.path}#L1-L2")
    expect(page.locator("#log-chosen")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_run_can_be_printed(visitor: Visitor, written: Written) -> None:
    page = visitor.page
    written.write("\x1b[32mgreen\x1b[0m")
    written.end(Status.SUCCESS)
    visitor.log_in("owner")
    visitor.open(written.path)
    page.emulate_media(media="print")
    expect(page.locator("header.site")).to_be_hidden()
    expect(page.locator("#run-summary")).to_contain_text("Success")
    text = page.locator("#L1 .log-text")
    expect(text).to_have_css("color", "rgb(0, 0, 0)")
    expect(page.locator("#log")).to_have_css("background-color", "rgb(255, 255, 255)")
