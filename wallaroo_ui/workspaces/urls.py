from django.urls import path

from wallaroo_ui.workspaces import views

app_name = "workspaces"

urlpatterns = [
    path("", views.workspace_list, name="list"),
]
