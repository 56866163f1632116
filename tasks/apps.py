from typing import Any

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Tasks, their runs, and the agent that follows them."""

    name = "tasks"

    def ready(self) -> None:
        """Hear of packagings that end: runs wait for them."""
        from orchestrations.services import packaging_ended

        packaging_ended.connect(on_packaging_ended, dispatch_uid="tasks.on_packaging_ended")


def on_packaging_ended(packaging: Any, **_: Any) -> None:
    """Start, or end, the runs that waited for a packaging."""
    from tasks import services

    services.fail_waiting_runs(packaging)
    services.ring_after_commit()
