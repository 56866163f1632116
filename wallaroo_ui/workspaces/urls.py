from django.urls import path

from wallaroo_ui.workspaces import invitation_views, views

app_name = "workspaces"

urlpatterns = [
    path("", views.workspace_list, name="list"),
    path("new/", views.workspace_create, name="create"),
    path("<int:pk>/", views.workspace_detail, name="detail"),
    path("<int:pk>/activity/", views.workspace_activity, name="activity"),
    path("<int:pk>/defaults/", views.defaults_set, name="defaults"),
    path("<int:pk>/leave/", views.workspace_leave, name="leave"),
    path("<int:pk>/members/", views.member_add, name="member-add"),
    path(
        "<int:pk>/invitations/<int:invitation_id>/withdraw/",
        invitation_views.invitation_withdraw,
        name="invitation-withdraw",
    ),
    path("invitations/<str:token>/", invitation_views.invitation, name="invitation"),
    path("<int:pk>/members/<uuid:user_id>/role/", views.member_role, name="member-role"),
    path("<int:pk>/members/<uuid:user_id>/remove/", views.member_remove, name="member-remove"),
]
