"""Every page: for those who do not see it, on a phone, in both themes, and how heavy it is.

With SCREENS set to a folder, the pictures of docs/screens are made there on the way.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, ViewportSize

from tasks.models import Task
from tests.browser.conftest import Visitor
from tests.browser.tour import Stop, at_rest, prepare
from tests.factories import make_orchestration, make_run, start_task
from tests.processes import Processes, finished, wait_until
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 320, "height": 640}
FIRST_PAGE_BYTES = 60_000


@pytest.fixture
def tour(team: Workspace) -> list[Stop]:
    """Every page, once the run that goes on has written something."""
    stops = prepare(team)
    live = Task.objects.get(name="keep scoring").runs.get()
    wait_until(lambda: bool(live.log_size.lines > 1), "the first line of a run")
    return stops


def walk(visitor: Visitor, tour: list[Stop]) -> Iterator[Stop]:
    """Visit every page: first those for nobody in particular, then those of the owner."""
    for stop in tour:
        if stop.is_outside:
            stop.visit(visitor.page, visitor.url)
            yield stop
    visitor.log_in("owner")
    for stop in tour:
        if not stop.is_outside:
            stop.visit(visitor.page, visitor.url)
            yield stop


def keep_picture(page: Page, name: str, kind: str) -> None:
    if folder := os.environ.get("SCREENS"):
        path = Path(folder) / f"{name}-{kind}.png"
        page.screenshot(path=path, full_page=True, animations="disabled")


def violations(page: Page, stop: Stop, theme: str) -> list[str]:
    results = Axe().run(page)
    return [
        f"{stop.name} ({theme}): {each['id']}: {each['help']}: {node['html'][:160]}"
        for each in results.response["violations"]
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_keeps_anybody_out(
    theme: Literal["light", "dark"], browser: Browser, server: Processes, tour: list[Stop]
) -> None:
    context = browser.new_context(color_scheme=theme, viewport=WIDE)
    visitor, found = Visitor(context, server.url), []
    for stop in walk(visitor, tour):
        said = visitor.complaints.copy()
        found += violations(visitor.page, stop, theme)
        visitor.complaints[:] = said  # The checker tries styles that our policy forbids.
        keep_picture(visitor.page, stop.name, theme)
    assert "\n".join(found) == ""
    assert [text for text in visitor.complaints if "status of 404" not in text] == []


def test_no_page_scrolls_sideways_on_a_phone(
    browser: Browser, server: Processes, tour: list[Stop]
) -> None:
    visitor = Visitor(browser.new_context(viewport=PHONE), server.url)
    page, too_wide = visitor.page, []
    for stop in walk(visitor, tour):
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(stop.name)
        keep_picture(page, stop.name, "phone")
    assert too_wide == []


def test_no_page_asks_another_server_and_the_first_one_is_light(
    visitor: Visitor, browser: Browser, tour: list[Stop]
) -> None:
    visitor.log_in("owner")
    # Somebody who has never been here: nothing comes from a cache.
    context = browser.new_context(storage_state=visitor.context.storage_state())
    page = context.new_page()
    hosts: set[str] = set()
    sizes: list[int] = []

    def weigh(request: Request) -> None:
        hosts.add(urlsplit(request.url).netloc)
        sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", weigh)
    page.goto(f"{visitor.url}{tour[0].path}")
    at_rest(page)
    assert 20_000 < sum(sizes) <= FIRST_PAGE_BYTES  # Less would mean that something was missed.
    for stop in tour:
        stop.visit(page, visitor.url)
    assert hosts == {urlsplit(visitor.url).netloc}


def test_nothing_moves_when_a_row_changes(visitor: Visitor, team: Workspace) -> None:
    page = visitor.page
    orchestration = make_orchestration(team, name="moving")
    for _ in range(5):
        make_orchestration(team)
    visitor.log_in("owner")
    visitor.open(team.get_absolute_url())
    page.evaluate(
        """window.shifts = [];
        new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value)))
            .observe({ type: "layout-shift", buffered: false });"""
    )
    row = page.locator("tr", has_text="moving")
    make_run(Task.objects.create(orchestration=orchestration, name="one"), status=Status.FAILURE)
    row.get_by_text("Error").wait_for()
    at_rest(page)
    assert page.evaluate("shifts") == []


def test_the_tab_tells_how_a_run_has_ended(visitor: Visitor, team: Workspace) -> None:
    task = start_task(
        make_orchestration(team, script="import time\nprint('on', flush=True)\ntime.sleep(2)\n")
    )
    run = task.runs.get()
    visitor.log_in("owner")
    visitor.open(run.get_absolute_url())
    finished(run)
    visitor.page.wait_for_function("() => document.title.startsWith('Success')")
    assert "success" in str(visitor.page.get_attribute("link[rel=icon]", "href"))
