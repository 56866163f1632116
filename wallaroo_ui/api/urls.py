from django.urls import path

from wallaroo_ui.api import views

app_name = "api"

# No path ends in a slash: the SDK follows no redirects.
urlpatterns = [
    path("v1/api/config", views.config, name="config"),
    path("auth/realms/master/protocol/openid-connect/token", views.token, name="token"),
]
