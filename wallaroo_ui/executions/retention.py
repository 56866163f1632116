"""Deleting what is old: executions with their spools, and spools without an execution.

In small batches, each whole in itself: whoever is interrupted left nothing half done, and
the next round goes on.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from uuid import UUID

from wallaroo_ui.executions.models import Execution, ExecutionQuerySet
from wallaroo_ui.executions.spool import Spool, remove_tree

BATCH = 100
# A spool is made after its row is there: one without a row, and as old, has no owner.
ORPHAN_SECONDS = 3600


def delete_finished(queryset: ExecutionQuerySet, *, limit: int) -> int:
    """Delete finished executions, the spools first.

    Args:
        queryset: which ones; those that are not finished are left alone.
        limit: how many at the most.

    Returns:
        How many there were.
    """
    kind: type[Execution] = queryset.model
    count = 0
    while count < limit:
        batch = list(queryset.finished().only("pk", "fence")[: min(BATCH, limit - count)])
        if not batch:
            break
        for execution in batch:
            for spool in execution.all_spools:
                spool.remove()
        kind.objects.filter(pk__in=[execution.pk for execution in batch]).delete()
        count += len(batch)
    return count


def delete_orphans(kind: type[Execution], *, limit: int) -> int:
    """Delete spools whose execution is no longer there. Return how many there were."""
    oldest = time.time() - ORPHAN_SECONDS
    orphans = (path for path in _spools(kind) if _changed_at(path) < oldest)
    count = 0
    while batch := list(islice(orphans, 500)):
        keys = {path: _key(path) for path in batch}
        wanted = [key for key in keys.values() if key is not None]
        known = set(kind.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        for path, key in keys.items():
            if key is not None and key not in known and count < limit:
                remove_tree(path)
                count += 1
    return count


def delete_homes(kind: type[Execution], *, limit: int) -> int:
    """Delete homes that were on their way out when whoever removed them ended."""
    oldest = time.time() - ORPHAN_SECONDS
    count = 0
    for path in _spools(kind):
        gone = Spool(path).gone
        with suppress(FileNotFoundError):
            if count < limit and gone.stat().st_mtime < oldest:
                remove_tree(gone)
                count += 1
    return count


def _spools(kind: type[Execution]) -> Iterable[Path]:
    try:
        yield from kind.spools().iterdir()
    except FileNotFoundError:
        return


def _changed_at(spool: Path) -> float:
    try:
        return spool.stat().st_mtime
    except FileNotFoundError:  # Somebody else removes it at this moment.
        return time.time()


def _key(spool: Path) -> UUID | None:
    try:
        return UUID(spool.name.partition(".")[0])
    except ValueError:  # Nothing of ours.
        return None
