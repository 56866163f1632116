"""The page about the hosts that execute, for platform admins."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from orchestrations.models import Packaging
from tasks.models import TaskRun
from wallaroo_ui.executions import services as executions
from wallaroo_ui.executions.models import HELD, Node
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.workspaces.access import require_platform_admin


@dataclass(frozen=True)
class NodeOverview:
    """A node and what it holds at a moment."""

    node: Node
    at: datetime
    runs: list[TaskRun]
    packagings: list[Packaging]

    @property
    def is_answering(self) -> bool:
        """Tell whether both agent and cluster reported lately."""
        return self.node.is_answering(at=self.at)

    @property
    def is_empty(self) -> bool:
        """Tell whether it could be switched off without ending anything."""
        return not self.runs and not self.packagings


@require_safe
@login_required
def node_list(request: AuthenticatedRequest) -> TemplateResponse:
    """Show each node: whether it answers, its slots, and what runs there."""
    require_platform_admin(request.user)
    return render_page_or_region(
        request,
        page="nodes/node_list.html",
        region="nodes/_nodes.html",
        context={"nodes": _overviews(at=timezone.now())},
    )


@require_POST
@login_required
def node_drain(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Have a node take no more work, or take work again."""
    require_platform_admin(request.user)
    node = get_object_or_404(Node, pk=pk)
    wanted = request.POST.get("drain") == "yes"
    if not executions.set_draining(node, is_draining=wanted, user=request.user):
        messages.info(request, f"{node} was told so already.")
    return redirect("nodes:list")


def _overviews(*, at: datetime) -> list[NodeOverview]:
    runs: dict[int | None, list[TaskRun]] = defaultdict(list)
    for run in TaskRun.objects.filter(status__in=HELD).select_related("task").newest_first():
        runs[run.node_id].append(run)
    packagings: dict[int | None, list[Packaging]] = defaultdict(list)
    held = Packaging.objects.filter(status__in=HELD).with_relations()
    for packaging in held.newest_first():
        packagings[packaging.node_id].append(packaging)
    return [
        NodeOverview(node, at, runs[node.pk], packagings[node.pk])
        for node in Node.objects.order_by("name")
    ]
