"""What every page costs with 10,000 orchestrations, 100,000 tasks and 1,000,000 runs.

    python -m benchmarks.scale [SHARE]

On DATABASE_URL, else on SQLite; in a database of its own that is dropped in the end. SHARE
makes it smaller: 0.01 for a hundredth. Each page is asked for through the whole of Django,
without a network, as its busiest reader does: in a workspace with half of everything, an
orchestration with 2,000 tasks, a task with 1,000 runs. The floor is `/healthz`.
"""

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from copy import copy
from datetime import datetime, timedelta
from itertools import count, islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.trigger import percentile

if TYPE_CHECKING:
    from django.test import Client

    from orchestrations.models import Orchestration
    from tasks.models import Task, TaskRun
    from wallaroo_ui.workspaces.models import Workspace

ROUNDS = 20
ORCHESTRATIONS, TASKS_EACH, RUNS_EACH = 10_000, 10, 9
BUSY_TASKS, BUSY_RUNS, BUSY_ORCHESTRATION = 100, 1000, 2000
BATCH = 5000
STATUSES = ["success"] * 16 + ["failure", "timed_out", "killed"]  # A prime: all come round.
AIM_MS, MOST_QUERIES = 100, 8


def main(share: float) -> int:
    with tempfile.TemporaryDirectory(prefix="wallaroo-bench-") as data_dir:
        os.environ |= {
            "DATA_DIR": data_dir,
            "LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "wallaroo_ui.settings",
        }
        import django
        from django.conf import settings

        settings.DATABASES["default"]["TEST"] = {
            "NAME": str(Path(data_dir) / "scale.sqlite3")
            if "sqlite3" in settings.DATABASES["default"]["ENGINE"]
            else "wallaroo_bench_scale"
        }
        settings.STORAGES["staticfiles"] = {
            "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        }
        settings.ALLOWED_HOSTS = ["testserver"]
        django.setup()
        from django.db import connection

        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            begun = time.monotonic()
            world = fill(share)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            print(f"{connection.vendor}: filled in {time.monotonic() - begun:.0f} s")
            return measure(world)
        finally:
            connection.creation.destroy_test_db(settings.DATABASES["default"]["NAME"], verbosity=0)


def in_batches(model: Any, rows: Iterator[Any]) -> None:
    while batch := list(islice(rows, BATCH)):
        model.objects.bulk_create(batch)


def fill(share: float) -> dict[str, Any]:
    """Make everything; return what the pages are asked for."""
    from django.db import transaction
    from django.utils import timezone

    from orchestrations.models import Orchestration, Version
    from tasks.models import Task, TaskRun
    from tests.factories import add_member, make_node, make_orchestration, make_user
    from wallaroo_ui.workspaces.models import Role, Workspace

    now = timezone.now()
    node = make_node(agent_seen_at=now, cluster_seen_at=now)
    user = make_user("bench")
    admin = make_user("bench-admin", is_superuser=True, is_staff=True)
    workspaces = [Workspace.objects.create(name=f"workspace {number}") for number in range(21)]
    for workspace in workspaces:
        add_member(workspace, user, Role.OWNER)
    first = make_orchestration(workspaces[0], name="orchestration 0", created_by=user)
    number_of = int(ORCHESTRATIONS * share)
    made = list(orchestrations(first, workspaces, number_of - 1))
    with transaction.atomic():  # Each names its newest version, and each version its own.
        in_batches(Orchestration, iter(made))
        in_batches(Version, (orchestration.newest for orchestration in made))
    in_batches(Task, tasks(first, number_of, at=now))
    rows = list(Task.objects.order_by("created_at").values_list("pk", "orchestration_id"))
    # The busiest ones are scheduled tasks of the busiest orchestration.
    scheduled = Task.objects.filter(kind="scheduled", orchestration=first)
    busiest = list(scheduled.values_list("pk", "orchestration_id")[: int(BUSY_TASKS * share) or 1])
    in_batches(TaskRun, runs(rows, busiest, node_id=node.pk, at=now))

    task = Task.objects.get(pk=busiest[0][0])
    newest = task.runs.newest_first().values_list("pk", flat=True)[:1]
    TaskRun.objects.filter(pk__in=list(newest)).update(
        status="running", ended_at=None, queued_at=now, started_at=now
    )
    counts = [model.objects.count() for model in (Orchestration, Task, TaskRun)]
    print("{:,} orchestrations, {:,} tasks, {:,} runs".format(*counts))
    return {
        "user": user,
        "admin": admin,
        "workspace": workspaces[0],
        "orchestration": first,
        "task": task,
        "run": task.runs.filter(status="failure").newest_first().first(),
        "running": task.runs.get(status="running"),
    }


def orchestrations(
    first: "Orchestration", workspaces: "list[Workspace]", number_of: int
) -> "Iterator[Orchestration]":
    """Yield copies of one orchestration; every other one is in the first workspace."""
    from django.db.models.base import ModelState

    big, *others = workspaces
    for number in range(1, number_of + 1):
        made = copy(first)
        made.pk = uuid.uuid4()
        made.name = f"orchestration {number}"
        version = copy(first.newest)
        # A copy would share what Django has cached of the original.
        made._state, version._state = ModelState(), ModelState()  # noqa: SLF001
        version.pk = uuid.uuid4()
        made.newest, version.orchestration = version, made
        made.workspace = big if number % 2 else others[number % len(others)]
        yield made


def tasks(first: "Orchestration", number_of: int, *, at: datetime) -> "Iterator[Task]":
    """Yield tasks of all kinds: thousands of the first orchestration, some of each other one."""
    from orchestrations.models import Orchestration
    from tasks.models import Task

    keys = list(Orchestration.objects.exclude(pk=first.pk).values_list("pk", flat=True))
    owners = [first.pk] * min(BUSY_ORCHESTRATION, number_of) + keys * TASKS_EACH
    for number, key in enumerate(owners[: number_of * TASKS_EACH]):
        kind = ("once", "once", "scheduled", "once", "continuous")[number % 5]
        is_scheduled = kind == "scheduled"
        yield Task(
            orchestration_id=key,
            name=f"task {number}",
            kind=kind,
            schedule="0 3 * * *" if is_scheduled else "",
            next_run_at=at + timedelta(hours=1 + number % 24) if is_scheduled else None,
            created_by=first.created_by,
        )


def runs(
    rows: list[tuple[Any, Any]], busiest: list[tuple[Any, Any]], *, node_id: int, at: datetime
) -> "Iterator[TaskRun]":
    """Yield finished runs over the last weeks: a few of each task, many of the busiest ones."""
    from tasks.models import TaskRun

    numbers = count()
    for each, owners in ((RUNS_EACH, rows), (BUSY_RUNS, busiest)):
        for nth, (task, orchestration) in product(range(each), owners):
            number = next(numbers)
            begun = at - timedelta(minutes=40 * nth + 1, seconds=number % 2400)
            yield TaskRun(
                task_id=task,
                orchestration_id=orchestration,
                status=STATUSES[(number * 7 + nth) % len(STATUSES)],
                node_id=node_id,
                fence=1,
                queued_at=begun,
                claimed_at=begun,
                started_at=begun,
                ended_at=begun + timedelta(seconds=30 + number % 90),
                log_tail="done\n",
                log_lines=1,
                log_bytes=60,
            )


def pages(world: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield what is asked for: its name, its address, and whether htmx asks for a region."""
    from django.urls import reverse

    workloads = world["workspace"].get_absolute_url()
    yield "floor: /healthz", "/healthz", False
    yield "Workloads", workloads, False
    yield "Workloads, polled", workloads, True
    for sort in ("name", "-name", "status", "-last", "next", "created"):
        yield f"Workloads by {sort}", f"{workloads}?sort={sort}", True
    for status in ("active", "inactive", "error"):
        yield f"Only {status.capitalize()}", f"{workloads}?status={status}", True
    yield "Workloads, search", f"{workloads}?q=99&sort=name", True
    yield "Workloads, nothing found", f"{workloads}?q=nowhere", True
    orchestration, task = world["orchestration"], world["task"]
    yield "Orchestration", orchestration.get_absolute_url(), False
    for part in ("runs", "versions"):
        url = reverse(f"orchestrations:{part}", args=[orchestration.pk])
        yield f"Orchestration, {part}", url, True
    newest = [orchestration.pk, orchestration.newest.number]
    yield "Orchestration, packaging", reverse("orchestrations:packaging", args=newest), True
    yield "Upload", reverse("orchestrations:upload", args=[world["workspace"].pk]), False
    yield "Version", orchestration.newest.get_absolute_url(), False
    yield (
        "Version, main.py",
        reverse("orchestrations:archive-file", args=[*newest, "main.py"]),
        False,
    )
    yield "Create Task", reverse("tasks:create", args=[orchestration.pk]), False
    yield "Task", task.get_absolute_url(), False
    yield "Task, runs polled", task.get_absolute_url(), True
    yield "Task, only failed runs", f"{task.get_absolute_url()}?status=failed", True
    yield "Task, summary", reverse("tasks:summary", args=[task.pk]), True
    yield "Task, history", reverse("tasks:history", args=[task.pk]), True
    yield "Edit Task", reverse("tasks:edit", args=[task.pk]), False
    yield "Run with other arguments", reverse("tasks:run", args=[task.pk]), False
    yield "Stop Task", reverse("tasks:kill", args=[task.pk]), True
    for name in ("run", "running"):
        run = world[name]
        yield f"Run, {run.status}", run.get_absolute_url(), False
        yield f"Run, {run.status}, summary", reverse("tasks:run-summary", args=[run.pk]), True
    search = reverse("tasks:search")
    yield "Search by name", f"{search}?q=task 9999", True
    yield "Search by ID", f"{search}?q={str(world['run'].pk)[:8]}", True
    yield "Search, nothing found", f"{search}?q=nowhere", True
    yield "Workspaces", reverse("workspaces:list"), False
    yield "Workspace", world["workspace"].page_url, False
    yield "Activity", reverse("workspaces:activity", args=[world["workspace"].pk]), False
    yield "Connections", reverse("connections:of-workspace", args=[world["workspace"].pk]), False
    yield "Your account", reverse("accounts:account"), False


def admin_pages(world: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield what only platform admins ask for."""
    from django.urls import reverse

    yield "Nodes", reverse("nodes:list"), False
    yield "Overview", reverse("overview"), False
    yield "Overview, polled", reverse("overview"), True
    yield "Admin", reverse("admin:index"), False
    for app, model in (
        ("orchestrations", "orchestration"),
        ("tasks", "task"),
        ("tasks", "taskrun"),
    ):
        yield f"Admin, list of {model}s", reverse(f"admin:{app}_{model}_changelist"), False
    yield "Admin, run", reverse("admin:tasks_taskrun_change", args=[world["run"].pk]), False


def measure(world: dict[str, Any]) -> int:
    """Print what each page costs; return 1 if one needs more queries than it may."""
    from django.test import Client

    from wallaroo_ui.management.commands.web import collect_garbage_less

    collect_garbage_less()  # As the web process does.
    floor, worst = 0.0, 0
    print(f"{'':34} queries      p50       p95   p50/floor")
    for who, addresses in (("user", pages(world)), ("admin", admin_pages(world))):
        client = Client()
        client.force_login(world[who])
        for name, url, is_region in addresses:
            p50, p95, queries = cost(client, url, {"HX-Request": "true"} if is_region else {})
            floor = floor or p50
            worst = max(worst, queries)
            late = "  over the aim" if p95 * 1000 > AIM_MS else ""
            print(
                f"{name:34} {queries:7} {p50 * 1000:7.1f}ms {p95 * 1000:7.1f}ms "
                f"{p50 / floor:9.1f}x{late}",
                flush=True,
            )
    return int(worst > MOST_QUERIES)


def cost(client: "Client", url: str, headers: dict[str, str]) -> tuple[float, float, int]:
    """Return the median and the 95th percentile of seconds, and the number of queries."""
    from django.db import connection

    queries = 0

    def notice(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        nonlocal queries
        queries += not sql.startswith(("PRAGMA", "SET "))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(notice):
        response = client.get(url, headers=headers)
    assert response.status_code == 200, f"{response.status_code} {url}"
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        client.get(url, headers=headers)
        times.append(time.perf_counter() - begun)
    return percentile(times, 0.5), percentile(times, 0.95), queries


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
