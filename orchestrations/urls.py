from django.urls import include, path

from orchestrations import file_views, version_views, views

app_name = "orchestrations"

of_version = [
    path("", version_views.version_detail, name="version"),
    path("changes/", version_views.version_changes, name="version-changes"),
    path("packaging/", version_views.version_packaging, name="packaging"),
    path("package/", version_views.version_package, name="package"),
    path("package/stop/", version_views.version_stop_packaging, name="stop-packaging"),
    path("archive/", version_views.version_download, name="download"),
    path("files/<path:name>", file_views.archive_file, name="archive-file"),
    path("raw/<path:name>", file_views.archive_file_download, name="archive-file-download"),
]

urlpatterns = [
    path("workspaces/<int:workspace_id>/workloads/", views.orchestration_list, name="list"),
    path(
        "workspaces/<int:workspace_id>/workloads/upload/",
        views.orchestration_upload,
        name="upload",
    ),
    path(
        "workspaces/<int:workspace_id>/workloads/sample/",
        views.sample_upload,
        name="sample",
    ),
    path("orchestrations/<uuid:pk>/", views.orchestration_detail, name="detail"),
    path("orchestrations/<uuid:pk>/runs/", views.orchestration_runs, name="runs"),
    path("orchestrations/<uuid:pk>/files/", views.orchestration_files, name="files"),
    path("orchestrations/<uuid:pk>/versions/", views.orchestration_versions, name="versions"),
    path(
        "orchestrations/<uuid:pk>/versions/new/",
        version_views.version_upload,
        name="version-upload",
    ),
    path("orchestrations/<uuid:pk>/versions/<int:number>/", include(of_version)),
    path("packagings/<uuid:pk>/log/", version_views.packaging_log, name="packaging-log"),
]
