from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrations import services
from orchestrations.models import Orchestration, Packaging
from wallaroo_ui.executions.admin import HistoryAdmin


@admin.register(Orchestration)
class OrchestrationAdmin(HistoryAdmin):
    """Uploaded archives. What was uploaded stays as it was; packaging can be repeated."""

    list_display = ("display_name", "workspace", "status", "file_name", "created_by", "created_at")
    list_filter = ("status", "created_at", "workspace")
    search_fields = ("name", "file_name", "id", "sha", "workspace__name", "created_by__email")
    list_select_related = ("workspace", "created_by")
    date_hierarchy = "created_at"
    actions = ("package_again",)

    @admin.action(description="Package again")
    def package_again(self, request: HttpRequest, queryset: QuerySet[Orchestration]) -> None:
        """Queue a packaging of each of the chosen orchestrations."""
        for orchestration in queryset:
            services.request_packaging(orchestration=orchestration, user=request.user)  # type: ignore[arg-type]
        self.message_user(request, f"{len(queryset)} queued for packaging.", messages.SUCCESS)


@admin.register(Packaging)
class PackagingAdmin(HistoryAdmin):
    """Every attempt at packaging."""

    list_display = ("id", "orchestration", "status", "node", "queued_at", "ended_at", "reason")
    list_filter = ("status", "node", "queued_at")
    search_fields = ("id", "orchestration__name", "orchestration__file_name", "reason")
    list_select_related = ("orchestration", "node")
    date_hierarchy = "queued_at"
    actions = ("stop",)

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, queryset: QuerySet[Packaging]) -> None:
        """Ask for the end of each of the chosen packagings."""
        stopped = sum(
            services.stop_packaging(packaging=packaging, user=request.user)  # type: ignore[arg-type]
            for packaging in queryset
        )
        self.message_user(request, f"{stopped} asked to stop.", messages.SUCCESS)
