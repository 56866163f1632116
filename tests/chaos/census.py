"""Which of the server's and the runs' processes live, and what each of them is."""

import enum
import signal
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from django.conf import settings

from tests.processes import our_runs, parts, run_of, runs_folder, wait_until

CLUSTER_WORKERS = int(str(settings.Q_CLUSTER["workers"]))


def kill(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> bool:
    """Signal a process. False: it had gone, or was about to."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process lives; one that only waits to be collected does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Census:
    """The processes of runs, by the id of their run."""

    supervisors: dict[str, list[psutil.Process]] = field(default_factory=lambda: defaultdict(list))
    code: dict[str, list[psutil.Process]] = field(default_factory=lambda: defaultdict(list))

    def scripts(self) -> dict[str, psutil.Process]:
        """Return the users' own processes, those that carry out main.py."""
        return {
            run: process
            for run, processes in self.code.items()
            for process in processes
            if is_script(process)
        }

    def family(self, run: object) -> list[psutil.Process]:
        """Return every process of a run, its supervisor first."""
        return [*self.supervisors.get(str(run), []), *self.code.get(str(run), [])]


def take_census() -> Census:
    """Look at every process of this host once. A run launched just now is seen the next time."""
    census = Census()
    ours = our_runs()
    for process in psutil.process_iter():
        try:
            run = run_of(process, ours)
            if run is None:  # Somebody else's on this host.
                continue
            command = process.cmdline()
        except (psutil.Error, OSError):
            continue
        kind = census.supervisors if is_supervisor_command(command) else census.code
        kind[run].append(process)
    return census


def is_supervisor_command(command: list[str]) -> bool:
    """Tell a supervisor from what it started."""
    return command[1:3] == ["-I", "-S"] and command[4].startswith(str(runs_folder()))


def is_script(process: psutil.Process) -> bool:
    """Tell the user's script from the sandbox around it."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return len(command) == 2 and command[1].endswith("/main.py")


class Role(enum.StrEnum):
    """What a process of django-q2's cluster does."""

    MAIN = "main process"
    SENTINEL = "sentinel"
    WORKER = "worker"
    MONITOR = "monitor"
    PUSHER = "pusher"


class ClusterWatch:
    """Knows the processes of the cluster that `serve` looks after, by what they do.

    They have no names of their own. What tells them apart is the order in which the
    sentinel makes them: workers, monitor, pusher. One that it makes later stands in for the
    one that is missing.
    """

    def __init__(self, serve: psutil.Process) -> None:
        self.serve = serve
        self.roles: dict[psutil.Process, Role] = {}

    def look(self) -> bool:
        """Bring what is known up to date. Tell whether the cluster is complete."""
        main = parts(self.serve).get("cluster")
        if main is None:
            return False
        try:
            below = main.children()
            made = sorted(below[0].children(), key=psutil.Process.create_time) if below else []
        except psutil.NoSuchProcess:
            return False
        if not below or below[0] not in self.roles:
            if len(made) < CLUSTER_WORKERS + 2:
                return False
            order = [Role.WORKER] * CLUSTER_WORKERS + [Role.MONITOR, Role.PUSHER]
            self.roles = {main: Role.MAIN, below[0]: Role.SENTINEL} | dict(
                zip(made, order, strict=True)
            )
            return True
        self.roles = {each: role for each, role in self.roles.items() if is_alive(each)}
        for process in made:
            if process not in self.roles and is_alive(process):
                missing = self._missing()
                if len(set(missing)) != 1:
                    return False
                self.roles[process] = missing[0]
        return not self._missing()

    def _missing(self) -> list[Role]:
        wanted = [*Role, *[Role.WORKER] * (CLUSTER_WORKERS - 1)]
        for role in self.roles.values():
            wanted.remove(role)
        return wanted

    def wait(self, seconds: float = 60) -> None:
        """Wait until every process of the cluster is there."""
        wait_until(self.look, "a complete cluster", seconds)

    def of(self, role: Role) -> list[psutil.Process]:
        """Return the processes that do this."""
        return [process for process, its in self.roles.items() if its == role]

    def everyone(self) -> set[psutil.Process]:
        """Return the whole cluster."""
        return set(self.roles)


def cluster_processes() -> set[psutil.Process]:
    """Return every process of a cluster of this test run, whoever it belongs to."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.cmdline()[1:3] == ["manage.py", "cluster"] and (
                process.environ().get("DATA_DIR") == str(settings.DATA_DIR)
            ):
                found.add(process)
        except (psutil.Error, OSError):
            continue
    return {process for process in found if is_alive(process)}


def holders(path: Path, among: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those who have a file open at this moment."""
    found = []
    for process in among:
        try:
            if any(Path(file.path) == path for file in process.open_files()):
                found.append(process)
        except psutil.Error:
            continue
    return found
