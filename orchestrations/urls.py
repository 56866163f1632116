from django.urls import path

from orchestrations import file_views, views

app_name = "orchestrations"

urlpatterns = [
    path("workspaces/<int:workspace_id>/workloads/", views.orchestration_list, name="list"),
    path(
        "workspaces/<int:workspace_id>/workloads/upload/",
        views.orchestration_upload,
        name="upload",
    ),
    path("orchestrations/<uuid:pk>/", views.orchestration_detail, name="detail"),
    path("orchestrations/<uuid:pk>/packaging/", views.orchestration_packaging, name="packaging"),
    path("orchestrations/<uuid:pk>/activity/", views.orchestration_activity, name="activity"),
    path("orchestrations/<uuid:pk>/archive/", views.orchestration_download, name="download"),
    path(
        "orchestrations/<uuid:pk>/files/<path:name>", file_views.archive_file, name="archive-file"
    ),
    path(
        "orchestrations/<uuid:pk>/raw/<path:name>",
        file_views.archive_file_download,
        name="archive-file-download",
    ),
    path("orchestrations/<uuid:pk>/package/", views.orchestration_package, name="package"),
    path(
        "orchestrations/<uuid:pk>/package/stop/",
        views.orchestration_stop_packaging,
        name="stop-packaging",
    ),
    path("packagings/<uuid:pk>/log/", views.packaging_log, name="packaging-log"),
]
