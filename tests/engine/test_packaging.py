"""Packaging, from an uploaded archive to an environment that its runs use."""

import io
import socket
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from orchestrations import services
from orchestrations.models import Orchestration, Packaging, Version
from orchestrations.packager import PACKAGES
from tasks import services as tasks
from tasks.models import TaskRun
from tests.engine.test_runs import log_text
from tests.factories import make_user, make_workspace, make_zip, start_task
from tests.processes import Processes, finished
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
    packaging = orchestration.newest.latest_packaging
    assert packaging is not None
    finished(packaging)
    orchestration.refresh_from_db()
    return packaging


def run_of(orchestration: Orchestration) -> TaskRun:
    return finished(start_task(orchestration).runs.get())


class PackageLinks:
    """A page of packages of our own, for the installer to find."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}/"

    def add_wheel(self, name: str, files: dict[str, str]) -> None:
        info = f"{name}-1.0.dist-info"
        content = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
        wheel = make_zip(content | {f"{info}/RECORD": record})
        (self.folder / f"{name}-1.0-py3-none-any.whl").write_bytes(wheel)

    def add_source(self, name: str, script: str) -> None:
        setup = f"{script}\nfrom setuptools import setup\n"
        setup += f"setup(name={name!r}, version='1.0', py_modules=[{name!r}])\n"
        with tarfile.open(self.folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
            for path, text in (
                ("setup.py", setup),
                ("PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
            ):
                entry = tarfile.TarInfo(f"{name}-1.0/{path}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture
def package_links(tmp_path: Path) -> Iterator[PackageLinks]:
    folder = tmp_path / "links"
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield PackageLinks(folder, server.server_port)
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing of each request."""


def log_of(packaging: Packaging) -> str:
    return "\n".join(line.text for line in logstore.read_tail(packaging.spool).lines)


def test_requirements_are_installed_in_front_of_the_base(engine: Processes) -> None:
    script = "import idna, six; print(idna.__version__, six.__version__)"
    orchestration = upload("idna==3.7\n", script)

    assert packaged(orchestration).status == Status.SUCCESS
    assert orchestration.newest.status == Version.Status.READY
    assert any(line.startswith("3.7 1.") for line in log_text(run_of(orchestration)))


def test_the_same_list_is_built_once_and_shared(engine: Processes) -> None:
    first = upload("idna==3.6\nsix\n")
    packaged(first)
    directory = first.newest.environment.directory
    built_at = directory.stat().st_ino, directory.stat().st_mtime_ns

    second = upload("six\nidna==3.6 # in another order\n")

    assert packaged(second).status == Status.SUCCESS
    assert second.newest.environment.directory == directory
    assert (directory.stat().st_ino, directory.stat().st_mtime_ns) == built_at
    assert "Installing" not in log_of(packaged(second))


def test_the_sdk_in_a_list_is_left_out_with_a_note(engine: Processes) -> None:
    orchestration = upload("wallaroo==2023.2.1\n")

    packaging = packaged(orchestration)

    assert orchestration.newest.status == Version.Status.READY
    assert "wallaroo==2023.2.1" in log_of(packaging)
    assert "already present" in log_of(packaging)
    assert orchestration.newest.requirements == []


def test_a_failure_names_the_requirement_and_ends_the_runs_that_waited(engine: Processes) -> None:
    orchestration = upload("six\nno-such-package-anywhere==1.0\n")
    task = start_task(orchestration)

    packaging = packaged(orchestration)

    assert packaging.status == Status.FAILURE
    assert packaging.reason.startswith("no-such-package-anywhere==1.0 cannot be installed")
    assert orchestration.newest.status == Version.Status.ERROR
    run = finished(task.runs.get())
    assert run.status == Status.FAILURE
    assert "no-such-package-anywhere==1.0" in run.reason
    with pytest.raises(tasks.NotRunnable, match="packaging failed"):
        start_task(orchestration)


def test_a_failed_packaging_leaves_nothing_half_built(engine: Processes) -> None:
    orchestration = upload("no-such-package-anywhere==2.0\n")
    packaging = packaged(orchestration)

    root = orchestration.newest.environment.root
    assert not orchestration.newest.environment.is_ready
    assert not list(root.glob(f"*{packaging.pk.hex[:12]}*"))


def test_a_package_without_a_wheel_is_built_inside_the_sandbox(
    processes: Processes, package_links: PackageLinks
) -> None:
    secret = settings.DATA_DIR / "secret_key"
    secret.write_text("secret")
    package_links.add_source(
        "probe_build",
        "import os\n"
        f"seen = os.path.exists({str(secret)!r}) or os.getuid() == 0\n"
        "open('probe_build.py', 'w').write(f'SEEN = {seen}')\n",
    )
    processes.variables["UV_FIND_LINKS"] = package_links.url
    processes.start("cluster")
    processes.start("agent")
    orchestration = upload("probe_build\n", "import probe_build; print('seen', probe_build.SEEN)")

    packaging = packaged(orchestration)

    assert packaging.status == Status.SUCCESS, log_of(packaging)
    assert "building them from source, in the sandbox" in log_of(packaging)
    assert "seen False" in log_text(run_of(orchestration))


def test_a_build_cannot_make_packaging_write_elsewhere(
    processes: Processes, package_links: PackageLinks, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    root = settings.DATA_DIR / "environments"
    package_links.add_source(
        "linker",
        "import glob, os\n"
        "open('linker.py', 'w').close()\n"
        f"for draft in glob.glob({str(root)!r} + '/.layer-*'):\n"
        "    place = draft + '/packages.txt'\n"
        f"    os.path.lexists(place) or os.symlink({str(target)!r}, place)\n",
    )
    processes.variables["UV_FIND_LINKS"] = package_links.url
    processes.start("cluster")
    processes.start("agent")

    packaging = packaged(upload("linker\n"))

    assert packaging.status == Status.FAILURE
    assert packaging.reason == "A package that was built from source left a link: packages.txt."
    assert not target.exists()


def test_nothing_of_an_installed_wheel_is_run_by_packaging(
    processes: Processes, package_links: PackageLinks, tmp_path: Path
) -> None:
    escaped = tmp_path / "escaped"
    # Such a file is run by every start of an interpreter that has it among its packages.
    package_links.add_wheel("evil", {"evil.pth": f"import os; open({str(escaped)!r}, 'w')\n"})
    processes.variables["UV_FIND_LINKS"] = package_links.url
    processes.start("cluster")
    processes.start("agent")

    packaging = packaged(upload("evil\n"))

    assert packaging.status == Status.SUCCESS, log_of(packaging)
    assert (
        "evil==1.0" in (packaging.orchestration.newest.environment.directory / PACKAGES).read_text()
    )
    assert not escaped.exists()


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
    packaging = orchestration.newest.latest_packaging
    assert packaging is not None
    services.stop_packaging(packaging=packaging, user=make_user("ann"))
    assert finished(packaging).status == Status.KILLED
    orchestration.refresh_from_db()
    assert orchestration.newest.status == Version.Status.ERROR

    again = services.request_packaging(version=orchestration.newest, user=None)
    same = services.request_packaging(version=orchestration.newest, user=None)
    processes.start("cluster")
    processes.start("agent")

    assert again == same
    assert finished(again).status == Status.SUCCESS
    orchestration.refresh_from_db()
    assert orchestration.newest.is_ready


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
    environment = orchestration.newest.environment
    environment.directory.rename(environment.root / "gone")

    assert "3.3" in log_text(run_of(orchestration))
    assert environment.is_ready
