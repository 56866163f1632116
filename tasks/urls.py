from django.urls import path

from tasks import bulk_views, log_views, run_views, search_views, task_views

app_name = "tasks"

urlpatterns = [
    path("search/", search_views.search, name="search"),
    path("workspaces/<int:workspace_id>/tasks/bulk/", bulk_views.tasks_bulk, name="bulk"),
    path("workspaces/<int:workspace_id>/runs/bulk/", bulk_views.runs_bulk, name="runs-bulk"),
    path(
        "orchestrations/<uuid:orchestration_id>/tasks/new/", task_views.task_create, name="create"
    ),
    path(
        "orchestrations/<uuid:orchestration_id>/tasks/schedule/",
        task_views.schedule_preview,
        name="schedule-preview",
    ),
    path(
        "orchestrations/<uuid:orchestration_id>/tasks/arguments/",
        task_views.arguments_check,
        name="arguments-check",
    ),
    path("tasks/<uuid:pk>/", task_views.task_detail, name="detail"),
    path("tasks/<uuid:pk>/summary/", task_views.task_summary, name="summary"),
    path("tasks/<uuid:pk>/history/", task_views.task_history, name="history"),
    path("tasks/<uuid:pk>/edit/", task_views.task_edit, name="edit"),
    path("tasks/<uuid:pk>/pause/", task_views.task_pause, name="pause"),
    path("tasks/<uuid:pk>/resume/", task_views.task_resume, name="resume"),
    path("tasks/<uuid:pk>/run/", task_views.task_run, name="run"),
    path("tasks/<uuid:pk>/stop/", task_views.task_kill, name="kill"),
    path("tasks/<uuid:pk>/logs/", task_views.task_logs_zip, name="logs-zip"),
    path("runs/<uuid:pk>/", run_views.run_detail, name="run-detail"),
    path("runs/<uuid:pk>/summary/", run_views.run_summary, name="run-summary"),
    path("runs/<uuid:pk>/tail/", run_views.run_tail, name="run-tail"),
    path("runs/<uuid:pk>/log/", log_views.run_log, name="run-log"),
    path("runs/<uuid:pk>/log/search/", log_views.run_log_search, name="run-log-search"),
    path("runs/<uuid:pk>/log/stream/", log_views.run_log_stream, name="run-log-stream"),
    path("runs/<uuid:pk>/log/raw/", log_views.run_log_raw, name="run-log-raw"),
    path("runs/<uuid:pk>/log/download/", log_views.run_log_download, name="run-log-download"),
    path("runs/<uuid:pk>/stop/", run_views.run_stop, name="run-stop"),
]
