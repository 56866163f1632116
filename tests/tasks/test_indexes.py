"""Long lists stay quick only while the databases use the indexes that are made for them."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from orchestrations.models import Orchestration
from tasks.models import TaskRun
from tests.factories import make_orchestration
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db


def plan(rows: QuerySet[Any]) -> str:
    """Return how the database would go about it, were its tables as long as they can become."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    return rows.explain()


@pytest.mark.parametrize(
    "index",
    ["run_verdict_of_workload", "run_unfinished_of_workload", "task_next_tick_of_workload"],
)
def test_the_status_of_a_workload_is_read_from_indexes(index: str) -> None:
    rows = Orchestration.objects.filter(workspace=make_orchestration().workspace)
    assert index in plan(rows.with_workload_status())


def test_the_latest_failures_are_read_from_an_index() -> None:
    ended = TaskRun.objects.filter(ended_at__isnull=False, status=Status.FAILURE)
    assert "run_latest_verdicts" in plan(ended.order_by("-ended_at"))
