from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrations import services
from orchestrations.models import Orchestration, Packaging, Version
from wallaroo_ui.executions.admin import HistoryAdmin


@admin.register(Orchestration)
class OrchestrationAdmin(HistoryAdmin):
    """What was uploaded under one name."""

    list_display = ("display_name", "workspace", "newest", "status", "created_by", "created_at")
    list_filter = ("newest__status", "created_at", "workspace")
    search_fields = (
        "name",
        "versions__file_name",
        "id",
        "versions__sha",
        "workspace__name",
        "created_by__email",
    )
    list_prefetch = ("workspace", "created_by", "newest")
    ordering = ("-created_at", "-pk")
    actions = ("package_again",)

    @admin.display(ordering="newest__status")
    def status(self, orchestration: Orchestration) -> str:
        """Return how far the newest version is."""
        return orchestration.newest.get_status_display()

    @admin.action(description="Package the newest version again")
    def package_again(self, request: HttpRequest, queryset: QuerySet[Orchestration]) -> None:
        """Queue a packaging of each of the chosen orchestrations."""
        for orchestration in queryset:
            services.request_packaging(version=orchestration.newest, user=request.user)  # type: ignore[arg-type]
        self.message_user(request, f"{len(queryset)} queued for packaging.", messages.SUCCESS)


@admin.register(Version)
class VersionAdmin(HistoryAdmin):
    """Uploaded archives. What was uploaded stays as it was; packaging can be repeated."""

    list_display = ("orchestration", "number", "status", "file_name", "created_by", "created_at")
    list_filter = ("status", "created_at", "orchestration__workspace")
    search_fields = ("orchestration__name", "orchestration__id", "file_name", "sha")
    list_prefetch = ("orchestration__newest", "created_by")
    ordering = ("-created_at", "-pk")
    actions = ("package_again",)

    @admin.action(description="Package again")
    def package_again(self, request: HttpRequest, queryset: QuerySet[Version]) -> None:
        """Queue a packaging of each of the chosen versions."""
        for version in queryset:
            services.request_packaging(version=version, user=request.user)  # type: ignore[arg-type]
        self.message_user(request, f"{len(queryset)} queued for packaging.", messages.SUCCESS)


@admin.register(Packaging)
class PackagingAdmin(HistoryAdmin):
    """Every attempt at packaging."""

    list_display = (
        "id",
        "orchestration",
        "version",
        "status",
        "node",
        "queued_at",
        "ended_at",
        "reason",
    )
    list_filter = ("status", "node", "queued_at")
    search_fields = ("id", "version__orchestration__name", "version__file_name", "reason")
    list_prefetch = ("version__orchestration__newest", "node")
    ordering = ("-queued_at", "-pk")
    actions = ("stop",)

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, queryset: QuerySet[Packaging]) -> None:
        """Ask for the end of each of the chosen packagings."""
        stopped = sum(
            services.stop_packaging(packaging=packaging, user=request.user)  # type: ignore[arg-type]
            for packaging in queryset
        )
        self.message_user(request, f"{stopped} asked to stop.", messages.SUCCESS)
