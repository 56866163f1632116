"""What an operator wants to know at a glance, over all workspaces: in five bounded queries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import CharField, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from orchestrations.models import Orchestration, Packaging, Version
from tasks.models import Task, TaskRun
from wallaroo_ui.accounts.models import BrowserSession, User
from wallaroo_ui.executions.models import FAILED, FINISHED, HELD, Node, Status
from wallaroo_ui.templatetags.display import duration

ACTIVE_WITHIN = timedelta(days=1)
# A clock looks every second: a tick that nobody has seen for so long is late.
TICK_LATE = timedelta(seconds=30)
# A run that goes on for so many times as long as its task's last success deserves a look.
LONG_PAST_USUAL = 3
LEAST_LONG = timedelta(minutes=5)
STARTS_WITHIN = timedelta(minutes=1)
ENDS_WITHIN = timedelta(minutes=1)
WAITS_WITHIN = timedelta(minutes=5)
ROWS_SHOWN = 8
# Among the latest failures; what failed before them is no news.
FAILURES_LOOKED_AT = 200
HELD_LOOKED_AT = 500

QUEUED, GOING_ON, FAILING = "queued", "going_on", "failing"


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run with what the overview says of it, of whichever of its lists."""

    list: str
    pk: UUID
    status: str
    task: UUID
    task_name: str
    kind: str
    workspace: str
    node: int | None
    queued_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    stop_requested_at: datetime | None
    reason: str
    success_started_at: datetime | None
    success_ended_at: datetime | None

    @property
    def status_label(self) -> str:
        """Return its status in words."""
        return Status(self.status).label

    @property
    def usual(self) -> timedelta | None:
        """Return how long the task's last success took; None where there is none."""
        if self.success_started_at is None or self.success_ended_at is None:
            return None
        return self.success_ended_at - self.success_started_at


@dataclass(frozen=True)
class Trouble:
    """A run or a packaging that does not get on, and why it is thought so."""

    words: str
    run: RunRow | None = None
    packaging: Packaging | None = None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """How the server is at a moment.

    Attributes:
        figures: counts, by name.
        failing: the last run of each task that does not work at present, the latest first.
        late: tasks with a tick that no scheduler has seen, the oldest first.
    """

    at: datetime
    figures: dict[str, int]
    nodes: list[tuple[Node, bool, int]]
    waiting: list[RunRow]
    failing: list[RunRow]
    late: list[Task]
    stuck: list[Trouble]

    @property
    def answering(self) -> int:
        """Return how many nodes report."""
        return sum(is_answering for _, is_answering, _ in self.nodes)

    @property
    def silent(self) -> int:
        """Return how many nodes do not."""
        return len(self.nodes) - self.answering


def overview(*, at: datetime) -> Overview:
    """Look at the whole server."""
    nodes = list(Node.objects.order_by("name"))
    answering = {node.pk for node in nodes if node.is_answering(at=at)}
    rows = _runs(at=at)
    held = [row for row in rows if row.list == GOING_ON]
    unfinished = Packaging.objects.unfinished().select_related(
        "version__orchestration__newest", "version__orchestration__workspace"
    )
    packagings = list(unfinished.order_by("queued_at", "pk")[:100])
    late = Task.objects.due(at=at - TICK_LATE).select_related("orchestration__workspace")
    return Overview(
        at=at,
        figures=_figures(at=at),
        nodes=[
            (node, node.pk in answering, sum(row.node == node.pk for row in held)) for node in nodes
        ],
        waiting=[row for row in rows if row.list == QUEUED],
        failing=[row for row in rows if row.list == FAILING],
        late=list(late[:ROWS_SHOWN]),
        stuck=[
            *stuck_runs(held, answering=answering, at=at),
            *stuck_packagings(packagings, answering=answering, at=at),
        ],
    )


def stuck_runs(rows: list[RunRow], *, answering: set[int], at: datetime) -> list[Trouble]:
    """Tell which of the runs that nodes hold do not get on.

    Args:
        rows: the runs.
        answering: ids of the nodes that report.
        at: the present.
    """
    found = ((row, _trouble_of(row, answering=answering, at=at)) for row in rows)
    return [Trouble(words, run=row) for row, words in found if words]


def _trouble_of(row: RunRow, *, answering: set[int], at: datetime) -> str:
    if row.node not in answering:
        return "Its node does not answer."
    if row.stop_requested_at and at - row.stop_requested_at > ENDS_WITHIN:
        return f"It was asked to stop {_since(row.stop_requested_at, at)} ago."
    if row.started_at is None:
        since = row.claimed_at or row.queued_at
        return f"Starting for {_since(since, at)}." if at - since > STARTS_WITHIN else ""
    going_on = at - row.started_at
    if row.usual is not None and going_on > max(LONG_PAST_USUAL * row.usual, LEAST_LONG):
        usual = duration(row.usual)
        return f"Running for {_since(row.started_at, at)}; its last success took {usual}."
    return ""


def stuck_packagings(
    packagings: list[Packaging], *, answering: set[int], at: datetime
) -> list[Trouble]:
    """Tell which of the packagings that are not over do not get on."""
    longest = timedelta(seconds=settings.PACKAGING_TIMEOUT_SECONDS)
    found = []
    for packaging in packagings:
        since = packaging.started_at or packaging.claimed_at or packaging.queued_at
        if packaging.status == Status.QUEUED:
            if at - since > WAITS_WITHIN:
                found.append(Trouble(f"Waits for {_since(since, at)}.", packaging=packaging))
        elif packaging.node_id not in answering:
            found.append(Trouble("Its node does not answer.", packaging=packaging))
        elif at - since > longest:
            found.append(Trouble(f"Goes on for {_since(since, at)}.", packaging=packaging))
    return found


def _since(then: datetime, at: datetime) -> str:
    return duration(round((at - then).total_seconds()))


def _figures(*, at: datetime) -> dict[str, int]:
    """Count, all in one query: each figure is a scalar on a row that is there, somebody's."""
    runs, workloads = TaskRun.objects.all(), Orchestration.objects.all()
    people = User.objects.filter(is_active=True)
    seen = BrowserSession.objects.filter(last_seen_at__gt=at - ACTIVE_WITHIN)
    counts = {
        "people": _count(people),
        "people_seen": _count(people.filter(pk__in=seen.values("user"))),
        "workloads": _count(workloads),
        "packaging": _count(Packaging.objects.unfinished()),
        "not_packaged": _count(workloads.filter(newest__status=Version.Status.ERROR)),
        "queued": _count(runs.filter(status=Status.QUEUED)),
        "going_on": _count(runs.filter(status__in=HELD)),
        "late": _count(Task.objects.due(at=at - TICK_LATE)),
        "past_deadline": _count(runs.filter(status=Status.QUEUED, start_by__lte=at)),
    }
    row = User.objects.order_by("pk").values(**counts).first()
    return dict(row or dict.fromkeys(counts, 0))


def _count(rows: QuerySet[Any]) -> Coalesce:
    one = rows.order_by().annotate(one=Value(1)).values("one")
    return Coalesce(Subquery(one.annotate(count=Count("pk")).values("count")), 0)


def _runs(*, at: datetime) -> list[RunRow]:
    """Return the rows of three lists in one query.

    Each goes by keys, found in the runs' own table by an index: a part of a union has no limit
    of its own, and a database that joins first may read everything.
    """
    held = TaskRun.objects.filter(status__in=HELD).order_by("queued_at").values("pk")
    waiting = TaskRun.objects.startable(at=at).values("pk")[:ROWS_SHOWN]
    # The newest of each status stand at the head of an index, those of all of them nowhere.
    ended = TaskRun.objects.filter(ended_at__isnull=False).order_by("-ended_at")
    newest_of_each = (
        Q(pk__in=ended.filter(status=status).values("pk")[:FAILURES_LOOKED_AT]) for status in FAILED
    )
    failed = ended.filter(reduce(or_, newest_of_each)).values("pk")
    # A run is told apart from those after it by when it was asked for: that is the index.
    later = TaskRun.objects.filter(
        task=OuterRef("task"), queued_at__gt=OuterRef("queued_at"), status__in=FINISHED
    )
    failing = (
        TaskRun.objects.filter(~Exists(later), pk__in=failed[:FAILURES_LOOKED_AT])
        .order_by("-ended_at")
        .values("pk")
    )
    parts = [
        _rows(TaskRun.objects.filter(pk__in=held[:HELD_LOOKED_AT]), GOING_ON),
        _rows(TaskRun.objects.filter(pk__in=waiting), QUEUED),
        _rows(TaskRun.objects.filter(pk__in=failing[:ROWS_SHOWN]), FAILING),
    ]
    rows = [RunRow(**row) for row in parts[0].union(*parts[1:], all=True)]
    by_list: dict[str, list[RunRow]] = {GOING_ON: [], QUEUED: [], FAILING: []}
    for row in sorted(rows, key=lambda row: row.queued_at):
        by_list[row.list].append(row)
    latest = sorted(by_list[FAILING], key=lambda row: row.ended_at or at, reverse=True)
    return [*by_list[GOING_ON], *by_list[QUEUED], *latest]


def _rows(runs: QuerySet[Any], name: str) -> QuerySet[Any, dict[str, Any]]:
    success = TaskRun.objects.filter(task=OuterRef("task"), status=Status.SUCCESS).newest_first()
    return runs.values(
        "pk",
        "status",
        "task",
        "node",
        "queued_at",
        "claimed_at",
        "started_at",
        "ended_at",
        "stop_requested_at",
        "reason",
        list=Value(name, output_field=CharField()),
        task_name=F("task__name"),
        kind=F("task__kind"),
        workspace=F("orchestration__workspace__name"),
        success_started_at=Subquery(success.values("started_at")[:1]),
        success_ended_at=Subquery(success.values("ended_at")[:1]),
    )
