import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tasks.agent.agent import Agent
from wallaroo_ui import processes


class Command(BaseCommand):
    """Follow the runs of this host until told to stop."""

    help = "Runs this host's agent: it follows runs, records their ends and finds lost work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what happens to running runs at the end."""
        parser.add_argument(
            "--end-runs", action="store_true", help="end this host's runs when the agent is stopped"
        )
        parser.add_argument("--die-with-parent", type=int, metavar="PID", help="used by serve")

    def handle(self, *, end_runs: bool, die_with_parent: int | None, **_: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if die_with_parent is not None:
            processes.die_with_parent(die_with_parent)
        agent = Agent(ends_runs=end_runs)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: agent.stop())
        agent.run()
