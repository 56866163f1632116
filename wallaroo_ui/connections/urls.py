from django.urls import path

from wallaroo_ui.connections import views

app_name = "connections"

urlpatterns = [
    path("connections/", views.connection_list, name="list"),
    path(
        "workspaces/<int:workspace_id>/connections/",
        views.workspace_connections,
        name="of-workspace",
    ),
    path("connections/create/", views.connection_create, name="create"),
    path("connections/<uuid:pk>/", views.connection_detail, name="detail"),
    path("connections/<uuid:pk>/details/", views.connection_details, name="details"),
    path("connections/<uuid:pk>/edit/", views.connection_edit, name="edit"),
    path("connections/<uuid:pk>/link/", views.connection_link, name="link"),
    path(
        "connections/<uuid:pk>/workspaces/<int:workspace_id>/unlink/",
        views.connection_unlink,
        name="unlink",
    ),
    path("connections/<uuid:pk>/delete/", views.connection_delete, name="delete"),
]
