from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallaroo_ui.executions.models import Node


class HistoryAdmin(admin.ModelAdmin[Any]):
    """For what has happened: everybody may look, nobody may rewrite it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """History is made by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is not deleted by hand."""
        return False


@admin.register(Node)
class NodeAdmin(HistoryAdmin):
    """The hosts that execute, and when each was last heard of."""

    list_display = ("name", "slots", "isolation", "agent_seen_at", "cluster_seen_at")
    search_fields = ("name",)
