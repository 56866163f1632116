from django.urls import path

from wallaroo_ui.api import graphql, views

app_name = "api"

# No path ends in a slash: the SDK follows no redirects.
urlpatterns = [
    path("v1/graphql", graphql.graphql, name="graphql"),
    path("auth/realms/master/protocol/openid-connect/token", views.token, name="token"),
]
