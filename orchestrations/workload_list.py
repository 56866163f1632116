"""The Workloads list: which rows, in which order, and how its columns say so."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce, Lower

from orchestrations.models import Orchestration, OrchestrationQuerySet, case_of_workload_status
from tasks.models import TaskRun
from tasks.newest_runs import with_newest_runs
from wallaroo_ui.keyset import KeysetPage, keyset_page
from wallaroo_ui.workspaces.models import Workspace

ROWS_A_PAGE = 25
RUNS_A_ROW = 10

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_AHEAD = datetime(9999, 12, 31, tzinfo=UTC)

# What needs somebody comes first.
_RANK = case_of_workload_status(error=0, active=1, inactive=2)


@dataclass(frozen=True)
class Column:
    """A column by which the list can be sorted.

    Attributes:
        name: stands in the address, `-` before it for the other way round.
        first: how a first click on it sorts.
        key: by what, never null.
    """

    name: str
    label: str
    first: str
    key: object


COLUMNS: Final = (
    Column("name", "Workload", "name", Lower("shown_name")),
    Column("status", "Status", "status", _RANK),
    Column("last", "Last runs", "-last", Coalesce("last_run_at", Value(_LONG_AGO))),
    Column("next", "Next run", "next", Coalesce("next_run_at", Value(_FAR_AHEAD))),
    Column("created", "Created at", "-created", F("created_at")),
)
NEWEST = "-created"


@dataclass(frozen=True)
class Heading:
    """A column's heading on the page.

    Attributes:
        sort: what its link asks for.
        direction: `ascending` or `descending` where the list is sorted by it, else empty.
    """

    label: str
    sort: str
    direction: str


def headings(sort: str) -> list[Heading]:
    """Return what stands above the columns of a list that is sorted so."""
    return [
        Heading(column.label, _turned(sort), _direction(sort))
        if sort.removeprefix("-") == column.name
        else Heading(column.label, column.first, "")
        for column in COLUMNS
    ]


def _turned(sort: str) -> str:
    return sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"


def _direction(sort: str) -> str:
    return "descending" if sort.startswith("-") else "ascending"


def sort_named(text: str) -> str:
    """Return an order that the list knows: the one that an address names, or newest first."""
    known = {name for column in COLUMNS for name in (column.name, f"-{column.name}")}
    return text if text in known else NEWEST


def workload_page(
    workspace: Workspace, *, query: str, status: str, sort: str, cursor: str
) -> KeysetPage[Orchestration]:
    """Return one page of a workspace's workloads, each with its status and its newest runs.

    Args:
        workspace: whose.
        query: a part of the name, in any case; empty for all.
        status: a `WorkloadStatus`, or empty for all.
        sort: from `sort_named`.
        cursor: of another page.
    """
    column = next(each for each in COLUMNS if each.name == sort.removeprefix("-"))
    sort_key = f"by_{column.name}"  # Of its own: a cursor belongs to one order.
    sign = "-" if sort.startswith("-") else ""
    everything = Orchestration.objects.select_related("newest").with_shown_name()
    everything = everything.with_workload_status().annotate(**{sort_key: column.key})
    rows: OrchestrationQuerySet = everything.filter(workspace=workspace).search(query)
    if status:
        rows = rows.having_workload_status(status)
    return keyset_page(
        rows,
        order=(f"{sign}{sort_key}", "-pk"),
        cursor=cursor,
        size=ROWS_A_PAGE,
        fetch=partial(_fetch, everything),
    )


def _fetch(everything: OrchestrationQuerySet, rows: QuerySet[Orchestration]) -> list[Orchestration]:
    """Fetch the keys first: a database that sorts would work out every column of every row."""
    keys = list(rows.values_list("pk", flat=True))
    runs = TaskRun.objects.only("status", "queued_at", "started_at", "ended_at", "orchestration")
    found = with_newest_runs(
        everything.filter(pk__in=keys), link="orchestration", runs=runs, limit=RUNS_A_ROW
    )
    return sorted(found, key=lambda row: keys.index(row.pk))
