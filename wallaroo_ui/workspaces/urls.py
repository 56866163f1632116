from django.urls import path

from wallaroo_ui.workspaces import views

app_name = "workspaces"

urlpatterns = [
    path("", views.workspace_list, name="list"),
    path("new/", views.workspace_create, name="create"),
    path("<int:pk>/", views.workspace_detail, name="detail"),
    path("<int:pk>/time-zone/", views.time_zone_set, name="time-zone"),
    path("<int:pk>/leave/", views.workspace_leave, name="leave"),
    path("<int:pk>/members/", views.member_add, name="member-add"),
    path("<int:pk>/members/<uuid:user_id>/role/", views.member_role, name="member-role"),
    path("<int:pk>/members/<uuid:user_id>/remove/", views.member_remove, name="member-remove"),
]
