"""The page that describes the API."""

import pytest
from playwright.sync_api import Browser

from tests.processes import Processes

pytestmark = pytest.mark.browser


def test_the_description_is_shown_without_help_from_elsewhere(
    processes: Processes, browser: Browser
) -> None:
    processes.start_web()
    page = browser.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda sent: hosts.add(sent.url.split("/")[2]))
    page.goto(f"{processes.url}/v1/api/docs")
    page.get_by_text("/v1/api/task/run_once", exact=True).click()
    page.get_by_text("Make a task that runs once, now.").wait_for()
    assert hosts == {processes.url.split("/")[2]}
    assert not complaints
