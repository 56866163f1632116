from typing import Any

from django.apps import AppConfig


class OrchestrationsConfig(AppConfig):
    """Uploaded archives of code and the environments they run in."""

    name = "orchestrations"

    def ready(self) -> None:
        """Hear of packagings that end."""
        from orchestrations.models import Packaging
        from wallaroo_ui.executions.services import ended

        ended.connect(on_packaging_ended, sender=Packaging, dispatch_uid="orchestrations")


def on_packaging_ended(execution: Any, **_: Any) -> None:
    """Bring the orchestration to the end that its packaging came to."""
    from orchestrations import services

    services.conclude_packaging(execution)
