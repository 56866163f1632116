"""A clock in a process of its own, whose time is told to it.

    python -m tests.chaos.clocks

Reads moments in ISO form from standard input, one a line. To each it answers with a line
once it has made the runs that are due then: `ok`, or the error.
"""

import os
import sys
from datetime import datetime


def main() -> None:
    """Step until the input ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wallaroo_ui.settings")
    import django

    django.setup()
    from tasks.agent.clock import Clock

    clock = Clock()
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        try:
            clock.step(at=datetime.fromisoformat(line.strip()))
        except Exception as error:  # noqa: BLE001  # The test counts them all.
            answer = f"{type(error).__name__}: {error}".replace("\n", " ")
        else:
            answer = "ok"
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
