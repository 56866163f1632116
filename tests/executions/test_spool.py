"""The folder between server and supervisor, in every state that it can be found in."""

import fcntl
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.executions.conftest import Supervisors, python
from tests.processes import wait_until
from wallaroo_ui.executions import supervisor
from wallaroo_ui.executions.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "runs" / "spool")
    spool.create()
    return spool


def test_a_new_spool_is_closed_to_others_and_has_an_empty_home(spool: Spool) -> None:
    for directory in (spool.directory.parent, spool.directory, spool.home):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert list(spool.home.iterdir()) == []


def test_a_spool_is_not_made_twice(spool: Spool) -> None:
    with pytest.raises(FileExistsError):
        spool.create()


def test_a_new_spool_has_no_start_no_verdict_and_no_supervisor(spool: Spool) -> None:
    assert spool.started() is None
    assert spool.verdict() is None
    assert not spool.is_supervised()
    assert not spool.has_stop_order()


def test_a_spool_that_is_not_there_has_no_start_no_verdict_and_no_supervisor(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "gone")

    assert spool.started() is None
    assert spool.verdict() is None
    assert not spool.is_supervised()
    assert not spool.has_stop_order()
    spool.clear_home()


@pytest.mark.parametrize("content", ["", "{", "\0" * 100])
def test_a_file_that_is_not_written_to_its_end_is_not_there_yet(spool: Spool, content: str) -> None:
    (spool.directory / supervisor.STARTED).write_text(content)
    (spool.directory / supervisor.VERDICT).write_text(content)

    assert spool.started() is None
    assert spool.verdict() is None


def test_a_verdict_is_read_with_the_blanks_of_its_reserve(spool: Spool) -> None:
    content = {
        "status": "success", "reason": "", "exit_code": 0, "signal_name": "",
        "started_at": 0.5, "ended_at": 1.5, "peak_memory_bytes": 1, "cpu_seconds": 0.1,
        "log_lines": 2, "log_bytes": 3,
    }  # fmt: skip
    text = json.dumps(content).ljust(supervisor.RESERVE_BYTES)
    (spool.directory / supervisor.VERDICT).write_text(text)

    verdict = spool.verdict()

    assert verdict is not None
    assert verdict.started_at == datetime(1970, 1, 1, 0, 0, 0, 500_000, UTC)
    assert (verdict.log_lines, verdict.log_bytes) == (2, 3)


def test_asking_for_the_supervisor_does_not_disturb_others_who_ask(spool: Spool) -> None:
    import fcntl

    descriptor = os.open(spool.directory / supervisor.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # As `is_supervised` holds it for a moment.
    try:
        assert not spool.is_supervised()
    finally:
        os.close(descriptor)


def test_an_order_to_stop_appears_whole(spool: Spool) -> None:
    spool.order_stop(reason="Enough.", grace_seconds=2.5)

    assert spool.has_stop_order()
    order = json.loads((spool.directory / supervisor.STOP).read_text())
    ordered_clock = order.pop("ordered_clock")
    assert order == {"reason": "Enough.", "grace_seconds": 2.5}
    assert spool.stop_ordered_clock() == ordered_clock <= time.monotonic()
    assert [path.name for path in spool.directory.glob("stop*")] == [supervisor.STOP]


def test_an_order_to_stop_signals_no_process_that_has_the_pid_of_a_dead_supervisor(
    spool: Spool,
) -> None:
    bystander = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=-1)
    os.kill(bystander.pid, 19)
    wait_until(lambda: is_stopped(bystander.pid), "a process that stands still")
    started = {"started_at": 0, "supervisor_pid": bystander.pid, "child_pid": bystander.pid}
    (spool.directory / supervisor.STARTED).write_text(json.dumps(started))

    spool.order_stop(reason="", grace_seconds=0)

    assert is_stopped(bystander.pid)
    bystander.kill()
    bystander.communicate()


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_start_that_is_forbidden_does_not_happen(supervisors: Supervisors) -> None:
    spool = supervisors.spool()
    spool.forbid_start()

    late = supervisors.start(python("print('late')"), spool=spool)

    assert late.process.wait(60) == 75
    assert not spool.log.exists()
    assert spool.started() is None


def test_forbidding_a_start_makes_the_folder_that_its_launch_needs_to_make(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "runs" / "spool")

    spool.forbid_start()

    with pytest.raises(FileExistsError):
        spool.create()


def test_forbidding_a_start_that_happened_changes_nothing(supervisors: Supervisors) -> None:
    run = supervisors.run(python("print('on')"))
    started = run.spool.started()

    run.spool.forbid_start()

    assert run.spool.started() == started != None  # noqa: E711


def test_clearing_takes_the_home_and_leaves_the_log(spool: Spool) -> None:
    (spool.home / "folder").mkdir()
    (spool.home / "folder" / "file").write_text("text")
    spool.log.write_text("log")

    spool.clear_home()

    assert not spool.home.exists()
    assert spool.log.read_text() == "log"


def test_clearing_does_not_follow_links_out_of_the_home(spool: Spool, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (outside / "file").write_text("text")
    (spool.home / "link").symlink_to(outside)

    spool.clear_home()

    assert (outside / "file").exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_folders_nested_without_end_are_cleared(supervisors: Supervisors) -> None:
    script = "import os\nfor n in range(5000): os.mkdir('d'); os.chdir('d')"
    run = supervisors.run(python(script))

    run.spool.clear_home()

    assert not run.spool.home.exists()


def test_folders_that_are_closed_to_their_owner_are_cleared(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.create()
    (spool.home / "closed").mkdir()
    (spool.home / "closed" / "file").touch()
    (spool.home / "closed").chmod(0)
    child = os.fork()
    if child == 0:  # Nothing is closed to root.
        try:
            os.chdir(spool.directory)
            become_nobody()
            Spool(Path()).clear_home()
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert not spool.home.exists()


def become_nobody() -> None:
    """Give the spool that one stands in to nobody, and become nobody; for root only."""
    if os.geteuid() != 0:
        return
    for path in (".", "home", "home/closed"):
        os.chown(path, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def test_a_home_is_out_of_sight_at_once_and_removed_soon(spool: Spool) -> None:
    (spool.home / "folder").mkdir()
    (spool.home / "folder" / "file").touch()

    spool.clear_home()

    assert not spool.home.exists()
    wait_until(lambda: not spool.gone.exists(), "its removal")
    spool.clear_home()  # Again is no error.


def test_a_process_of_this_host_with_the_pid_of_another_hosts_supervisor_is_left_alone(
    spool: Spool,
) -> None:
    bystander = subprocess.Popen(python("input()"), stdin=subprocess.PIPE)
    started = {"started_at": 0, "supervisor_pid": bystander.pid, "child_pid": bystander.pid}
    (spool.directory / supervisor.STARTED).write_text(json.dumps(started))
    descriptor = os.open(spool.directory / supervisor.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # As the other host's supervisor holds it.

    assert spool.is_supervised()
    spool.kill()
    spool.order_stop(reason="", grace_seconds=0)

    bystander.communicate(b"\n")
    assert bystander.returncode == 0
    os.close(descriptor)
