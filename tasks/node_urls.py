from django.urls import path

from tasks import node_views

app_name = "nodes"

urlpatterns = [
    path("", node_views.node_list, name="list"),
    path("<int:pk>/drain/", node_views.node_drain, name="drain"),
]
