"""The workspace chooser."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.workspaces.models import Workspace
from wallaroo_ui.workspaces.services import ensure_default_workspace


@require_safe
@login_required
def home(request: AuthenticatedRequest) -> HttpResponse:
    """Bring a person to where their work is: their own workspace, unless it is empty.

    Somebody whose workloads are all elsewhere, as the first admin's, gets the choice.
    """
    own = ensure_default_workspace(request.user)
    visible = Workspace.objects.visible_to(request.user)
    with_work = visible.filter(orchestrations__isnull=False).distinct()
    if with_work.exists() and own not in with_work:
        return redirect("workspaces:list")
    return redirect(own)


@require_safe
@login_required
def workspace_list(request: AuthenticatedRequest) -> TemplateResponse:
    """Show every workspace that the person may see, to choose one."""
    visible = (
        Workspace.objects.visible_to(request.user)
        .annotate(
            member_count=Count("memberships", distinct=True),
            workload_count=Count("orchestrations", distinct=True),
        )
        .order_by("name")
    )
    return TemplateResponse(request, "workspaces/workspace_list.html", {"workspaces": visible})
