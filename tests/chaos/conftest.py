"""A server to break, chance that can be repeated, and a place for figures."""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.chaos.sizes import SIZES
from tests.conftest import FIGURES
from tests.processes import Processes


@pytest.fixture
def chance() -> random.Random:
    """Chance. What it was is printed when a test fails, and CHAOS_SEED repeats it."""
    seed = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 1_000_000)
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture
def chaos_report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Put a line of figures into the summary at the end of the test run."""

    def report(text: str) -> None:
        request.node.user_properties.append((FIGURES, text))

    return report


@pytest.fixture
def server(processes: Processes) -> Processes:
    """Processes that have not been started yet, in the size of this test run."""
    processes.variables |= SIZES.variables
    return processes
