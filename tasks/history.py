"""The history of a task as its page shows it: one look at its newest runs."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from tasks.charts import Calendar, DurationChart
from tasks.models import Task
from tasks.statistics import RunFact, Statistics

# Four weeks of an hourly task; so a look costs the same for every task.
LOOKED_AT = 700
# Of less there is nothing to compare.
FEWEST = 2


@dataclass(frozen=True)
class History:
    """What became of the newest runs of a task.

    Attributes:
        zone: by whose clock the calendar counts.
        looked_at: how many runs were looked at, where there are more; None if these are all.
    """

    statistics: Statistics
    chart: DurationChart
    calendar: Calendar
    zone: tzinfo
    looked_at: int | None

    @classmethod
    def of(cls, task: Task, *, at: datetime, zone: tzinfo | None = None) -> "History | None":
        """Look at a task's runs, in one query; None while there is nothing to compare."""
        fields = ("pk", "status", "queued_at", "started_at", "ended_at")
        rows = task.runs.newest_first().values_list(*fields)[: LOOKED_AT + 1]
        facts = [RunFact(*row) for row in rows]
        runs = facts[:LOOKED_AT]
        chart = DurationChart.of(runs, at=at)
        if len(chart.bars) < FEWEST:
            return None
        zone = zone or UTC
        return cls(
            statistics=Statistics.of(runs),
            chart=chart,
            calendar=Calendar.of(runs, at=at, zone=zone),
            zone=zone,
            looked_at=LOOKED_AT if len(facts) > LOOKED_AT else None,
        )
