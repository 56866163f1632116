"""A real Chromium against a real server: web, cluster and agent on the test database."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from tests.factories import add_member, make_user, make_workspace, make_zip
from tests.processes import Processes, answers, wait_until
from wallaroo_ui.workspaces.models import Role, Workspace

# Quiet, and at home without a display or a network beyond this machine.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium() -> str | None:
    """Return the system's Chromium; Playwright's own download is not needed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave browser tests out, in so many words, where there is no browser."""
    if chromium() is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            raise pytest.UsageError("BROWSER_TESTS=required, but no Chromium was found.")
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="no Chromium found on this machine"))


@pytest.fixture
def browser() -> Iterator[Browser]:
    # For each test anew: Playwright keeps an event loop in this thread while it is open.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(processes: Processes) -> Processes:
    """The whole server, ready."""
    processes.start("serve")
    wait_until(lambda: answers(f"{processes.url}/readyz"), "the server to be ready")
    return processes


@pytest.fixture
def team(server: Processes) -> Workspace:
    """A workspace with its owner and a viewer; their passwords are the factory's."""
    workspace = make_workspace(make_user("owner"), name="team")
    add_member(workspace, make_user("viewer"), Role.VIEWER)
    return workspace


class Visitor:
    """Somebody in front of a browser, whose page must stay free of errors."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._see)

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({self.page.url})")

    def _see(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def log_in(self, name: str) -> None:
        self.page.goto(f"{self.url}/login/")
        self.page.locator("input[name=username]").fill(name)
        self.page.locator("input[name=password]").fill("correct horse")
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(lambda url: "/login/" not in url)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")


@pytest.fixture
def visitor(browser: Browser, server: Processes, team: Workspace) -> Iterator[Visitor]:
    """Somebody with scripts on."""
    context = browser.new_context(timezone_id="UTC")
    visitor = Visitor(context, server.url)
    yield visitor
    context.close()
    # A refused form is an answer, not an error of the page.
    assert [text for text in visitor.complaints if "status of 422" not in text] == []


@pytest.fixture
def plain_visitor(browser: Browser, server: Processes, team: Workspace) -> Iterator[Visitor]:
    """Somebody with scripts off."""
    context = browser.new_context(java_script_enabled=False)
    yield Visitor(context, server.url)
    context.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A ZIP whose script prints, waits to be allowed on, and prints again."""
    script = """
import json, time
arguments = json.load(open("/home/jovyan/arguments.json"))
print("first line for", arguments["name"])
time.sleep(arguments["seconds"])
print("last line")
"""
    path = tmp_path / "story.zip"
    path.write_bytes(make_zip({"main.py": script, "requirements.txt": "\n"}))
    return path
