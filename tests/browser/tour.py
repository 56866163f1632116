"""A workspace in which something of everything has happened, and every page that shows it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from orchestrations.models import Orchestration
from tasks.models import Kind, SkippedTicks, Task, TaskRun
from tests.factories import (
    add_member,
    make_api_token,
    make_connection,
    make_login,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    make_version,
    make_workspace,
    start_task,
)
from wallaroo_ui.accounts import devices
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import logstore, supervisor
from wallaroo_ui.executions.models import Node, Status
from wallaroo_ui.workspaces.invitations import invite
from wallaroo_ui.workspaces.models import Role, Workspace

SCRIPT = '''\
"""Score yesterday's visits, and write them where the sales team looks."""

import time

import wallaroo

wl = wallaroo.Client()
arguments = wl.task_args() if wl.in_task() else {}
model = arguments["model"]
limit = arguments.get("limit", 500)

for batch in range(limit):
    print(f"scored batch {batch} with {model}", flush=True)
    time.sleep(1)
'''
VISITS = '''\
"""How often somebody came, and how long they stayed."""

import pandas as pd


def per_week(visits: pd.DataFrame) -> pd.DataFrame:
    return visits.groupby(["customer", pd.Grouper(key="at", freq="W")]).agg({"minutes": "sum"})
'''
FILES = {
    "main.py": SCRIPT.replace("500", "800"),
    "requirements.txt": "pandas==2.2.3\nscikit-learn==1.5.2\n",
    "README.md": "# Churn\n\nWho may leave next month, as of last night.\n",
    "features/__init__.py": "",
    "features/visits.py": VISITS,
}
WAITING = 'import time\nprint("connected", flush=True)\ntime.sleep(600)\n'
HTML = {"Content-Type": "text/html"}
NAMES = (
    "churn-scores", "fraud-retrain", "nightly-forecast", "feature-backfill", "drift-report",
    "embeddings-refresh", "invoice-ocr", "price-elasticity", "support-triage", "warehouse-sync",
)  # fmt: skip
TRACEBACK = """\
Traceback (most recent call last):
  File "/home/jovyan/main.py", line 9, in <module>
    model = arguments["model"]
KeyError: 'model'
"""


TOO_LARGE = "The request is too large: this server takes at most 513 MB."


@dataclass(frozen=True)
class Stop:
    """A page of the tour: what its pictures are called, and where it is.

    Attributes:
        act: what leads from the address to the page, where that is more than to open it.
        body: what the server would answer at the address, if it could be made to.
        is_outside: nobody is logged in there.
    """

    name: str
    path: str
    act: Callable[[Page], object] | None = None
    body: str = ""
    is_outside: bool = False

    def visit(self, page: Page, server: str) -> None:
        """Open the page, and wait until what it fetches after it has come is there."""
        if self.body:
            page.route(f"**{self.path}", lambda route: route.fulfill(body=self.body, headers=HTML))
        page.goto(f"{server}{self.path}")
        if self.act:
            self.act(page)
        at_rest(page)


def at_rest(page: Page) -> None:
    """Wait until nothing is on its way to a page any more."""
    page.wait_for_load_state("load")
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping')")


def prepare(team: Workspace) -> list[Stop]:
    """Let things happen in a workspace; return every page that shows them, for its owner."""
    chance, now = random.Random(5), timezone.now()
    owner = User.objects.get(username="owner")
    User.objects.filter(pk=owner.pk).update(is_superuser=True, is_staff=True)
    add_member(team, make_user("collaborator"), Role.COLLABORATOR)
    _, token = invite(workspace=team, email="new@example.com", role=Role.VIEWER, by=owner, at=now)
    empty = make_workspace(owner, name="empty")
    asked, _ = devices.ask(address="192.0.2.7", user_agent="WallarooSDK/2026.2", at=now)
    for name in NAMES:
        orchestration = make_orchestration(
            team, name=name, file_name=f"{name}.zip", created_by=owner, script=SCRIPT
        )
        for _ in range(chance.randint(1, 2)):
            _with_history(orchestration, chance, now, days=chance.randint(2, 12))
    star = Orchestration.objects.get(name="churn-scores")
    make_version(
        star,
        files=FILES,
        file_name="churn-scores.zip",
        requirements_path="requirements.txt",
        changes="1 file changed; 4 files added",
        sha=sha256(SCRIPT.encode()).hexdigest(),
    )
    nightly = _with_history(star, chance, now, days=28, name="nightly scores")
    SkippedTicks.objects.create(
        task=nightly, reason="overlap", count=1, noticed_at=now,
        first_due_at=now.replace(hour=0) - timedelta(days=3),
        last_due_at=now.replace(hour=0) - timedelta(days=3),
    )  # fmt: skip
    failed = _failed(nightly, now)
    succeeded = nightly.runs.filter(status=Status.SUCCESS).newest_first()[0]
    stream = make_orchestration(
        team, name="stream-scores", file_name="stream-scores.zip", created_by=owner, script=WAITING
    )
    running = start_task(stream, kind=Kind.CONTINUOUS, user=owner, name="keep scoring")
    connection = make_connection(team, name="warehouse", type="POSTGRESQL", created_by=owner)
    make_api_token(owner)
    make_login(owner)
    run = running.runs.get()

    def page(name: str, route: str, *arguments: object) -> Stop:
        return Stop(name, reverse(route, args=arguments))

    def stop_selected(page: Page) -> None:
        page.get_by_label("Select churn-scores").check()
        page.get_by_role("button", name="Stop…").click()
        page.get_by_role("button", name="Stop for good").wait_for()

    def make_token(page: Page) -> None:
        page.get_by_label("Name").fill("nightly export")
        page.get_by_role("button", name="Make the token").click()
        page.get_by_role("heading", name="For the SDK").wait_for()

    return [
        Stop("workloads", team.get_absolute_url()),
        Stop("workloads-failing", f"{team.get_absolute_url()}?status=error"),
        Stop("workloads-empty", empty.get_absolute_url()),
        Stop("tasks-stop", team.get_absolute_url(), act=stop_selected),
        page("upload", "orchestrations:upload", team.pk),
        page("orchestration", "orchestrations:detail", star.pk),
        page("orchestration-runs", "orchestrations:runs", star.pk),
        page("orchestration-files", "orchestrations:files", star.pk),
        page("orchestration-versions", "orchestrations:versions", star.pk),
        page("version", "orchestrations:version", star.pk, 2),
        page("version-changes", "orchestrations:version-changes", star.pk, 2),
        page("version-upload", "orchestrations:version-upload", star.pk),
        page("file", "orchestrations:archive-file", star.pk, 2, "main.py"),
        page("create-task", "tasks:create", star.pk),
        page("task", "tasks:detail", nightly.pk),
        page("task-edit", "tasks:edit", nightly.pk),
        page("task-run", "tasks:run", nightly.pk),
        page("task-stop", "tasks:kill", nightly.pk),
        page("run-failed", "tasks:run-detail", failed.pk),
        page("run-live", "tasks:run-detail", run.pk),
        page("run-success", "tasks:run-detail", succeeded.pk),
        Stop("search", f"{reverse('tasks:search')}?q=scores"),
        page("workspaces", "workspaces:list"),
        page("workspace", "workspaces:detail", team.pk),
        page("workspace-activity", "workspaces:activity", team.pk),
        page("workspace-create", "workspaces:create"),
        page("connections", "connections:of-workspace", team.pk),
        page("connection", "connections:detail", connection.pk),
        page("connection-edit", "connections:edit", connection.pk),
        page("connection-create", "connections:create"),
        page("connection-delete", "connections:delete", connection.pk),
        page("account", "accounts:account"),
        page("token-create", "accounts:token-create"),
        Stop("token-created", reverse("accounts:token-create"), act=make_token),
        page("device", "accounts:device"),
        Stop("device-question", f"{reverse('accounts:device')}?user_code={asked.shown_code}"),
        page("password-change", "accounts:password-change"),
        page("overview", "overview"),
        page("nodes", "nodes:list"),
        page("shortcuts", "shortcuts"),
        page("styleguide", "styleguide"),
        page("admin", "admin:index"),
        page("admin-runs", "admin:tasks_taskrun_changelist"),
        page("admin-run", "admin:tasks_taskrun_change", failed.pk),
        Stop("not-found", "/nowhere/"),
        Stop("bad-request", "/400", body=render_to_string("400.html")),
        Stop("too-large", "/413", body=render_to_string("413.html", {"words": TOO_LARGE})),
        Stop("form-out-of-date", "/403", body=render_to_string("403_csrf.html")),
        Stop("server-error", "/500", body=render_to_string("500.html")),
        Stop("login", reverse("accounts:login"), is_outside=True),
        Stop("invitation", reverse("workspaces:invitation", args=[token]), is_outside=True),
        Stop("invitation-over", reverse("workspaces:invitation", args=["x"]), is_outside=True),
    ]


def _with_history(
    orchestration: Orchestration,
    chance: random.Random,
    now: datetime,
    *,
    days: int,
    name: str = "",
) -> Task:
    kind = Kind.SCHEDULED if name else chance.choice([Kind.ONCE, Kind.SCHEDULED])
    task = make_task(
        orchestration,
        name=name or f"{orchestration.name} {kind}",
        kind=kind,
        arguments={"model": "churn-7", "limit": 500},
        next_run_at=now + timedelta(hours=chance.randint(2, 20)) if kind == "scheduled" else None,
        created_by=orchestration.created_by,
    )
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    for day in range(days, 0, -1):
        due = noon - timedelta(days=day)
        at = due if kind == Kind.SCHEDULED else due + timedelta(minutes=chance.randint(0, 300))
        status = chance.choices(["success", "failure", "timed_out", "killed"], [16, 3, 1, 1])[0]
        begun = at + timedelta(seconds=chance.uniform(0.3, 2))
        make_run(
            task, status=status, queued_at=at, claimed_at=at, started_at=begun,
            ended_at=begun + timedelta(seconds=chance.lognormvariate(4, 0.4)),
            trigger="schedule" if kind == Kind.SCHEDULED else "task",
            due_at=due if kind == Kind.SCHEDULED else None,
            requested_by=None if kind == Kind.SCHEDULED else task.created_by,
            log_bytes=900, log_lines=12, version=orchestration.newest,
        )  # fmt: skip
    return task


def _failed(task: Task, now: datetime) -> TaskRun:
    """Make a run that failed for want of an argument, with its log, which is written now."""
    at = now - timedelta(seconds=8)
    run = make_run(
        task, status=Status.FAILURE, queued_at=at, claimed_at=at + timedelta(seconds=1),
        started_at=at + timedelta(seconds=4), ended_at=at + timedelta(seconds=9), fence=1,
        exit_code=1, reason="It ended with exit status 1.", peak_memory_bytes=214_000_000,
        cpu_seconds=3.4, arguments_json='{"limit": 800}', node=Node.objects.first(),
        isolation="bubblewrap", version=task.orchestration.newest, trigger="person",
        requested_by=task.created_by,
    )  # fmt: skip
    run.spool.create()
    log = supervisor.Log(str(run.spool.directory), limit=1 << 30)
    log.feed(b"stdout", b"".join(b"read part %d of 40\n" % part for part in range(1, 41)))
    log.feed(b"stdout", b"\x1b[32mall parts are there\x1b[0m\n")
    log.feed(b"stderr", TRACEBACK.encode())
    run.keep_log_summary(logstore.measure(run.spool), tail=logstore.tail_text(run.spool))
    return run
