"""The overview of the whole server, for platform admins."""

from django.contrib.auth.decorators import login_required
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks.overview import overview
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.workspaces.access import require_platform_admin


@require_safe
@login_required
def server_overview(request: AuthenticatedRequest) -> TemplateResponse:
    """Show how the server is: people, workloads, nodes, queue, what is late, failing, stuck."""
    require_platform_admin(request.user)
    return render_page_or_region(
        request,
        page="overview/overview.html",
        region="overview/_overview.html",
        context={"overview": overview(at=timezone.now())},
    )
