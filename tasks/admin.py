from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tasks import services
from tasks.models import SkippedTicks, Task, TaskRun
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.admin import HistoryAdmin


@admin.register(Task)
class TaskAdmin(HistoryAdmin):
    """Tasks, made on the pages or by the SDK."""

    list_display = (
        "name",
        "kind",
        "state",
        "orchestration",
        "version",
        "schedule",
        "time_zone",
        "next_run_at",
        "created_by",
        "created_at",
    )
    list_filter = ("kind", "state", "created_at", "orchestration__workspace")
    search_fields = ("name", "id", "orchestration__name", "orchestration__newest__file_name")
    list_prefetch = ("orchestration__newest", "version", "created_by")
    ordering = ("-created_at", "-pk")
    actions = ("pause", "resume", "stop")

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Have the chosen tasks make no more runs until they are resumed."""
        user, at = cast("User", request.user), timezone.now()
        done = sum(services.pause_task(task=task, user=user, at=at) for task in queryset)
        self.message_user(request, f"{done} paused.", messages.SUCCESS)

    @admin.action(description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Let the chosen tasks make runs again."""
        user, at = cast("User", request.user), timezone.now()
        done = sum(services.resume_task(task=task, user=user, at=at) for task in queryset)
        self.message_user(request, f"{done} resumed.", messages.SUCCESS)

    @admin.action(description="Stop for good, and delete the logs")
    def stop(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Stop each of the chosen tasks."""
        user, at = cast("User", request.user), timezone.now()
        done = sum(services.kill_task(task=task, user=user, at=at) for task in queryset)
        self.message_user(request, f"{done} asked to stop.", messages.SUCCESS)


@admin.register(SkippedTicks)
class SkippedTicksAdmin(HistoryAdmin):
    """The times at which tasks did not run, and why."""

    list_display = ("task", "reason", "count", "first_due_at", "last_due_at", "user")
    list_filter = ("reason", "last_due_at")
    search_fields = ("task__name", "task__id")
    list_prefetch = ("task", "user")
    ordering = ("-last_due_at", "-pk")


@admin.register(TaskRun)
class TaskRunAdmin(HistoryAdmin):
    """Every run, and what became of it."""

    list_display = (
        "id",
        "task",
        "version",
        "status",
        "trigger",
        "due_at",
        "isolation",
        "node",
        "queued_at",
        "ended_at",
        "reason",
    )
    list_filter = ("status", "trigger", "isolation", "node", "queued_at")
    search_fields = ("id", "task__name", "task__id", "reason")
    list_prefetch = ("task", "version", "node")
    # By its index. One by `queued_at` alone would tempt a database to walk through all runs
    # for the few that are waiting.
    ordering = ("-ended_at", "-pk")
    actions = ("stop",)

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> None:
        """Ask for the end of each of the chosen runs."""
        user, at = cast("User", request.user), timezone.now()
        stopped = sum(services.stop_run(run=run, user=user, at=at) for run in queryset)
        self.message_user(request, f"{stopped} asked to stop.", messages.SUCCESS)
