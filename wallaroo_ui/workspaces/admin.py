from django.contrib import admin

from wallaroo_ui.workspaces.models import Membership, Workspace


class MembershipInline(admin.TabularInline[Membership, Workspace]):
    """The members of a workspace, on its page."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    """Workspaces and, inside each, who belongs to it."""

    list_display = ("name", "id", "time_zone", "created_by", "created_at")
    search_fields = ("name", "members__email")
    list_filter = ("created_at",)
    autocomplete_fields = ("default_for", "created_by")
    readonly_fields = ("created_at",)
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin[Membership]):
    """Every membership: who has which role where."""

    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "user__username", "workspace__name")
    autocomplete_fields = ("user", "workspace")
    list_select_related = ("user", "workspace")
