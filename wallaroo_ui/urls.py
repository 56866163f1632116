"""The map of the site."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import include, path
from django_q.models import Failure, OrmQ, Schedule, Success

from tasks import overview_views
from wallaroo_ui import health, help_views
from wallaroo_ui.api import rest
from wallaroo_ui.workspaces import views as workspaces

# Jobs are this server's own affair, their schedules are switched off, and groups give no
# rights here: none of them is shown.
for model in (Failure, Group, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

admin.site.site_header = admin.site.site_title = "Wallaroo UI administration"
admin.site.index_title = "Everything on this server"

urlpatterns = [
    path("", workspaces.home, name="home"),
    path("", include("wallaroo_ui.accounts.urls")),
    path("workspaces/", include("wallaroo_ui.workspaces.urls")),
    path("", include("wallaroo_ui.connections.urls")),
    path("", include("orchestrations.urls")),
    path("", include("tasks.urls")),
    path("nodes/", include("tasks.node_urls")),
    path("overview/", overview_views.server_overview, name="overview"),
    path("", include("wallaroo_ui.api.urls")),
    path("", rest.api.urls),
    path("shortcuts/", help_views.shortcuts, name="shortcuts"),
    path("styleguide/", help_views.styleguide, name="styleguide"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
