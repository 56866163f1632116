"""How much of everything: a short form for every change, and `CHAOS=full`."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers of the cases.

    Attributes:
        scripts: how many runs have their script killed.
        slots: how many of those are going on at once.
        cluster_rounds: how often each process of the cluster is killed.
        restarts: how often everything is killed and started again.
        restart_runs: how many runs are in flight then; some of them wait for a slot.
        restart_slots: how many go on at once then.
        node_rounds: how often a node falls silent.
        lease_seconds: how long a node may be silent. Not less than AGENT_AWAY, after which it
            takes no more work.
        rolling_runs: how many runs go on while the server is restarted part by part.
        rolling_seconds: how long those take, at least and at the most.
        outage_seconds: how long the database is away.
        outage_runs: how many runs go on meanwhile.
        clocks: how many clocks there are at once, in one case after the other.
        clock_tasks: how many tasks are due each minute.
        clock_minutes: how many minutes of simulated time pass.
        cycles: how many runs of a continuous task follow one another.
        cycle_seconds: how long those take, in one case after the other.
        restart_seconds: how long the runs take during which everything is killed.
        variables: what the server's processes find in their environment.
    """

    scripts: int
    slots: int
    cluster_rounds: int
    restarts: int
    restart_runs: int
    restart_slots: int
    node_rounds: int
    lease_seconds: int
    rolling_runs: int
    rolling_seconds: tuple[float, float]
    outage_seconds: float
    outage_runs: int
    clocks: tuple[int, ...]
    clock_tasks: int
    clock_minutes: int
    cycles: int
    cycle_seconds: tuple[float, ...]
    restart_seconds: tuple[float, float]
    variables: dict[str, str] = field(default_factory=dict)


SHORT = Sizes(
    scripts=10,
    slots=4,
    cluster_rounds=1,
    restarts=1,
    restart_runs=8,
    restart_slots=6,
    node_rounds=1,
    lease_seconds=15,
    rolling_runs=8,
    rolling_seconds=(1, 4),
    outage_seconds=3,
    outage_runs=6,
    clocks=(1, 4),
    clock_tasks=30,
    clock_minutes=5,
    cycles=5,
    cycle_seconds=(0.1,),
    restart_seconds=(3, 8),
    variables={"DJANGO_SETTINGS_MODULE": "tests.chaos.quick_settings"},
)

# What users have: not one setting differs from theirs.
FULL = Sizes(
    scripts=200,
    slots=6,
    cluster_rounds=10,
    restarts=10,
    restart_runs=20,
    restart_slots=14,
    node_rounds=3,
    lease_seconds=25,
    rolling_runs=100,
    rolling_seconds=(1, 30),
    outage_seconds=30,
    outage_runs=10,
    clocks=(1, 2, 4, 8),
    clock_tasks=200,
    clock_minutes=60,
    cycles=200,
    cycle_seconds=(0.1, 1.5),
    restart_seconds=(4, 12),
)

SIZES = FULL if os.environ.get("CHAOS") == "full" else SHORT
