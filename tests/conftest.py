"""People, places, a quiet queue and real processes for every test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.test import Client

from orchestrations.environments import Environment, base_environment
from orchestrations.packager import Order, build
from tests.factories import add_member, make_orchestration, make_user, make_workspace
from tests.processes import Processes, end_runs
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import sandbox
from wallaroo_ui.workspaces.models import Role, Workspace

# A busy machine makes no test fail; and what CI has found, it finds again.
hypothesis.settings.register_profile("steady", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("steady")

FIGURES = "figures"  # The property of a test's report that holds its figures.


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the figures that tests have measured. Here, because reports of all workers come here."""
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "teardown" or getattr(report, "failed", False)
        for name, text in getattr(report, "user_properties", ())
        if name == FIGURES
    ]
    if lines:
        terminalreporter.section("figures")
        for line in dict.fromkeys(lines):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep the test database in a file, where the processes under test find it too.

    PostgreSQL's are named apart by the suffix that this builds on.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database.setdefault("TEST", {})["NAME"] = str(Path(settings.DATA_DIR) / "test.sqlite3")


@pytest.fixture(autouse=True)
def _fast_and_apart(request: pytest.FixtureRequest, settings: Any) -> None:
    """Spare the slow password hash and the manifest of static files."""
    # A real server checks the passwords of the browser tests, with the real hash.
    if request.node.get_closest_marker("browser") is None:
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def queued_jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the jobs handed to django-q2, instead of queueing them."""
    names: list[str] = []
    for module in (
        "orchestrations.services",
        "tasks.launching",
        "tasks.stopping",
        "tasks.agent.agent",
        "tasks.agent.keeper",
    ):
        monkeypatch.setattr(f"{module}.async_task", lambda name, **_: names.append(name))
    return names


@pytest.fixture
def owner(db: None) -> User:
    return make_user("owner")


@pytest.fixture
def collaborator(db: None) -> User:
    return make_user("collaborator")


@pytest.fixture
def viewer(db: None) -> User:
    return make_user("viewer")


@pytest.fixture
def stranger(db: None) -> User:
    return make_user("stranger")


@pytest.fixture
def admin(db: None) -> User:
    return make_user("admin", is_superuser=True, is_staff=True)


@pytest.fixture
def workspace(owner: User, collaborator: User, viewer: User) -> Workspace:
    """A workspace with a member of each role."""
    workspace = make_workspace(owner, name="team")
    add_member(workspace, collaborator, Role.COLLABORATOR)
    add_member(workspace, viewer, Role.VIEWER)
    return workspace


@pytest.fixture
def orchestration(workspace: Workspace, owner: User) -> Any:
    return make_orchestration(workspace, created_by=owner)


@pytest.fixture
def owner_client(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture(scope="session")
def base() -> Environment:
    """The base environment, really built, once for all tests."""
    root = settings.DATA_DIR / "environments"
    build(
        Order(
            root=str(root),
            cache=str(settings.DATA_DIR / "cache"),
            uv=str(Path(sys.prefix) / "bin" / "uv"),
            python=str(sandbox.interpreter()),
            builder="tests",
            base_requirements=settings.BASE_REQUIREMENTS,
            requirements=[],
            notes=[],
            source_build_prefix=None,
        )
    )
    return base_environment(root, settings.BASE_REQUIREMENTS)


@pytest.fixture(scope="session")
def static_files() -> None:
    """Collect the static files, as `make run` does before it starts a server."""
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=settings.BASE_DIR,
        check=True,
    )


@pytest.fixture
def processes(transactional_db: None, base: Environment, static_files: None) -> Iterator[Processes]:
    """The server's processes, started by the test as it needs them."""
    processes = Processes()
    yield processes
    processes.end()
    end_runs()


@pytest.fixture
def engine(processes: Processes) -> Processes:
    """A cluster and an agent, at work."""
    processes.start("cluster")
    processes.start("agent")
    return processes
