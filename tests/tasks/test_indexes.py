"""SQLite takes an index with a condition only where a question has it word for word.

Its plans do not depend on what the tables hold, so empty ones in memory do, whatever the
database of the other tests.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models import QuerySet

from orchestrations.models import Orchestration
from tasks.models import TaskRun
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def sqlite() -> Iterator[DatabaseWrapper]:
    settings = deepcopy(connections["default"].settings_dict)
    database = DatabaseWrapper(settings | {"NAME": ":memory:", "OPTIONS": {}}, alias="plans")
    with database.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
    with database.schema_editor(atomic=False) as editor:
        for name in ("workspaces", "orchestrations", "tasks", "executions"):
            for model in apps.get_app_config(name).get_models():
                editor.create_model(model)
    yield database
    database.close()


def plan(database: DatabaseWrapper, rows: QuerySet[Any]) -> str:
    sql, parameters = rows.query.get_compiler(connection=database).as_sql()
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "\n".join(row[-1] for row in cursor.fetchall())


@pytest.mark.parametrize(
    "index",
    ["run_verdict_of_workload", "run_unfinished_of_workload", "task_next_tick_of_workload"],
)
def test_the_status_of_a_workload_is_read_from_indexes(sqlite: DatabaseWrapper, index: str) -> None:
    rows: Any = Orchestration.objects.filter(workspace_id=1)
    assert index in plan(sqlite, rows.with_workload_status())


def test_the_latest_failures_are_read_from_an_index(sqlite: DatabaseWrapper) -> None:
    ended = TaskRun.objects.filter(ended_at__isnull=False, status=Status.FAILURE)
    assert "run_latest_verdicts" in plan(sqlite, ended.order_by("-ended_at"))
