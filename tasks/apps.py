from typing import Any

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Tasks, their runs, and the agent that follows them."""

    name = "tasks"

    def ready(self) -> None:
        """Hear of what ends: waiting runs may now start, or never."""
        from orchestrations.models import Packaging
        from tasks.models import TaskRun
        from wallaroo_ui.executions.services import ended

        ended.connect(on_packaging_ended, sender=Packaging, dispatch_uid="tasks.packaging")
        ended.connect(on_run_ended, sender=TaskRun, dispatch_uid="tasks.run")


def on_packaging_ended(execution: Any, **_: Any) -> None:
    """Start, or end, the runs that waited for a packaging."""
    from django.db import transaction

    from tasks import launching, services

    # Each in a transaction of its own, as ends are recorded everywhere: many in one would
    # keep others from writing, and lock a second run after the first one's task.
    transaction.on_commit(lambda: services.fail_waiting_runs(execution))
    launching.ring_after_commit()


def on_run_ended(execution: Any, **_: Any) -> None:
    """Make the run that follows, and let the next waiting one have the slot."""
    from tasks import successors

    successors.succeed(execution)
