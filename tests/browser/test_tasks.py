"""Recurring tasks, as a person makes, changes and stops them."""

from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from orchestrations.models import Orchestration
from tasks.models import Kind, Task
from tests.browser.conftest import Visitor
from tests.factories import NOON, make_orchestration, make_run, make_task
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture
def orchestration(team: Workspace) -> Orchestration:
    return make_orchestration(team, name="scores")


def create_page(orchestration: Orchestration) -> str:
    return reverse("tasks:create", args=[orchestration.pk])


def test_a_schedule_is_chosen_and_written_and_both_stay_in_step(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    preview, cron = page.locator("#schedule-preview"), page.get_by_label("Cron lines")
    visitor.log_in("owner")
    visitor.open(create_page(orchestration))
    expect(preview).to_be_hidden()

    page.get_by_label("Run recurringly").check()
    page.get_by_label("Monday").check()
    page.get_by_role("textbox", name="Times").fill("20:00")
    expect(preview).to_contain_text("On Mondays at 20:00")
    expect(preview.locator("tbody tr")).to_have_count(10)
    # Who sits in the schedule's zone is not told everything twice.
    own_time = preview.get_by_role("columnheader", name="Your time")
    expect(own_time).to_have_count(0)
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(preview).to_contain_text("Tokyo time")
    expect(own_time).to_be_visible()
    page.get_by_label("Time zone").fill("UTC")
    expect(own_time).to_have_count(0)

    page.get_by_label("Write cron").check()
    expect(cron).to_have_value("0 20 * * 1")
    cron.fill("0 20 1,15 1 *")
    expect(preview).to_contain_text("1st and 15th of January")
    expect(cron).to_be_focused()
    expect(cron).to_have_value("0 20 1,15 1 *")

    page.get_by_label("Choose times").check()
    expect(page.get_by_label("January")).to_be_checked()
    expect(page.get_by_label("15", exact=True)).to_be_checked()
    expect(page.get_by_label("Monday")).not_to_be_checked()

    page.get_by_label("Write cron").check()
    cron.fill("61 * * * *")
    expect(preview).to_contain_text("out of range")
    cron.fill("*/7 * * * *")
    expect(preview).to_contain_text("Every hour at minutes")
    page.get_by_label("Choose times").check()
    expect(page.locator("#schedule-picker")).to_contain_text("Choices cannot show")


def test_a_recurring_task_from_its_creation_to_its_stop(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    summary = page.locator("#task-summary")
    visitor.log_in("owner")
    visitor.open(create_page(orchestration))
    page.get_by_label("Task Name").fill("nightly")
    page.get_by_label("Run recurringly").check()
    page.get_by_role("textbox", name="Times").fill("02:30")
    page.get_by_role("button", name="Create Task").click()
    page.wait_for_url("**/tasks/*/")
    expect(summary).to_contain_text("Every day at 02:30")
    expect(summary).to_contain_text("Next run in")
    expect(page.locator("main")).to_contain_text("None of its times has come yet.")

    page.get_by_role("button", name="Pause").click()
    expect(summary).to_contain_text("By owner@example.com")
    page.get_by_role("button", name="Resume").click()
    expect(summary).to_contain_text("Active")

    page.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Times").fill("03:00")
    page.get_by_role("button", name="Save").click()
    expect(summary).to_contain_text("Every day at 03:00")

    page.get_by_role("link", name="Stop").click()
    dialog = page.get_by_role("dialog", name="Stop “nightly” for good?")
    expect(dialog).to_contain_text("cancels 7 runs in the coming week")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Stop")).to_be_focused()
    page.get_by_role("link", name="Stop").click()
    dialog.get_by_role("button", name="Stop for good").click()
    expect(summary).to_contain_text("Stopped", timeout=30_000)
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    # Nothing asks the server any more.
    expect(page.locator("#task-summary[hx-trigger], #task-activity[hx-trigger]")).to_have_count(0)


def test_the_same_with_scripts_off(plain_visitor: Visitor, orchestration: Orchestration) -> None:
    page = plain_visitor.page
    plain_visitor.log_in("owner")
    plain_visitor.open(create_page(orchestration))
    page.get_by_label("Run recurringly").check()
    page.get_by_label("Friday").check()
    page.get_by_role("button", name="Show the next runs").click()
    expect(page.locator("#schedule-preview")).to_contain_text("On Fridays at 08:00")
    expect(page.get_by_role("columnheader", name="Your time")).to_have_count(0)

    page.get_by_role("button", name="Create Task").click()
    expect(page.locator("#task-summary")).to_contain_text("On Fridays at 08:00")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#task-summary")).to_contain_text("Paused")
    page.get_by_role("link", name="Stop").click()
    page.get_by_role("button", name="Stop for good").click()
    expect(page.locator("#task-summary")).to_contain_text("Stopped", timeout=30_000)
    assert Task.objects.get().schedule == "0 8 * * 5"


def test_a_task_is_stopped_from_the_list_of_its_orchestration(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    task = make_task(orchestration, kind=Kind.SCHEDULED, name="weekly")
    visitor.log_in("owner")
    visitor.open(orchestration.get_absolute_url())

    visitor.page.get_by_role("link", name="Stop weekly").click()
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Stop for good").click()

    expect(visitor.page.locator("#task-summary")).to_contain_text("Stopped", timeout=30_000)
    assert urlsplit(visitor.page.url).path == task.get_absolute_url()


def fold_out(page: Page) -> None:
    """Show every part of the form."""
    page.get_by_label("Run recurringly").check()
    page.get_by_text("Advanced Settings").click()
    page.get_by_role("textbox", name="Times").fill("00:00, 01:01, 02:02, 03:03")
    expect(page.locator("#schedule-preview")).to_contain_text("03:03")


def test_neither_form_nor_task_scroll_sideways_on_a_small_phone(
    visitor: Visitor, orchestration: Orchestration
) -> None:
    page = visitor.page
    task = make_task(
        orchestration,
        kind=Kind.SCHEDULED,
        name="a-very-long-name-" * 10,
        schedule="1,2,3,5,8,13,21,34,55 1,3,5,7,9,11,13 * * *\n" * 3,
        time_zone="America/Argentina/ComodRivadavia",
    )
    first = make_run(task, status=Status.FAILURE, due_at=NOON)
    make_run(task, status=Status.SUCCESS, due_at=NOON, attempt=2, retry_of=first)
    page.set_viewport_size({"width": 320, "height": 700})
    visitor.log_in("owner")

    for path in (create_page(orchestration), task.get_absolute_url()):
        visitor.open(path)
        if path != task.get_absolute_url():
            fold_out(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_a_list_to_choose_from_stays_open_while_the_runs_change(
    visitor: Visitor, team: Workspace
) -> None:
    page = visitor.page
    task = make_task(make_orchestration(team, name="scores"), name="nightly")
    make_run(task, status=Status.RUNNING)
    visitor.log_in("owner")
    visitor.open(task.get_absolute_url())
    choice = page.locator("#run-status")
    there = choice.element_handle()
    choice.click()
    for _ in range(2):
        make_run(task, status=Status.RUNNING)
        with page.expect_response(lambda answer: answer.url.rstrip("/").endswith(str(task.pk))):
            pass
    assert there.evaluate("(choice) => choice.isConnected && choice.matches(':open')")
    page.keyboard.press("Escape")
    expect(page.locator("#task-activity tbody tr")).to_have_count(3)
