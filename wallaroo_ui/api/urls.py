from django.urls import path

from wallaroo_ui.api import graphql, oauth

app_name = "api"

# No path ends in a slash: the SDK follows no redirects. The REST API is in rest.py.
urlpatterns = [
    path("v1/graphql", graphql.graphql, name="graphql"),
    path("auth/realms/master/protocol/openid-connect/token", oauth.token, name="token"),
    path("auth/realms/master/protocol/openid-connect/auth/device", oauth.device, name="device"),
]
