"""A database that is away while runs go on."""

import time
from collections.abc import Callable

import pytest

from tests.chaos.invariants import assert_sound
from tests.chaos.load import Load, have_begun, refreshed, succeed
from tests.chaos.outage import breakable_database
from tests.chaos.sizes import SIZES
from tests.processes import Processes, wait_until
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.chaos

RECOVERY_SECONDS = 20.0


def test_runs_go_on_while_the_database_is_away_and_nothing_of_them_is_lost(
    server: Processes, chaos_report: Callable[[str], None]
) -> None:
    server.variables["RUN_SLOTS"] = str(SIZES.outage_runs)
    with breakable_database(server) as database:
        server.start("serve")
        load = Load()
        # The first ends when the database has just gone, the last after it is back.
        longest = SIZES.outage_seconds + 3
        for number in range(SIZES.outage_runs):
            load.add(seconds=1 + longest * (number + 1) / SIZES.outage_runs)
        wait_until(lambda: have_begun(load.runs), "all runs to be going on")

        unfinished = [run for run in refreshed(load.runs) if not run.is_finished]
        database.away(SIZES.outage_seconds)
        back_at = time.time()
        ended_meanwhile = sum(run.spool.verdict() is not None for run in unfinished)
        assert ended_meanwhile, "no run ended while the database was away"

        late = [run for run in unfinished if run.spool.verdict() is not None]
        wait_until(
            lambda: all(run.is_finished for run in refreshed(late)),
            "the verdicts of those that ended meanwhile",
        )
        recorded = time.time() - back_at
        after = load.add()

        def started() -> float | None:
            (row,) = refreshed([after])
            return row.started_at.timestamp() if row.started_at is not None else None

        next_start = wait_until(started, "the next run", RECOVERY_SECONDS) - back_at
        succeed(load.runs, 60)
        assert all(run.status == Status.SUCCESS for run in refreshed(load.runs))
        assert_sound()
    chaos_report(
        f"away for {SIZES.outage_seconds:g} s, {SIZES.outage_runs} runs, {ended_meanwhile} ended "
        f"meanwhile: all verdicts recorded {recorded:.1f} s and the next run started "
        f"{next_start:.1f} s after it was back"
    )
