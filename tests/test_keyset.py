"""Pages found by where the last one ended."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from tasks.models import TaskRun
from tests.factories import NOON, make_orchestration, make_run, make_task
from wallaroo_ui.keyset import KeysetPage, keyset_page

pytestmark = pytest.mark.django_db
NEWEST = ("-queued_at", "-pk")


def runs(count: int, *, apart: timedelta = timedelta(hours=1)) -> list[TaskRun]:
    """Make runs and return them, the newest first as the list has them."""
    task = make_task()
    for number in range(count):
        make_run(task, queued_at=NOON + number * apart)
    return list(TaskRun.objects.order_by(*NEWEST))


def page(cursor: str = "", *, order: tuple[str, ...] = NEWEST, size: int = 3) -> KeysetPage[Any]:
    return keyset_page(TaskRun.objects.all(), order=order, cursor=cursor, size=size)


def walk(order: tuple[str, ...] = NEWEST) -> list[list[TaskRun]]:
    found = [page(order=order)]
    while found[-1].next:
        found.append(page(found[-1].next, order=order))
    return [each.rows for each in found]


def test_the_pages_hold_every_row_once_and_in_order() -> None:
    made = runs(7)
    assert walk() == [made[:3], made[3:6], made[6:]]


def test_rows_of_the_same_moment_are_told_apart() -> None:
    made = runs(7, apart=timedelta(0))
    assert walk() == [made[:3], made[3:6], made[6:]]


def test_orders_may_rise_fall_and_mix() -> None:
    runs(5, apart=timedelta(0))
    runs(4)
    for order in [("queued_at", "pk"), ("queued_at", "-pk"), ("task_id", "-queued_at", "pk")]:
        assert list(itertools.chain(*walk(order))) == list(TaskRun.objects.order_by(*order))


def test_one_walks_back_over_the_same_pages() -> None:
    made = runs(7)
    last = page(page(page().next).next)
    assert page(last.previous).rows == made[3:6]
    first = page(page(last.previous).previous)
    assert (first.rows, first.previous) == (made[:3], "")


def test_a_full_last_page_leads_nowhere() -> None:
    runs(6)
    assert page(page().next).next == ""


def test_new_rows_move_nothing_from_page_to_page() -> None:
    made = runs(6)
    first = page()
    make_run(make_task(), queued_at=NOON + timedelta(days=1))
    assert page(first.next).rows == made[3:]


def test_the_first_page_is_full_though_newer_rows_came_before_it() -> None:
    runs(6)
    second = page(page().next)
    newest = make_run(make_task(), queued_at=NOON + timedelta(days=1))
    assert page(page(second.previous).previous).rows[0] == newest


def test_a_page_whose_rows_are_gone_is_the_first_one() -> None:
    made = runs(4)
    cursor = page().next
    made[3].delete()
    assert page(cursor) == page()


@pytest.mark.parametrize("cursor", ["nonsense", "a:b:c", "\0", "🍩", "x" * 5000])
def test_what_is_no_cursor_means_the_first_page(cursor: str) -> None:
    made = runs(2)
    assert page(cursor).rows == made


def test_a_cursor_of_another_order_means_the_first_page() -> None:
    runs(4)
    assert page(page().next, order=("queued_at", "pk")) == page(order=("queued_at", "pk"))


def test_a_page_is_one_query(django_assert_num_queries: Any) -> None:
    runs(7)
    cursor = page().next
    with django_assert_num_queries(1):
        assert len(page(cursor).rows) == 3


def test_a_row_of_something_else_may_be_fetched_along() -> None:
    orchestration = make_orchestration()
    make_run(make_task(orchestration))
    found = keyset_page(
        TaskRun.objects.select_related("task"),
        order=NEWEST,
        cursor="",
        size=3,
        fetch=lambda rows: [run for run in rows if run.task.orchestration_id == orchestration.pk],
    )
    assert len(found.rows) == 1
