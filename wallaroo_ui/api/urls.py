from django.urls import path

from wallaroo_ui.api import oauth, views

app_name = "api"

# No path ends in a slash: the SDK follows no redirects.
urlpatterns = [
    path("v1/api/config", views.config, name="config"),
    path("auth/realms/master/protocol/openid-connect/token", oauth.token, name="token"),
    path("auth/realms/master/protocol/openid-connect/auth/device", oauth.device, name="device"),
]
