from django.urls import path

from tasks import views

app_name = "tasks"

urlpatterns = [
    path("orchestrations/<uuid:orchestration_id>/tasks/new/", views.task_create, name="create"),
    path("runs/<uuid:pk>/", views.run_detail, name="run-detail"),
    path("runs/<uuid:pk>/summary/", views.run_summary, name="run-summary"),
    path("runs/<uuid:pk>/log/", views.run_log, name="run-log"),
    path("runs/<uuid:pk>/log/raw/", views.run_log_raw, name="run-log-raw"),
    path("runs/<uuid:pk>/stop/", views.run_stop, name="run-stop"),
]
