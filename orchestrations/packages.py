"""What is installed in an environment: read from the lists that its packaging left there.

Nothing of an environment is executed. The lists are there as long as it is.
"""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from orchestrations.environments import environments_behind
from orchestrations.packager import PACKAGES

# More is no list of packages.
MOST_BYTES = 256 * 1024


def packages_of(name: str) -> dict[str, str]:
    """Return the version of each package of an environment, its base's included.

    Args:
        name: of the environment. It never changes, so its packages are read once.

    Returns:
        Nothing where it is not there any more.
    """
    if not name:
        return {}
    found = _read(Path(settings.DATA_DIR) / "environments", name)
    if not found:
        _read.cache_clear()  # It may be made again.
    return dict(found)


@lru_cache(maxsize=64)
def _read(root: Path, name: str) -> tuple[tuple[str, str], ...]:
    packages: dict[str, str] = {}
    # The layer's own come first on the path, so they win.
    for each in (*environments_behind(root / name), name):
        packages |= _listed(root / each / PACKAGES)
    return tuple(sorted(packages.items(), key=lambda package: package[0].lower()))


def _listed(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return {}
    pairs = (line.partition("==")[::2] for line in lines)
    return {name: version for name, version in pairs if name and version}
