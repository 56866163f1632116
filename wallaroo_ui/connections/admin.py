from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections import services
from wallaroo_ui.connections.models import Connection, WorkspaceConnection


class LinkInline(admin.TabularInline[WorkspaceConnection, Connection]):
    """The workspaces that have a connection, on its page."""

    model = WorkspaceConnection
    extra = 0
    autocomplete_fields = ("workspace",)
    readonly_fields = ("created_by", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: Connection | None = None) -> bool:
        """Add a link or take one away: none becomes another one."""
        return False


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

    def delete_model(self, request: HttpRequest, obj: Connection) -> None:
        """Delete a connection, and say so in every workspace that had it."""
        services.delete_connection(connection=obj, user=cast("User", request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        """Delete connections, and say so in every workspace that had them."""
        for connection in queryset:
            self.delete_model(request, connection)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Let workspaces have the connection, or no longer, as the pages do."""
        formset.save(commit=False)
        user, connection = cast("User", request.user), formset.instance
        for link in formset.deleted_objects:
            services.unlink_connection(connection=connection, workspace=link.workspace, user=user)
        for link in formset.new_objects:
            services.link_connection(connection=connection, workspace=link.workspace, user=user)
