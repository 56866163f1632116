"""Packaging, from an uploaded archive to an environment that its runs use."""

import socket

import pytest
from django.core.files.base import ContentFile

from orchestrations import services
from orchestrations.models import Orchestration, Packaging
from tasks import services as tasks
from tests.engine.conftest import Processes, finished
from tests.engine.test_runs import log_text
from tests.factories import make_user, make_workspace, make_zip
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.engine


def upload(requirements: str, script: str = "print('hello')") -> Orchestration:
    return services.upload_orchestration(
        workspace=make_workspace(),
        file=ContentFile(make_zip({"main.py": script, "requirements.txt": requirements})),
        file_name="archive.zip",
        name="",
        user=make_user(),
    )


def packaged(orchestration: Orchestration) -> Packaging:
    packaging = orchestration.latest_packaging
    assert packaging is not None
    finished(packaging)
    orchestration.refresh_from_db()
    return packaging


def log_of(packaging: Packaging) -> str:
    return "\n".join(line.text for line in logstore.read_tail(packaging.spool).lines)


def test_requirements_are_installed_in_front_of_the_base(engine: Processes) -> None:
    script = "import idna, six; print(idna.__version__, six.__version__)"
    orchestration = upload("idna==3.7\n", script)

    assert packaged(orchestration).status == Status.SUCCESS
    assert orchestration.status == Orchestration.Status.READY
    task = tasks.create_task(
        orchestration=orchestration,
        name="versions",
        arguments_json="{}",
        timeout_seconds=60,
        user=make_user(),
    )
    assert any(line.startswith("3.7 1.") for line in log_text(finished(task.runs.get())))


def test_the_same_list_is_built_once_and_shared(engine: Processes) -> None:
    first = upload("idna==3.6\nsix\n")
    packaged(first)
    directory = first.environment.directory
    built_at = directory.stat().st_ino, directory.stat().st_mtime_ns

    second = upload("six\nidna==3.6 # in another order\n")

    assert packaged(second).status == Status.SUCCESS
    assert second.environment.directory == directory
    assert (directory.stat().st_ino, directory.stat().st_mtime_ns) == built_at
    assert "Installing" not in log_of(packaged(second))


def test_the_sdk_in_a_list_is_left_out_with_a_note(engine: Processes) -> None:
    orchestration = upload("wallaroo==2023.2.1\n")

    packaging = packaged(orchestration)

    assert orchestration.status == Orchestration.Status.READY
    assert "wallaroo==2023.2.1" in log_of(packaging)
    assert "already present" in log_of(packaging)
    assert orchestration.requirements == []


def test_a_failure_names_the_requirement_and_ends_the_runs_that_waited(engine: Processes) -> None:
    orchestration = upload("six\nno-such-package-anywhere==1.0\n")
    task = tasks.create_task(
        orchestration=orchestration,
        name="waits",
        arguments_json="{}",
        timeout_seconds=60,
        user=make_user(),
    )

    packaging = packaged(orchestration)

    assert packaging.status == Status.FAILURE
    assert packaging.reason.startswith("no-such-package-anywhere==1.0 cannot be installed")
    assert orchestration.status == Orchestration.Status.ERROR
    run = finished(task.runs.get())
    assert run.status == Status.FAILURE
    assert "no-such-package-anywhere==1.0" in run.reason
    with pytest.raises(tasks.NotRunnable, match="packaging failed"):
        tasks.create_task(
            orchestration=orchestration,
            name="too late",
            arguments_json="{}",
            timeout_seconds=60,
            user=make_user(),
        )


def test_a_failed_packaging_leaves_nothing_half_built(engine: Processes) -> None:
    orchestration = upload("no-such-package-anywhere==2.0\n")
    packaging = packaged(orchestration)

    root = orchestration.environment.root
    assert not orchestration.environment.is_ready
    assert not list(root.glob(f"*{packaging.pk.hex[:12]}*"))


def test_a_package_without_a_wheel_is_built_inside_the_sandbox(engine: Processes) -> None:
    orchestration = upload("docopt==0.6.2\n", "import docopt; print(docopt.__version__)")

    packaging = packaged(orchestration)

    assert packaging.status == Status.SUCCESS
    assert "building them from source, in the sandbox" in log_of(packaging)


def test_builds_from_source_can_be_switched_off(processes: Processes) -> None:
    processes.variables["SOURCE_BUILDS"] = "never"
    processes.start("cluster")
    processes.start("agent")
    orchestration = upload("docopt==0.6.1\n")

    packaging = packaged(orchestration)

    assert packaging.status == Status.FAILURE
    assert packaging.reason.startswith("docopt==0.6.1 cannot be installed")
    assert "building from source is switched off" in packaging.reason


def test_a_packaging_can_be_stopped_and_asked_for_again(processes: Processes) -> None:
    orchestration = upload("idna==3.5\n")
    packaging = orchestration.latest_packaging
    assert packaging is not None
    services.stop_packaging(packaging=packaging, user=make_user("ann"))
    assert finished(packaging).status == Status.KILLED
    orchestration.refresh_from_db()
    assert orchestration.status == Orchestration.Status.ERROR

    again = services.request_packaging(orchestration=orchestration, user=None)
    same = services.request_packaging(orchestration=orchestration, user=None)
    processes.start("cluster")
    processes.start("agent")

    assert again == same
    assert finished(again).status == Status.SUCCESS
    orchestration.refresh_from_db()
    assert orchestration.is_ready


def test_a_packaging_that_takes_too_long_is_ended(processes: Processes) -> None:
    processes.variables |= {
        "PACKAGING_TIMEOUT_SECONDS": "1",
        # An index that accepts a connection and says nothing.
        "UV_DEFAULT_INDEX": f"http://127.0.0.1:{silent_port(processes)}/simple",
        "UV_HTTP_TIMEOUT": "60",
    }
    processes.start("cluster")
    processes.start("agent")

    packaging = packaged(upload("idna==3.4\n"))

    assert packaging.status == Status.TIMED_OUT
    assert "timeout" in packaging.reason


def silent_port(processes: Processes) -> int:
    server = socket.create_server(("127.0.0.1", 0))
    processes.held.append(server)
    port: int = server.getsockname()[1]
    return port


def test_an_environment_that_was_removed_is_made_again_before_the_run(engine: Processes) -> None:
    orchestration = upload("idna==3.3\n", "import idna; print(idna.__version__)")
    packaged(orchestration)
    environment = orchestration.environment
    environment.directory.rename(environment.root / "gone")

    task = tasks.create_task(
        orchestration=orchestration,
        name="again",
        arguments_json="{}",
        timeout_seconds=60,
        user=make_user(),
    )

    assert "3.3" in log_text(finished(task.runs.get()))
    assert environment.is_ready
