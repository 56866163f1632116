"""People in the browser: an invitation, a theme, where somebody is logged in, a task's history."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitor
from tests.factories import make_orchestration, make_run, make_task
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser
ACCOUNT = "/account/"
PASSWORD = "battery staple 9"


def somebody_else(browser: Browser, url: str, *, scripts: bool = True) -> Visitor:
    """Return a visitor with a browser of their own; it closes with the browser."""
    return Visitor(browser.new_context(java_script_enabled=scripts), url)


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_owner_invites_somebody_who_makes_their_account(
    visitor: Visitor, browser: Browser, team: Workspace, scripts: bool
) -> None:
    page = visitor.page
    visitor.log_in("owner")
    visitor.open(team.page_url)
    page.get_by_label("E-mail address").fill("new@example.com")
    page.get_by_label("Role", exact=True).select_option("viewer")
    page.get_by_role("button", name="Add or invite").click()
    expect(page.locator("#invited")).to_contain_text("Pass this link on to new@example.com")
    link = page.locator("#invited code").inner_text()
    expect(page.locator("#member-add")).to_contain_text("Open invitations")
    expect(page.locator("#recent-events")).to_contain_text("invited new@example.com")

    guest = somebody_else(browser, visitor.url, scripts=scripts)
    guest.page.goto(link)
    guest.page.get_by_label("First name").fill("New")
    guest.page.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.page.get_by_label("Password again").fill(PASSWORD)
    guest.page.get_by_role("button", name="Make my account").click()
    expect(guest.page.get_by_role("heading", name="Workloads")).to_be_visible()
    expect(guest.page.locator("#messages")).to_contain_text("Welcome to team.")

    page.reload()
    expect(page.locator("main")).to_contain_text("new@example.com")
    expect(page.locator("#member-add")).not_to_contain_text("Open invitations")
    late = somebody_else(browser, visitor.url)
    late.page.goto(link)
    expect(late.page.get_by_role("heading")).to_contain_text("This invitation is over")


def test_a_theme_stays_with_scripts_off_and_in_another_browser(
    plain_visitor: Visitor, browser: Browser, team: Workspace
) -> None:
    page = plain_visitor.page
    plain_visitor.log_in("owner")
    plain_visitor.open(ACCOUNT)
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    other = somebody_else(browser, plain_visitor.url)
    other.log_in("owner")
    dark = background(other.page)
    other.open(ACCOUNT)
    other.page.get_by_label("Light").check()
    other.page.get_by_role("button", name="Save").click()
    expect(other.page.locator("html")).to_have_attribute("data-theme", "light")
    assert background(other.page) != dark


def test_times_are_said_in_the_zone_that_was_chosen_by_server_and_script_alike(
    visitor: Visitor, browser: Browser, team: Workspace
) -> None:
    run = make_run(
        make_task(make_orchestration(team), name="noon"),
        status=Status.SUCCESS,
        started_at=timezone.now().replace(month=7, day=1, hour=12, minute=30, second=0),
    )
    visitor.log_in("owner")
    visitor.open(ACCOUNT)
    visitor.page.get_by_label("Time zone").fill("Asia/Kathmandu")
    visitor.page.get_by_role("button", name="Save").click()
    plain = somebody_else(browser, visitor.url, scripts=False)
    plain.log_in("owner")

    for each in (visitor, plain):
        each.open(run.task.get_absolute_url())
        expect(each.page.locator("#task-activity tbody")).to_contain_text("18:15")


def test_another_session_is_ended_and_this_one_goes_on(
    visitor: Visitor, browser: Browser, team: Workspace
) -> None:
    visitor.log_in("owner")
    other = somebody_else(browser, visitor.url)
    other.log_in("owner")
    visitor.open(ACCOUNT)
    table = visitor.page.get_by_role("table", name="Browsers in which you are logged in")
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(table).to_contain_text("this one")

    table.get_by_role("button", name="Log out").click()

    expect(visitor.page.locator("#messages")).to_contain_text("is logged out.")
    expect(table.locator("tbody tr")).to_have_count(1)
    other.open(ACCOUNT)
    expect(other.page.get_by_role("button", name="Log in")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_bar_of_the_history_leads_to_its_run_and_the_list_is_narrowed(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    task = make_task(make_orchestration(team), name="nightly")
    now = timezone.now()
    for hours, status in ((3, Status.SUCCESS), (2, Status.FAILURE), (1, Status.SUCCESS)):
        begun = now - timedelta(hours=hours)
        failed = make_run(
            task,
            status=status,
            queued_at=begun,
            started_at=begun,
            ended_at=begun + timedelta(minutes=hours),
        )
        if status == Status.FAILURE:
            bad = failed
    visitor.log_in("owner")
    visitor.open(task.get_absolute_url())
    expect(page.locator("#task-history")).to_contain_text("66.7 %")
    expect(page.locator("#task-activity tbody tr")).to_have_count(3)

    page.get_by_label("Status of the runs").select_option("failed")
    expect(page.locator("#task-activity tbody tr")).to_have_count(1)
    assert page.url.endswith("?status=failed")

    page.locator(f'#task-history a[href="{bad.get_absolute_url()}"]').first.click()
    page.wait_for_url(f"**{bad.get_absolute_url()}")
