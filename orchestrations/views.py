"""Pages about orchestrations: the Workloads list, upload, and the page of one."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrations import samples, services
from orchestrations.archives import ArchiveRefused
from orchestrations.forms import UploadForm
from orchestrations.models import Orchestration, Version, WorkloadStatus
from orchestrations.version_views import files_context, packaging_context
from orchestrations.workload_list import headings, sort_named, workload_page
from tasks.models import Task, TaskRun
from tasks.state_words import state_of
from wallaroo_ui.forms import search_text
from wallaroo_ui.htmx import (
    AuthenticatedRequest,
    opens_dialog,
    render_page_or_region,
    wants_region,
)
from wallaroo_ui.keyset import keyset_page
from wallaroo_ui.workspaces.access import may_change, require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

ROWS_SHOWN = 25
NOT_ENDED = Q(pinned_tasks__state__in=(Task.State.ACTIVE, Task.State.PAUSED))


@require_safe
@login_required
def orchestration_list(request: AuthenticatedRequest, workspace_id: int) -> TemplateResponse:
    """Show the workloads of one workspace, newest first; search and filter them."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    query = search_text(request)
    status = request.GET.get("status", "")
    status = status if status in WorkloadStatus.values else ""
    sort = sort_named(request.GET.get("sort", ""))
    page = workload_page(
        workspace, query=query, status=status, sort=sort, cursor=request.GET.get("cursor", "")
    )
    return render_page_or_region(
        request,
        page="orchestrations/orchestration_list.html",
        region="orchestrations/_workload_table.html",
        context={
            "workspace": workspace,
            "may_change": may_change(workspace, request.user),
            "page": page,
            "query": query,
            "status_filter": status,
            "sort": sort,
            "headings": headings(sort),
            "max_bytes": settings.ARCHIVE_MAX_BYTES,
            "is_changing": any(row.is_going_on or not row.newest.is_settled for row in page.rows),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def orchestration_upload(request: AuthenticatedRequest, workspace_id: int) -> HttpResponse:
    """Upload an archive; a refusal lists everything that is wrong with it."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    require_change(workspace, request.user)
    form = UploadForm(request.POST or None, request.FILES or None)
    problems: tuple[str, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            orchestration = services.upload_orchestration(
                workspace=workspace,
                file=form.cleaned_data["archive"],
                file_name=form.file_name,
                name=form.cleaned_data["name"],
                user=request.user,
            )
        except ArchiveRefused as refusal:
            problems = refusal.problems
        else:
            return redirect(orchestration)
    return render_page_or_region(
        request,
        page="orchestrations/orchestration_upload.html",
        region="orchestrations/_upload_dialog.html"
        if opens_dialog(request)
        else "orchestrations/_upload_form.html",
        context={
            "workspace": workspace,
            "may_change": True,
            "form": form,
            "problems": problems,
            "max_bytes": settings.ARCHIVE_MAX_BYTES,
        },
        status=422 if request.method == "POST" else 200,
    )


@require_POST
@login_required
def sample_upload(request: AuthenticatedRequest, workspace_id: int) -> HttpResponse:
    """Upload the sample, for whoever wants something that runs before they write their own."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    require_change(workspace, request.user)
    return redirect(samples.upload_donuts(workspace=workspace, user=request.user))


@require_safe
@login_required
def orchestration_detail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one orchestration, and its tasks."""
    orchestration = _visible(request, pk)
    page = keyset_page(
        Task.objects.filter(orchestration=orchestration)
        .select_related("paused_by", "killed_by", "version")
        .with_last_run(),
        order=("-created_at", "-pk"),
        cursor=request.GET.get("cursor", ""),
        size=ROWS_SHOWN,
    )
    at = timezone.now()
    last_runs = [run for task in page.rows if (run := task.last_run) is not None]
    context = {
        "page": page,
        "tasks": page.rows,
        "task_rows": [(task, state_of(task, at=at)) for task in page.rows],
        "is_busy": any(not run.is_finished for run in last_runs),
        "is_changing": any(task.is_going_on for task in page.rows),
    }
    return _show(request, orchestration, "tasks", context)


@require_safe
@login_required
def orchestration_runs(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one orchestration, and the runs of its tasks."""
    orchestration = _visible(request, pk)
    shown = (
        TaskRun.objects.filter(orchestration=orchestration)
        .select_related("task", "version")
        .defer("log_tail")
    )
    page = keyset_page(
        shown,
        order=("-queued_at", "-pk"),
        cursor=request.GET.get("cursor", ""),
        size=ROWS_SHOWN,
    )
    runs = page.rows
    if page.next and not page.previous:
        # What goes on is on the first page, however many came after it.
        older = shown.unfinished().exclude(pk__in=[run.pk for run in runs])
        runs = [*older.newest_first()[:ROWS_SHOWN], *runs]
    context = {
        "page": page,
        "runs": runs,
        "is_busy": any(not run.is_finished for run in runs),
        "is_changing": any(run.task.is_going_on for run in runs),
    }
    return _show(request, orchestration, "runs", context)


@require_safe
@login_required
def orchestration_versions(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one orchestration, and its versions."""
    orchestration = _visible(request, pk)
    page = keyset_page(
        Version.objects.filter(orchestration=orchestration)
        .select_related("created_by")
        .annotate(pinned=Count("pinned_tasks", filter=NOT_ENDED)),
        order=("-number", "-pk"),
        cursor=request.GET.get("cursor", ""),
        size=ROWS_SHOWN,
    )
    context = {
        "page": page,
        "is_busy": False,
        "is_changing": any(not version.is_settled for version in page.rows),
    }
    return _show(request, orchestration, "versions", context)


@require_safe
@login_required
def orchestration_files(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one orchestration, and the files of its newest version."""
    orchestration = _visible(request, pk)
    context = {"is_busy": False, "is_changing": False, **files_context(orchestration.newest)}
    return _show(request, orchestration, "files", context)


def _show(
    request: AuthenticatedRequest,
    orchestration: Orchestration,
    part: str,
    context: dict[str, Any],
) -> TemplateResponse:
    """Answer with the page of an orchestration, or with the part of it that htmx asks for."""
    packaging = {} if wants_region(request) else packaging_context(orchestration.newest)
    return render_page_or_region(
        request,
        page="orchestrations/orchestration_detail.html",
        region="orchestrations/_activity.html",
        context={
            "orchestration": orchestration,
            "version": orchestration.newest,
            "current_number": orchestration.current_number,
            "workspace": orchestration.workspace,
            "may_change": may_change(orchestration.workspace, request.user),
            "part": part,
            **packaging,
            **context,
        },
    )


def _visible(request: AuthenticatedRequest, pk: UUID) -> Orchestration:
    shown = Orchestration.objects.select_related("workspace", "created_by", "newest")
    return visible_or_404(shown.with_current_number(), request.user, pk=pk)
