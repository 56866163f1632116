"""Deleting old packagings, and environments that nobody uses any more."""

import logging
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import OuterRef, Subquery

from orchestrations.environments import base_environment, environments_behind
from orchestrations.models import Packaging
from wallaroo_ui.executions.retention import delete_finished, delete_orphans
from wallaroo_ui.executions.spool import remove_tree

logger = logging.getLogger(__name__)


def delete_old_packagings(*, at: datetime, limit: int) -> int:
    """Delete packagings past their days, but for the latest of each version."""
    latest = Packaging.objects.filter(version=OuterRef("version")).newest_first()
    old = Packaging.objects.filter(ended_at__lt=at - timedelta(days=settings.RUNS_KEPT_DAYS))
    count = delete_finished(old.exclude(pk=Subquery(latest.values("pk")[:1])), limit=limit)
    return count + delete_orphans(Packaging, limit=limit)


def delete_unused_environments(*, in_use: set[str]) -> int:
    """Delete the environments in which nothing has started for long.

    An orchestration that runs again has its own packaged again.

    Args:
        in_use: the names of those in which something runs now.
    """
    root = Path(settings.DATA_DIR) / "environments"
    kept = in_use | {base_environment(root, settings.BASE_REQUIREMENTS).name}
    # After an update of Python or of the base's packages, what still runs has another base.
    kept |= {base for name in in_use for base in environments_behind(root / name)}
    oldest = time.time() - timedelta(days=settings.ENVIRONMENTS_KEPT_DAYS).total_seconds()
    count = 0
    for directory in root.glob("*-*") if root.is_dir() else ():
        hidden = directory.name.startswith(".")
        if directory.name in kept or not directory.is_dir() or directory.stat().st_mtime > oldest:
            continue
        # Renamed first: an environment is there whole or not at all.
        doomed = directory if hidden else root / f".{directory.name}.removed-{os.getpid()}"
        directory.rename(doomed)
        remove_tree(doomed)
        count += 1
        logger.info("environment deleted", extra={"environment": directory.name})
    return count
