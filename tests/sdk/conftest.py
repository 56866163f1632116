"""One live server for all tests of the SDK, and people who use it by the official SDK alone.

Nothing here reaches behind the server's back: it has a database and a data folder of its
own, is made ready and started as by `make run`, and its people come in by the SDK's own calls.
"""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from orchestrations.environments import Environment, base_environment, environment_for
from orchestrations.packager import Order, build
from tests.factories import make_zip
from tests.processes import Processes, answers, wait_until
from tests.sdk.remote import Interpreter
from wallaroo_ui.executions import sandbox

SDK = ["wallaroo==2026.1.3", "requests"]
NOTEBOOKS = ["ipykernel", "nbclient"]
PASSWORD = "correct horse"
RUN_SLOTS = 4

# What a variable of these says decides how, and as whom, the SDK logs in.
LOGIN_VARIABLES = (
    "WALLAROO_SDK_AUTH_TYPE",
    "WALLAROO_SDK_CREDENTIALS",
    "WALLAROO_TASK_ID",
    "WALLAROO_USER",
    "WALLAROO_PASSWORD",
)

# Does what its arguments say, without the seconds that an import of the SDK takes.
ECHO = """
import json, sys, time

with open("/home/jovyan/arguments.json") as file:
    arguments = json.load(file)
print("arguments:", json.dumps(arguments))
for line in arguments.get("lines", []):
    print(line)
print("a complaint", file=sys.stderr)
time.sleep(arguments.get("seconds", 0))
sys.exit(arguments.get("exit_status", 0))
"""

_numbers = itertools.count(1)


def new_name(kind: str) -> str:
    """Return a name that nothing on the server has yet."""
    return f"{kind}-{next(_numbers)}"


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> Environment:
    """The SDK's environment, the one that runs have, and a layer with Jupyter on it.

    It is kept between test runs, in pytest's cache; the packager's own lock lets several
    processes ask for it at once.
    """
    folder = pytestconfig.cache.mkdir("sdk")
    root = folder / "environments"
    for requirements in ([], NOTEBOOKS):
        build(
            Order(
                root=str(root),
                cache=str(folder / "cache"),
                uv=str(Path(sys.prefix) / "bin" / "uv"),
                python=str(sandbox.interpreter()),
                builder=f"tests-{os.getpid()}",
                base_requirements=SDK,
                requirements=requirements,
                notes=[],
                source_build_prefix=None,
            )
        )
    return environment_for(root, SDK, NOTEBOOKS)


class Server(Processes):
    """The whole server, on a database and a data folder of its own."""

    def __init__(self, data: Path, **variables: str) -> None:
        super().__init__(
            DATA_DIR=str(data),
            BASE_REQUIREMENTS=",".join(SDK),
            RUN_SLOTS=str(RUN_SLOTS),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            **variables,
        )
        self.data = data

    def manage(self, *command: str) -> str:
        """Carry out a command of manage.py; return what it printed."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=os.environ | self.variables,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """Give an empty database as variables: DATABASE_URL's, or SQLite in the data folder."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield {"DATABASE_URL": ""}
        return
    name = f"sdk_tests_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def server(environment: Environment) -> Iterator[Server]:
    """A server as `make run` starts it."""
    with tempfile.TemporaryDirectory(prefix="wallaroo-sdk-test-") as folder, database() as where:
        data = Path(folder)
        base = base_environment(environment.root, SDK)
        (data / "environments").mkdir()
        (data / "environments" / base.name).symlink_to(base.directory)
        server = Server(data, **where)
        try:
            server.manage("prepare")
            serve = server.start("serve", "--end-runs")
            wait_until(lambda: answers(f"{server.url}/readyz"), "the server to be ready")
            yield server
            serve.terminate()
            serve.wait(timeout=30)
        finally:
            server.end()


class Sdk:
    """Makes clients of the official SDK."""

    def __init__(self, interpreter: Interpreter, url: str, homes: Path) -> None:
        self.interpreter = interpreter
        self.url = url
        self.homes = homes

    def new_home(self) -> Path:
        """Return an empty folder: the SDK keeps one login for each home."""
        return Path(tempfile.mkdtemp(dir=self.homes))

    def variables(self, home: Path, **login: str) -> dict[str, str]:
        """Return the environment of somebody who logs in."""
        return {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            # No certificates: the SDK would read all of them for each call, which costs more
            # than the call itself.
            "SSL_CERT_FILE": "none",
            "SSL_CERT_DIR": str(self.homes),
            "WALLAROO_URL": self.url,
        } | login

    def client(self, home: Path | None = None, **login: str) -> Any:
        """Return a new `wallaroo.Client()` of somebody, by default in a home of its own."""
        for name in LOGIN_VARIABLES:
            self.interpreter.call("os.environ.pop", name, None)
        variables = self.variables(home or self.new_home(), **login)
        self.interpreter.call("os.environ.update", variables)
        return self.interpreter.call("wallaroo.Client")

    def log_in(self, name: str, home: Path | None = None) -> Any:
        """Return the client of somebody who logs in with the tests' password."""
        return self.client(
            home,
            WALLAROO_SDK_AUTH_TYPE="user_password",
            WALLAROO_USER=name,
            WALLAROO_PASSWORD=PASSWORD,
        )


@pytest.fixture(scope="session")
def sdk(
    server: Server, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sdk]:
    interpreter = Interpreter(environment.python)
    yield Sdk(interpreter, server.url, tmp_path_factory.mktemp("homes"))
    interpreter.close()


# -- People ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def admin(sdk: Sdk) -> Any:
    """The client of the first admin."""
    return sdk.log_in("admin")


@pytest.fixture(scope="session")
def ann(sdk: Sdk, admin: Any) -> Any:
    """The client of somebody who works here."""
    admin.invite_user("ann@example.com", PASSWORD)
    return sdk.log_in("ann@example.com")


@pytest.fixture(scope="session")
def ben(sdk: Sdk, admin: Any) -> Any:
    """The client of somebody else."""
    admin.invite_user("ben@example.com", PASSWORD)
    return sdk.log_in("ben@example.com")


@pytest.fixture
def newcomer(sdk: Sdk, admin: Any) -> Any:
    """The client of somebody who has just got an account."""
    email = f"{new_name('newcomer')}@example.com"
    admin.invite_user(email, PASSWORD)
    return sdk.log_in(email)


# -- What they work with ---------------------------------------------------------------


@pytest.fixture
def workspace(ann: Any) -> Any:
    """An empty workspace of Ann's, in which she works from now on."""
    return ann.set_current_workspace(ann.create_workspace(new_name("team")))


@pytest.fixture
def orchestration(ann: Any, workspace: Any) -> Iterator[Any]:
    """An orchestration in it that does what its arguments say; none of its runs goes on."""
    yield ready(upload(ann, ECHO))
    for task in ann.list_tasks(workspace_id=workspace.id()):
        task.kill()


def upload(client: Any, script: str, **options: Any) -> Any:
    """Upload a script to a client's current workspace."""
    options = {"name": new_name("orchestration"), "file_name": "archive.zip"} | options
    return client.upload_orchestration(bytes_buffer=make_zip({"main.py": script}), **options)


def ready(orchestration: Any) -> Any:
    """Wait until an orchestration is packaged, as the documentation's examples do."""
    wait_until(lambda: orchestration.status() in {"ready", "error"}, "the end of packaging")
    assert orchestration.status() == "ready"
    return orchestration


def running(task: Any) -> Any:
    """Wait until a run of a task goes on; return it."""
    return wait_until(lambda: list(task.last_runs(status="running")), "a run that goes on")[0]


def ended(task: Any, count: int = 1) -> Any:
    """Wait for the end of a task's first runs; return the newest."""
    what = f"the end of {count} runs of {task.name()}"
    runs = wait_until(lambda: runs_that_ended(task, count), what, seconds=120, pause=0.2)
    return runs[0]


def runs_that_ended(task: Any, count: int) -> list[Any]:
    runs = list(task.last_runs())
    over = [run for run in runs if run._status != "running"]
    return over if len(over) >= count else []


def text_of(run: Any) -> list[str]:
    """Return what a run's script printed, as the lines of its log without time and stream."""
    lines = (line.split(" ", 3)[3] for line in run.logs())
    return [line for line in lines if not line.startswith("WALLAROO:")]
