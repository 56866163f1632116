from django.contrib.auth import views as auth_views
from django.urls import path, reverse_lazy

from wallaroo_ui.accounts import views

app_name = "accounts"

urlpatterns = [
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path(
        "password/",
        auth_views.PasswordChangeView.as_view(
            template_name="registration/password_change.html",
            success_url=reverse_lazy("accounts:password-changed"),
        ),
        name="password-change",
    ),
    path(
        "password/changed/",
        auth_views.PasswordChangeDoneView.as_view(
            template_name="registration/password_changed.html"
        ),
        name="password-changed",
    ),
    path("account/", views.account, name="account"),
    path("account/profile/", views.profile, name="profile"),
    path("account/sessions/<int:pk>/end/", views.session_end, name="session-end"),
    path("account/sessions/end-others/", views.sessions_end_others, name="sessions-end-others"),
    path("account/tokens/new/", views.token_create, name="token-create"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("account/logins/<int:pk>/end/", views.login_end, name="login-end"),
    # Shown by the SDK: beside its other addresses, and like them without a slash at the end.
    path("auth/device", views.device, name="device"),
]
