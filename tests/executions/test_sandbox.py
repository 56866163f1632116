"""The sandbox, really built on this machine: what code in it can see, do and reach."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.executions.conftest import ENVIRONMENT, Supervised, Supervisors, python
from wallaroo_ui.executions import sandbox
from wallaroo_ui.executions.sandbox import HOME, Sandbox, SandboxUnavailable

NOBODY = 65534


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A folder like a server's, with a database, a secret and another run."""
    settings.DATA_DIR = tmp_path
    sandbox._people_files.cache_clear()
    other = tmp_path / "runs" / "other" / "home"
    other.mkdir(parents=True)
    (other / "arguments.json").write_text("{}")
    for name in ("db.sqlite3", "secret_key"):
        (tmp_path / name).write_text("secret")
    environment = tmp_path / "environments" / "one"
    environment.mkdir(parents=True)
    (environment / "module.py").write_text("")
    yield tmp_path
    sandbox._people_files.cache_clear()


@pytest.fixture
def inside(supervisors: Supervisors, data_dir: Path) -> "Inside":
    return Inside(supervisors, data_dir)


class Inside:
    """Runs scripts as a task run would: supervised, in the sandbox, with an environment."""

    def __init__(self, supervisors: Supervisors, data_dir: Path) -> None:
        self.supervisors = supervisors
        self.environment = data_dir / "environments" / "one"

    def run(self, script: str, *arguments: str, **options: Any) -> Supervised:
        return self.supervisors.run(
            python(script, *arguments), sandboxed=True, read_only=[self.environment], **options
        )

    def ask(self, script: str, *arguments: str, **options: Any) -> Any:
        """Return what a script prints as JSON."""
        run = self.run(script, *arguments, **options)
        verdict = run.spool.verdict()
        assert verdict is not None
        assert verdict.status == "success", run.texts()
        return json.loads(run.texts()[0])


# -- What it can see -------------------------------------------------------------------


def test_of_the_servers_data_it_sees_its_environment_alone(inside: Inside, data_dir: Path) -> None:
    script = """
import json, os, sys
found = []
for folder, folders, files in os.walk(sys.argv[1]):
    found += [os.path.relpath(os.path.join(folder, name), sys.argv[1]) for name in folders + files]
print(json.dumps(sorted(found)))
"""
    seen = inside.ask(script, str(data_dir))

    assert seen == ["environments", "environments/one", "environments/one/module.py"]


@pytest.mark.parametrize(
    "name", ["db.sqlite3", "secret_key", "runs/other/home/arguments.json", "sandbox/passwd"]
)
def test_it_opens_no_file_of_the_server(inside: Inside, data_dir: Path, name: str) -> None:
    assert (data_dir / name).exists() or name == "sandbox/passwd"
    script = """
import json, sys
try:
    open(sys.argv[1])
except OSError as error:
    print(json.dumps(type(error).__name__))
"""
    assert inside.ask(script, str(data_dir / name)) == "FileNotFoundError"


def test_it_cannot_see_its_own_spool(inside: Inside) -> None:
    spool = inside.supervisors.spool()
    script = "import json, os, sys; print(json.dumps(os.path.exists(sys.argv[1])))"

    assert inside.ask(script, str(spool.directory), spool=spool) is False


@pytest.mark.parametrize("folder", ["/root", "/home", "/var", "/srv", "/opt", "/run", "/sys"])
def test_it_sees_nothing_of_the_hosts_folders_but_what_is_mounted(
    inside: Inside, folder: str
) -> None:
    mounted = [HOME, sandbox.interpreter_home(), Path(sys.prefix), inside.environment]
    script = """
import json, os, sys
folder, *mounted = sys.argv[1:]
found = []
for at, folders, files in os.walk(folder):
    found += [os.path.join(at, name) for name in folders + files]
    folders[:] = [name for name in folders if os.path.join(at, name) not in mounted]
print(json.dumps(found))
"""
    seen = inside.ask(script, folder, *map(str, mounted))

    allowed = {str(part) for path in mounted for part in (path, *path.parents)}
    assert set(seen) <= allowed


def test_it_sees_no_processes_but_its_own(inside: Inside) -> None:
    script = """
import json, os
print(json.dumps([sorted(int(n) for n in os.listdir("/proc") if n.isdigit()), os.getpid()]))
"""
    pids, own = inside.ask(script)

    assert pids == [1, own]


def test_it_reads_no_environment_but_the_one_given(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERS_OWN", "hidden")
    script = """
import json, os
found = {}
for pid in (name for name in os.listdir("/proc") if name.isdigit()):
    try:
        found[pid] = open(f"/proc/{pid}/environ").read().split("\\0")
    except OSError:
        found[pid] = []
print(json.dumps([sum(found.values(), []), dict(os.environ)]))
"""
    readable, own = inside.ask(script)

    given = ENVIRONMENT | {"PWD": str(HOME)}  # bwrap says where it has gone.
    assert {line for line in readable if line} <= {f"{k}={v}" for k, v in given.items()}
    assert own.items() <= given.items()


def test_it_has_no_descriptors_but_the_first_three(inside: Inside) -> None:
    script = """
import json, os
directory = os.open("/proc/self/fd", os.O_RDONLY)
print(json.dumps([sorted(map(int, os.listdir(directory))), directory]))
"""
    # Listing a descriptor opens one more.
    assert inside.ask(script) == [[0, 1, 2, 3, 4], 3]


def test_it_cannot_reach_descriptors_or_files_of_its_sandboxs_own_process(
    inside: Inside,
) -> None:
    script = """
import json, os
reached = []
for name in ("fd", "root/", "cwd/", "map_files", "mem", "environ"):
    try:
        os.close(os.open(f"/proc/1/{name}", os.O_RDONLY))
        reached.append(name)
    except OSError:
        pass
print(json.dumps(reached))
"""
    assert inside.ask(script) == []


# -- What it can do --------------------------------------------------------------------


def test_it_is_nobody_without_any_rights(inside: Inside, settings: Any) -> None:
    script = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
rights = {name: status[name].strip() for name in status if name.startswith("Cap")}
print(json.dumps([
    os.getresuid(), os.getresgid(), os.getgroups(), rights, status["NoNewPrivs"].strip()
]))
"""

    def join_groups() -> None:
        if os.geteuid() == 0:
            os.setgroups([4, 27])

    users, groups, more_groups, rights, no_new_privileges = inside.ask(
        script, before_exec=join_groups
    )

    assert users == groups == [settings.SANDBOX_UID] * 3
    assert settings.SANDBOX_UID != 0
    assert more_groups == []
    assert len(rights) == 5
    assert {int(value, 16) for value in rights.values()} == {0}
    assert no_new_privileges == "1"


def test_it_writes_nowhere_outside_its_home(inside: Inside) -> None:
    new = [
        "/", "/usr", "/usr/bin", "/etc", "/root", "/home", "/dev", "/proc",
        str(inside.environment), str(sandbox.interpreter_home()),
    ]  # fmt: skip
    existing = [
        "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/usr/bin/env",
        "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
        str(inside.environment / "module.py"),
    ]  # fmt: skip
    script = """
import json, os, sys
new, existing = json.loads(sys.argv[1])
opened = []
for folder in new:
    try:
        os.close(os.open(folder + "/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        opened.append(folder)
    except OSError:
        pass
for path in existing:
    try:
        os.close(os.open(path, os.O_WRONLY))
        opened.append(path)
    except OSError:
        pass
print(json.dumps(opened))
"""
    assert inside.ask(script, json.dumps([new, existing])) == []


def test_of_the_host_its_home_alone_is_mounted_to_be_written(inside: Inside) -> None:
    script = """
import json
mounts = [line.split() for line in open("/proc/self/mounts")]
own = ("tmpfs", "proc", "devtmpfs", "devpts")
print(json.dumps([at for _, at, kind, options, *_ in mounts
                  if kind not in own and "ro" not in options.split(",")]))
"""
    assert inside.ask(script) == [str(HOME)]


def test_what_it_writes_at_home_is_there_for_the_server(inside: Inside) -> None:
    script = """
import json, os
open("result.txt", "w").write("done")
os.mkdir("folder")
print(json.dumps([os.getcwd(), os.path.abspath("result.txt")]))
"""
    spool = inside.supervisors.spool()

    assert inside.ask(script, spool=spool) == [str(HOME), str(HOME / "result.txt")]
    assert (spool.home / "result.txt").read_text() == "done"
    assert (spool.home / "folder").is_dir()


def test_a_server_below_usr_is_not_seen_with_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_people_files", list)
    settings.DATA_DIR, settings.BASE_DIR = Path("/usr/src/app/data"), Path("/usr/src/app")
    environment = settings.DATA_DIR / "environments" / "one"
    box = Sandbox(bwrap=Path("/usr/bin/bwrap"), detail="")

    command = box.command(
        ["python"], home=Path("/home"), cwd=Path(), read_only=[environment, Path("/usr/lib")]
    )

    usr = command.index("/usr")
    hidden = [command.index(path, usr) for path in ("/usr/src/app/data", "/usr/src/app")]
    assert all(command[place - 1] == "--tmpfs" for place in hidden)
    shown = command.index(str(environment), max(hidden))
    assert command[shown - 1 : shown + 2] == ["--ro-bind", str(environment), str(environment)]
    assert "/usr/lib" not in command[usr + 1 :]


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_scratch_folders_are_its_own(inside: Inside, folder: str) -> None:
    script = """
import json, os, sys
print(json.dumps(os.listdir(sys.argv[1])))
open(sys.argv[1] + "/wallaroo-scratch", "w").close()
"""
    # Where the tests, the data or this checkout live in it, the way to them is there too.
    needed = {Path(sys.prefix), Path(sys.base_prefix), inside.environment}
    for _ in range(2):
        for name in inside.ask(script, folder):
            assert any(path.is_relative_to(Path(folder, name)) for path in needed)
    assert not Path(folder, "wallaroo-scratch").exists()


def test_locks_and_memory_can_be_shared_between_its_processes(inside: Inside) -> None:
    script = """
import json, multiprocessing, multiprocessing.shared_memory as memory
block = memory.SharedMemory(create=True, size=10)
with multiprocessing.Lock():
    block.buf[0] = 7
same = memory.SharedMemory(block.name)
print(json.dumps(same.buf[0]))
block.unlink()
"""
    assert inside.ask(script) == 7


def test_it_knows_its_user_and_home(inside: Inside) -> None:
    script = """
import grp, json, os, pwd
user = pwd.getpwuid(os.getuid())
print(json.dumps([user.pw_name, user.pw_dir, grp.getgrgid(os.getgid()).gr_name]))
"""
    assert inside.ask(script) == ["jovyan", str(HOME), "users"]


def test_it_can_look_up_hosts(inside: Inside) -> None:
    script = """
import json, os, socket, sys
names = [name for name in sys.argv[1:] if os.path.exists("/etc/" + name)]
addresses = [found[4][0] for found in socket.getaddrinfo("localhost", 80)]
print(json.dumps([names, "127.0.0.1" in addresses]))
"""
    expected = [
        name for name in ("hosts", "resolv.conf", "nsswitch.conf") if Path("/etc", name).exists()
    ]

    names, found = inside.ask(script, *expected)

    assert names == expected
    assert found


def test_it_starts_in_the_folder_of_its_entry_point(inside: Inside) -> None:
    spool = inside.supervisors.spool()
    (spool.home / "etl" / "deep").mkdir(parents=True)

    seen = inside.ask(
        "import json, os; print(json.dumps(os.getcwd()))",
        spool=spool,
        inner_cwd=Path("etl/deep"),
    )

    assert seen == str(HOME / "etl" / "deep")


def test_a_program_in_its_path_is_not_started_with_the_servers_rights(
    inside: Inside, data_dir: Path
) -> None:
    programs = inside.environment / "bin"
    programs.mkdir()
    for name in ("setpriv", "bwrap", "env", "sh"):
        (programs / name).write_text("#!/bin/sh\necho hijacked as $(/usr/bin/id -u)\n")
        (programs / name).chmod(0o755)

    run = inside.run(
        "print('untouched')", environment=ENVIRONMENT | {"PATH": f"{programs}:/usr/bin:/bin"}
    )

    assert run.texts() == ["untouched"]


def test_a_link_out_of_its_home_leads_nowhere_and_gives_nothing_away(
    inside: Inside, data_dir: Path
) -> None:
    spool = inside.supervisors.spool()
    (spool.home / "link").symlink_to(data_dir / "secret_key")
    (spool.home / "folder").symlink_to(data_dir)
    owner = (data_dir / "secret_key").stat().st_uid
    script = """
import json, os
print(json.dumps([os.path.lexists("link"), os.path.exists("link"), os.path.exists("folder/runs")]))
"""
    assert inside.ask(script, spool=spool) == [True, False, False]
    assert (data_dir / "secret_key").stat().st_uid == owner


# -- How its end is told ---------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_a_signal_that_ends_sandboxed_code_is_named(inside: Inside, number: signal.Signals) -> None:
    run = inside.run(f"import os; os.kill(os.getpid(), {number})")

    verdict = run.spool.verdict()
    assert verdict is not None
    assert (verdict.status, verdict.signal_name) == ("failure", number.name)
    assert verdict.exit_code == 128 + number
    assert verdict.reason == f"Ended by signal {number.name}."


def test_an_exit_status_comes_out_of_the_sandbox(inside: Inside) -> None:
    verdict = inside.run("raise SystemExit(3)").spool.verdict()

    assert verdict is not None
    assert (verdict.status, verdict.exit_code, verdict.signal_name) == ("failure", 3, "")


def test_a_command_that_is_not_there_is_named_in_the_log(supervisors: Supervisors) -> None:
    run = supervisors.run(["/no/such/program"], sandboxed=True)

    verdict = run.spool.verdict()
    assert verdict is not None
    assert (verdict.status, verdict.exit_code) == ("failure", 127)
    assert "/no/such/program" in run.texts()[0]


# -- As an ordinary user, in a user namespace ------------------------------------------


@pytest.fixture
def open_dir(settings: Any) -> Iterator[Path]:
    """A server's folder that belongs to an ordinary user."""
    directory = Path(tempfile.mkdtemp(prefix="wallaroo-test-"))
    settings.DATA_DIR = directory
    sandbox._people_files.cache_clear()
    for name in ("home", "readable"):
        (directory / name).mkdir()
    (directory / "secret_key").write_text("secret")
    yield directory
    sandbox._people_files.cache_clear()
    shutil.rmtree(directory)


def run_as_nobody(
    directory: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in the sandbox of a server that is no root."""
    bwrap = sandbox._candidates()[0]
    is_root = os.geteuid() == 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: NOBODY)
        command = Sandbox(bwrap=bwrap, detail="").command(
            ["/bin/sh", "-c", script],
            home=directory / "home",
            cwd=Path(),
            read_only=[directory / "readable"],
        )
    if is_root:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        cwd="/",
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )


def test_an_ordinary_users_sandbox_is_jovyan_without_any_rights(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "id -un; id -u; id -g; pwd; grep -E '^(Cap|NoNewPrivs)' /proc/self/status"

    result = run_as_nobody(open_dir, script, monkeypatch)

    name, uid, gid, cwd, *rights = result.stdout.splitlines()
    assert (name, uid, gid, cwd) == ("jovyan", "1000", "100", str(HOME)), result.stderr
    assert {line.split()[1] for line in rights[:-1]} == {"0" * 16}
    assert rights[-1].split() == ["NoNewPrivs:", "1"]


def test_an_ordinary_users_sandbox_shows_nothing_of_the_server(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
ls {open_dir}
cat {open_dir}/secret_key
ls /root /var /run
echo pids; set -- /proc/[0-9]*; echo $#
cat /proc/1/environ | tr '\\0' '\\n' | grep -v -E '^(LANG|PATH|PWD)='
"""
    result = run_as_nobody(open_dir, script, monkeypatch)

    # The sandbox's own process and the shell.
    assert result.stdout.splitlines() == ["readable", "pids", "2"]


def test_an_ordinary_users_sandbox_writes_at_home_alone(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
for path in /usr/new /etc/passwd /etc/hosts {open_dir}/readable/new \
    /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do
    ( : >> $path ) 2>/dev/null && echo opened $path
done
for path in /tmp/new /dev/shm/new new; do : > $path || echo refused $path; done
"""
    result = run_as_nobody(open_dir, script, monkeypatch)

    assert result.stdout == ""
    assert [path.name for path in (open_dir / "home").iterdir()] == ["new"]
    assert not Path("/tmp/new").exists()


# -- Finding out whether it works ------------------------------------------------------


@pytest.fixture
def probe(settings: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> "Probe":
    return Probe(settings, data_dir, monkeypatch)


class Probe:
    """Asks anew, with a setting and programs of the test's choice."""

    def __init__(self, settings: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.directory = data_dir
        self.monkeypatch = monkeypatch

    def program(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def ask(self, setting: str, *programs: Path) -> Sandbox:
        self.settings.SANDBOX = setting
        self.monkeypatch.setattr(sandbox, "_candidates", lambda: list(programs))
        return sandbox.probe.__wrapped__()


def test_where_bubblewrap_works_it_is_used(probe: Probe) -> None:
    working = sandbox._candidates()[0]

    for setting in ("auto", "required"):
        found = probe.ask(setting, working)
        assert (found.bwrap, found.isolation) == (working, "bubblewrap")


def test_switched_off_it_is_not_looked_for(probe: Probe) -> None:
    found = probe.ask("off", sandbox._candidates()[0])

    assert (found.bwrap, found.isolation) == (None, "process")
    assert found.detail == "switched off by SANDBOX=off"


def test_where_bubblewrap_fails_code_is_a_plain_process_and_the_detail_says_why(
    probe: Probe,
) -> None:
    broken = probe.program("broken", "echo no namespaces here >&2; exit 1")
    silent = probe.program("silent", "exit 3")

    found = probe.ask("auto", broken, silent)

    assert (found.bwrap, found.isolation) == (None, "process")
    assert found.detail == f"{broken}: no namespaces here; {silent}: exit 3"[:255]


def test_the_next_program_is_tried_where_the_first_fails(probe: Probe) -> None:
    working = sandbox._candidates()[0]

    found = probe.ask("required", probe.directory / "missing", working)

    assert found.bwrap == working


def test_a_sandbox_that_is_required_and_fails_is_refused_with_the_reason(probe: Probe) -> None:
    broken = probe.program("broken", "echo no namespaces here >&2; exit 1")

    with pytest.raises(SandboxUnavailable) as refused:
        probe.ask("required", broken)

    assert str(refused.value) == (
        f"SANDBOX=required, but bubblewrap does not work: {broken}: no namespaces here"
    )


def test_without_any_program_the_detail_says_so(probe: Probe) -> None:
    assert probe.ask("auto").detail == "no bwrap program found"


def test_trying_leaves_nothing_behind(probe: Probe) -> None:
    probe.ask("auto", sandbox._candidates()[0])

    left = {path.name for path in (probe.directory / "sandbox").iterdir()}
    assert left == {"passwd", "group"}


def test_without_a_sandbox_a_command_stays_as_it_is() -> None:
    plain = Sandbox(bwrap=None, detail="")

    assert plain.command(["python", "main.py"], home=HOME, cwd=Path(), read_only=[]) == [
        "python",
        "main.py",
    ]
