from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallaroo_ui.workspaces.models import Event, Invitation, Membership, Workspace


class MembershipInline(admin.TabularInline[Membership, Workspace]):
    """The members of a workspace, on its page."""

    model = Membership
    extra = 0
    fields = ("user", "role", "created_at")
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Workspace | None = None) -> bool:
        """Leave members to the dashboard's page of the workspace, to which “View on site” leads."""
        return False


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    """Workspaces and, inside each, who belongs to it."""

    list_display = ("name", "id", "time_zone", "created_by", "created_at")
    search_fields = ("name", "members__email")
    list_filter = ("created_at",)
    autocomplete_fields = ("default_for", "created_by")
    readonly_fields = ("created_at",)
    inlines = (MembershipInline,)

    def view_on_site(self, workspace: Workspace) -> str:
        """Return the address of the page on which members are changed."""
        return workspace.page_url

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Let its events and memberships go with a workspace, though none is deleted alone."""
        shown, counts, needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, needed - {"event", "membership"}, protected


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin[Membership]):
    """Every membership: who has which role where.

    Changed on the dashboard's page of the workspace, to which “View on site” leads: there an
    owner always stays, and what is done is among its activity.
    """

    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "user__username", "workspace__name")
    list_select_related = ("user", "workspace")

    def view_on_site(self, membership: Membership) -> str:
        """Return the address of the page on which members are changed."""
        return membership.workspace.page_url

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Leave it to the page of the workspace."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Leave it to the page of the workspace."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Leave it to the page of the workspace."""
        return False


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin[Invitation]):
    """Invitations that are open. To withdraw one, an admin deletes it."""

    list_display = ("email", "workspace", "role", "created_by", "created_at", "expires_at")
    search_fields = ("email", "workspace__name")
    list_select_related = ("workspace", "created_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An invitation is made on the page of its workspace, where its link is shown."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What it says is settled when it is made."""
        return False


@admin.register(Event)
class EventAdmin(admin.ModelAdmin[Event]):
    """Who did what, over all workspaces. Nobody changes it."""

    list_display = ("at", "user", "verb", "subject", "detail", "workspace")
    list_filter = ("verb", "at")
    search_fields = ("subject", "user__email", "workspace__name")
    list_select_related = ("user", "workspace")
    ordering = ("-at", "-pk")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """It is written by what it tells of."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It tells what was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It goes with age alone."""
        return False
