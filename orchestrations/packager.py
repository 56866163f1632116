"""The packager: builds the environment of one orchestration, as a supervised program.

    python -m orchestrations.packager SPOOL

It reads `packaging.json` and writes `result.json` in SPOOL; what it prints is the
packaging log. Lines `[2/4] words` are its steps. It knows no Django and no database,
so it can be stopped at any moment: an environment is built aside and renamed into its
place when it is whole.

Nothing that was installed is ever started here: a wheel may bring code that runs
whenever its environment's interpreter does. Installing a wheel only copies files. A
package that must be built from its source runs its author's code, so that happens
inside the sandbox, with nothing shared, or not at all.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from orchestrations.environments import Environment, base_environment, environment_for

ORDER, RESULT = "packaging.json", "result.json"
PACKAGES = "packages.txt"
CANNOT = "cannot be installed"
NO_WHEEL = "building from source is disabled"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to build.

    Attributes:
        builder: a name of its own for what is made aside.
        source_build_prefix: the sandbox's command line in front of a build from source;
            None where such builds are not allowed.
    """

    root: str
    cache: str
    uv: str
    python: str
    builder: str
    base_requirements: Sequence[str]
    requirements: Sequence[str]
    notes: Sequence[str]
    source_build_prefix: Sequence[str] | None


class PackagingFailed(Exception):
    """The environment cannot be built; the text says why, in words for its owner."""


class Steps:
    """Counts the steps aloud."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0

    def begin(self, words: str) -> None:
        """Announce the next step."""
        self.number += 1
        say(f"[{self.number}/{self.total}] {words}")


def say(text: str) -> None:
    """Write a line of the packaging log."""
    print(text, flush=True)  # noqa: T201


def main(spool: Path) -> int:
    """Carry out the order in a spool; return the exit status."""
    order = Order(**json.loads((spool / ORDER).read_text(encoding="utf-8")))
    try:
        name = build(order)
    except PackagingFailed as error:
        say(str(error))
        write_result(spool, {"error": str(error)})
        return 1
    write_result(spool, {"environment": name})
    return 0


def write_result(spool: Path, result: dict[str, str]) -> None:
    """Leave the result in the spool, whole or not at all."""
    draft = spool / f"{RESULT}.draft"
    draft.write_text(json.dumps(result), encoding="utf-8")
    draft.replace(spool / RESULT)


def build(order: Order) -> str:
    """Make sure of the environment and return its name."""
    root = Path(order.root)
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    base = base_environment(root, order.base_requirements)
    wanted = environment_for(root, order.base_requirements, order.requirements)
    for note in order.notes:
        say(note)
    missing = [
        environment for environment in dict.fromkeys((base, wanted)) if not environment.is_ready
    ]
    steps = Steps(3 * len(missing) + 1)
    for environment in missing:
        with build_lock(environment):
            if environment.is_ready:  # Somebody else built it while we waited.
                steps.number += 3
            elif environment == base:
                build_base(order, base, steps)
            else:
                build_layer(order, base, wanted, steps)
    steps.begin(f"The environment is ready ({describe(order)})")
    return wanted.name


def describe(order: Order) -> str:
    """Return in words what is in the environment."""
    if not order.requirements:
        return "the Wallaroo SDK; nothing else was asked for"
    return f"the Wallaroo SDK and {counted(order.requirements)}"


def counted(requirements: Sequence[str]) -> str:
    """Return how many requirements there are, as one says it."""
    return f"{len(requirements)} requirement{'' if len(requirements) == 1 else 's'}"


def build_base(order: Order, base: Environment, steps: Steps) -> None:
    """Build the environment of the SDK, which every task has."""
    say("The base environment with the Wallaroo SDK is made now, once; this takes a minute.")
    with draft_of(order, base) as draft:
        steps.begin("Creating the base environment")
        create(order, draft)
        steps.begin(f"Installing {', '.join(order.base_requirements)}")
        if complaint := install(order, draft, order.base_requirements):
            raise PackagingFailed(explain(complaint, order.base_requirements))
        record_packages(draft, base)
        steps.begin("Compiling the base environment")
        compile_bytecode(order, draft)
        draft.rename(base.directory)


def build_layer(order: Order, base: Environment, layer: Environment, steps: Steps) -> None:
    """Build the packages of one list of requirements, in front of the base's."""
    with draft_of(order, layer) as draft:
        steps.begin("Creating the environment")
        create(order, draft)
        steps.begin(f"Installing {counted(order.requirements)}")
        if complaint := install_beside(order, draft, base):
            raise PackagingFailed(explain(complaint, order.requirements))
        record_packages(draft, layer)
        # Packages of the layer come first on the path, so requirements may override.
        packages = packages_of(draft, layer)
        (packages / "_base.pth").write_text(f"{base.site_packages}\n", encoding="utf-8")
        steps.begin("Compiling the installed packages")
        compile_bytecode(order, draft)
        draft.rename(layer.directory)


@contextmanager
def build_lock(environment: Environment) -> Iterator[None]:
    """Hold the right to build one environment; say so when another has it."""
    with (environment.root / f"{environment.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another packaging is building an environment that this one needs; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def draft_of(order: Order, environment: Environment) -> Iterator[Path]:
    """Give a folder to build in, gone afterwards unless it was renamed into its place."""
    # Under the lock, drafts of the same environment can only be left-overs.
    for leftover in environment.root.glob(environment.draft("*").name):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = environment.draft(order.builder)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def create(order: Order, draft: Path) -> None:
    """Make an empty virtual environment that still works after a rename."""
    result = run(
        [order.uv, "venv", "--quiet", "--relocatable", "--python", order.python, str(draft)]
    )
    if result:
        raise PackagingFailed(f"The virtual environment could not be made: {result.strip()}")


def install(order: Order, draft: Path, requirements: Sequence[str], *options: str) -> str:
    """Install packages: wheels if there are any, else from source inside the sandbox.

    Returns:
        What the installer complained of; nothing when it succeeded.
    """
    command = [order.uv, "pip", "install", "--python", str(draft / "bin" / "python")]
    command += ["--requirement", write_list(draft, "requirements.txt", requirements), *options]
    complaint = run([*command, "--no-build", "--cache-dir", order.cache])
    if complaint and NO_WHEEL in complaint and order.source_build_prefix is not None:
        say("Some packages have no ready-made wheel: building them from source, in the sandbox.")
        give_to_prefix(order, draft)
        command += ["--cache-dir", "/home/jovyan/.cache/uv"]
        complaint = run([*order.source_build_prefix, *command])
        if not complaint:
            refuse_links(draft)
    return complaint


def refuse_links(draft: Path) -> None:
    """Refuse what a build from source left, where writing into it could lead elsewhere.

    The packager writes as the server's user, which the build was not.
    """
    links = [draft / name for name in (PACKAGES, "lib") if (draft / name).is_symlink()]
    for folder, folders, files in os.walk(draft / "lib"):
        links += [path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink()]
    if links:
        where = links[0].relative_to(draft)
        raise PackagingFailed(f"A package that was built from source left a link: {where}.")


def install_beside(order: Order, draft: Path, base: Environment) -> str:
    """Install a list of requirements so that the base's packages go on working beside it.

    A newer numpy in front of the base's pandas would break both, so what the base has
    stays at the base's version. Only a list that cannot live with that overrides it.
    """
    named = {normal_name(line) for line in order.requirements}
    kept = [line for line in base_packages(base) if normal_name(line) not in named]
    constraints = write_list(draft, "base-packages.txt", kept)
    complaint = install(order, draft, order.requirements, "--constraint", constraints)
    if not complaint:
        return ""
    say("That does not fit the packages of the base environment; trying without regard to them.")
    shutil.rmtree(draft)  # A build may have left anything in it.
    create(order, draft)
    complaint = install(order, draft, order.requirements)
    if not complaint:
        say("Note: these requirements override packages of the base. The SDK may not work here.")
    return complaint


def base_packages(base: Environment) -> list[str]:
    """Return what the base has installed, as `name==version` lines."""
    return (base.directory / PACKAGES).read_text(encoding="utf-8").splitlines()


def write_list(draft: Path, name: str, lines: Sequence[str]) -> str:
    """Write a list of requirements for the installer; return its path."""
    path = draft / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def record_packages(draft: Path, environment: Environment) -> None:
    """Keep the list of what is installed, beside it; read, not asked of its interpreter."""
    found = distributions(path=[str(packages_of(draft, environment))])
    lines = sorted(f"{each.metadata['Name']}=={each.version}" for each in found)
    (draft / PACKAGES).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def packages_of(draft: Path, environment: Environment) -> Path:
    """Return where the packages of an environment are while it is being made."""
    return draft / environment.site_packages.relative_to(environment.directory)


def give_to_prefix(order: Order, draft: Path) -> None:
    """Let the sandbox's user write into the draft, where the server runs as root."""
    if os.geteuid() == 0 and order.source_build_prefix:
        user = order.source_build_prefix[list(order.source_build_prefix).index("--reuid") + 1]
        subprocess.run(["chown", "-R", f"{user}:{user}", str(draft)], check=True)


def compile_bytecode(order: Order, draft: Path) -> None:
    """Compile everything now: a run cannot, since its environment is read-only.

    By the plain interpreter, which reads the files and runs nothing of them.
    """
    # Quiet and without failing: some packages ship files of other Python versions.
    command = [order.python, "-I", "-S", "-m", "compileall", "-qq", "-j", "0", str(draft / "lib")]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(command: Sequence[str]) -> str:
    """Run a program, its output into the log; return what it said if it failed, or nothing."""
    said = []
    with subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for raw in process.stdout or ():
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            say(f"    {line}")
            said.append(line)
    return "\n".join(said) if process.returncode else ""


# -- The installer's words, turned into the culprit ------------------------------------


def explain(complaint: str, requirements: Sequence[str]) -> str:
    """Say in words which requirement cannot be had, and why.

    Args:
        complaint: what the installer printed.
        requirements: the list it was given.
    """
    text = re.sub(r"\s+", " ", complaint)
    if match := re.search(
        r"Failed to (?:build|download and build|fetch and build) `([^`]+)`", text
    ):
        return _cannot_be_built(match[1], text, requirements)
    if match := re.search(r"Because (\S+) (?:was|were) not found in the package registry", text):
        return f"{_as_written(match[1], requirements)} {CANNOT}: the index has no such package."
    if match := re.search(r"[Bb]ecause there is no version of (\S+?),? and", text):
        return f"{_as_written(match[1], requirements)} {CANNOT}: the index has no such version."
    if match := re.search(r"Wheels are required for `([^`]+)`", text):
        return (
            f"{_needed_by(match[1], text, requirements)} {CANNOT}: {match[1]} has no ready-made "
            "wheel for this Python, and building from source is switched off on this server."
        )
    if "Failed to fetch" in text or "client error (Connect)" in text:
        causes = re.findall(r"cause: (.*?)(?= cause:| hint:|$)", text)
        why = f" ({causes[-1].strip()})" if causes else ""
        return f"The package index could not be reached{why}. Package again when it can be."
    if match := re.search(r"No solution found.*?: (?:cause: )?(Because .*?unsatisfiable\.)", text):
        return f"The requirements contradict each other. {match[1]}"
    return f"The requirements could not be installed: {complaint.strip()[-500:]}"


def _cannot_be_built(package: str, text: str, requirements: Sequence[str]) -> str:
    name = package.partition("==")[0]
    why = ""
    if match := re.search(
        r"(ModuleNotFoundError|ImportError|error): ([^`]{5,160}?)(?: hint:|$)", text
    ):
        why = f" ({match[2].strip()})"
    parent = re.search(rf"`{re.escape(name)}` \(v\S+\) was included because `([^`]+)`", text)
    if parent is None:
        written = _as_written(package, requirements)
        return f"{written} {CANNOT}: it could not be built from source{why}."
    return (
        f"{_as_written(parent[1], requirements)} {CANNOT}: it needs {package}, "
        f"which could not be built from source on this Python{why}."
    )


def _needed_by(package: str, text: str, requirements: Sequence[str]) -> str:
    """Return the requirement that asks for a package, or the package itself."""
    if match := re.search(rf"and (\S+) depends on {re.escape(package)}\b", text):
        return _as_written(match[1], requirements)
    return _as_written(package, requirements)


def _as_written(package: str, requirements: Sequence[str]) -> str:
    """Return the line of the list that names a package, else the package."""
    wanted = normal_name(package)
    return next((line for line in requirements if normal_name(line) == wanted), package)


def normal_name(text: str) -> str:
    """Return the name at the head of a requirement, as the index compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0]).lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
