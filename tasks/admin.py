from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tasks import services
from tasks.models import Task, TaskRun
from wallaroo_ui.executions.admin import HistoryAdmin


@admin.register(Task)
class TaskAdmin(HistoryAdmin):
    """Tasks, made on the pages or by the SDK."""

    list_display = ("name", "kind", "orchestration", "timeout_seconds", "created_by", "created_at")
    list_filter = ("kind", "created_at", "orchestration__workspace")
    search_fields = ("name", "id", "orchestration__name", "orchestration__file_name")
    list_select_related = ("orchestration", "created_by")
    date_hierarchy = "created_at"


@admin.register(TaskRun)
class TaskRunAdmin(HistoryAdmin):
    """Every run, and what became of it."""

    list_display = ("id", "task", "status", "isolation", "node", "queued_at", "ended_at", "reason")
    list_filter = ("status", "isolation", "node", "queued_at")
    search_fields = ("id", "task__name", "task__id", "reason")
    list_select_related = ("task", "node")
    date_hierarchy = "queued_at"
    actions = ("stop",)

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> None:
        """Ask for the end of each of the chosen runs."""
        stopped = sum(
            services.stop_run(run=run, user=request.user, at=timezone.now())  # type: ignore[arg-type]
            for run in queryset
        )
        self.message_user(request, f"{stopped} asked to stop.", messages.SUCCESS)
