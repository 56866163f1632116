from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save


class WorkspacesConfig(AppConfig):
    """Workspaces, their members and roles."""

    name = "wallaroo_ui.workspaces"

    def ready(self) -> None:
        """Give every new person a default workspace, however they were made."""
        post_save.connect(
            give_default_workspace,
            sender=settings.AUTH_USER_MODEL,
            dispatch_uid="give_default_workspace",
        )


def give_default_workspace(instance: Any, created: bool, raw: bool, **_: Any) -> None:
    """Make the default workspace of a person who was just created."""
    from wallaroo_ui.workspaces.services import ensure_default_workspace

    if created and not raw:
        ensure_default_workspace(instance)
