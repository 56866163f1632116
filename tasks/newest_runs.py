"""The newest runs of each of many tasks or orchestrations, in two queries."""

import uuid
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, OuterRef, QuerySet, Subquery

if TYPE_CHECKING:
    from tasks.models import TaskRun, TaskRunQuerySet

OwnerT = TypeVar("OwnerT", bound=Model)

# SQLite takes no more than some 30,000 values in one statement.
KEYS_A_QUERY = 10_000


def with_newest_runs(
    owners: QuerySet[OwnerT], *, link: str, runs: "TaskRunQuerySet", limit: int
) -> list[OwnerT]:
    """Fetch owners, each with its newest runs, the newest first, in `newest_runs`.

    They are found one by one at the head of each owner's index, so that it costs the same
    however many runs an owner has.

    Args:
        owners: tasks or orchestrations.
        link: the field by which a run names its owner.
        runs: which ones count, with the fields that are wanted.
        limit: how many an owner at the most.
    """
    newest = runs.filter(**{link: OuterRef("pk")}).newest_first().values("pk")
    ranks = [f"run_{rank}" for rank in range(limit)]
    found = list(
        owners.annotate(
            **{name: Subquery(newest[rank : rank + 1]) for rank, name in enumerate(ranks)}
        )
    )
    keys = [key for owner in found for name in ranks if (key := getattr(owner, name))]
    by_key: dict[uuid.UUID, TaskRun] = {}
    for start in range(0, len(keys), KEYS_A_QUERY):
        by_key |= runs.in_bulk(keys[start : start + KEYS_A_QUERY])
    for owner in found:
        of_owner = (by_key.get(getattr(owner, name)) for name in ranks)
        owner.newest_runs = [run for run in of_owner if run is not None]
    return found
