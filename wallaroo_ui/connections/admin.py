from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallaroo_ui.connections.models import Connection, WorkspaceConnection


class LinkInline(admin.TabularInline[WorkspaceConnection, Connection]):
    """The workspaces that have a connection, on its page."""

    model = WorkspaceConnection
    extra = 0
    autocomplete_fields = ("workspace",)
    readonly_fields = ("created_by", "created_at")


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin[Connection]):
    """Connections, without what is secret: details are neither shown nor decrypted here."""

    list_display = ("name", "type", "created_by", "created_at", "updated_at")
    list_filter = ("type", "created_at")
    search_fields = ("name", "type", "id", "created_by__email", "workspaces__name")
    list_select_related = ("created_by",)
    date_hierarchy = "created_at"
    fields = ("id", "name", "type", "details_are_kept", "created_by", "created_at", "updated_at")
    readonly_fields = ("id", "name", "details_are_kept", "created_by", "created_at", "updated_at")
    inlines = (LinkInline,)

    @admin.display(description="Details")
    def details_are_kept(self, connection: Connection) -> str:
        """Stand in the place of the details."""
        return "••••••••"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Leave making them to the pages, which take details."""
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Note who has added a link."""
        for link in formset.save(commit=False):
            link.created_by = link.created_by or request.user
        super().save_formset(request, form, formset, change)
