"""Environments: which one a list of requirements means, and where it lives.

An environment is a virtual environment, named after the hash of everything that
decides its content, built once and never changed. Two kinds exist: *base*, with the
Wallaroo SDK, and *layer*, the packages of one list of requirements in front of a base.

Pure: no Django, no settings; the packager, a program of its own, uses it too.
"""

import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Environment:
    """One environment, built or not.

    Attributes:
        root: the folder of all environments on this host.
        name: `base-…` or `layer-…`; the same content has the same name on every host
            of the same kind.
    """

    root: Path
    name: str

    @property
    def directory(self) -> Path:
        """Return its folder; it exists when, and only when, the environment is whole."""
        return self.root / self.name

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Return where its packages are."""
        return self.directory / "lib" / PYTHON / "site-packages"

    def draft(self, builder: str) -> Path:
        """Return the folder in which one builder, named so, makes it."""
        return self.root / f".{self.name}.{builder}"

    @property
    def is_ready(self) -> bool:
        """Tell whether it has been built here."""
        return self.directory.is_dir()


def base_environment(root: Path, base_requirements: Sequence[str]) -> Environment:
    """Return the environment that every task has under its own packages."""
    key = [_platform(), sorted(base_requirements)]
    return Environment(root, f"base-{_digest(key)}")


def environment_for(
    root: Path, base_requirements: Sequence[str], requirements: Sequence[str]
) -> Environment:
    """Return the environment of an orchestration: the base, or a layer on it."""
    base = base_environment(root, base_requirements)
    if not requirements:
        return base
    key = [base.name, sorted(requirements)]
    return Environment(root, f"layer-{_digest(key)}")


def environments_behind(layer: Path) -> list[str]:
    """Return the names of the environments behind a layer, as it was built; none of a base."""
    return [
        Path(line).relative_to(layer.parent).parts[0]
        for path in layer.glob("lib/*/site-packages/_base.pth")
        for line in path.read_text(encoding="utf-8").splitlines()
        if Path(line).is_relative_to(layer.parent)
    ]


def _platform() -> str:
    """Return what wheels depend on, and nothing that an update of the kernel changes."""
    python = f"{platform.python_implementation()}-{platform.python_version()}"
    return f"{python}-{sys.platform}-{platform.machine()}-{'-'.join(platform.libc_ver())}"


def _digest(key: object) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]
