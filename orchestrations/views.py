"""Pages and actions about orchestrations: the Workloads list, upload, one orchestration."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrations import services
from orchestrations.archives import ArchiveRefused, list_files
from orchestrations.forms import UploadForm
from orchestrations.models import Orchestration, Packaging, WorkloadStatus
from tasks.models import Task, TaskRun
from tasks.state_words import state_of
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.http import log_response
from wallaroo_ui.htmx import AuthenticatedRequest, go_to, render_page_or_region
from wallaroo_ui.streaming import stream_file
from wallaroo_ui.workspaces.access import may_change, require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

WORKLOADS_PER_PAGE = 25
ROWS_SHOWN = 25
FILES_SHOWN = 300
FILES_OPENED = 12
LOG_LINES_SHOWN = 200


@require_safe
@login_required
def orchestration_list(request: AuthenticatedRequest, workspace_id: int) -> TemplateResponse:
    """Show the workloads of one workspace, newest first; search and filter them."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    query = request.GET.get("q", "").replace("\0", "").strip()
    status_filter = request.GET.get("status", "")
    found = (
        Orchestration.objects.filter(workspace=workspace)
        .search(query)
        .with_workload_status()
        .newest_first()
    )
    if status_filter in WorkloadStatus.values:
        found = found.having_workload_status(status_filter)
    else:
        status_filter = ""
    page = Paginator(found, WORKLOADS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page_or_region(
        request,
        page="orchestrations/orchestration_list.html",
        region="orchestrations/_workload_table.html",
        context={
            "workspace": workspace,
            "may_change": may_change(workspace, request.user),
            "page": page,
            "query": query,
            "status_filter": status_filter,
            "is_changing": any(row.is_going_on or not _is_settled(row) for row in page),
        },
    )


def _is_settled(orchestration: Orchestration) -> bool:
    return orchestration.status in {Orchestration.Status.READY, Orchestration.Status.ERROR}


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
            return go_to(request, orchestration.get_absolute_url())
    return render_page_or_region(
        request,
        page="orchestrations/orchestration_upload.html",
        region="orchestrations/_upload_form.html",
        context={
            "workspace": workspace,
            "may_change": True,
            "form": form,
            "problems": problems,
            "max_bytes": settings.ARCHIVE_MAX_BYTES,
        },
        status=422 if request.method == "POST" else 200,
    )


@require_safe
@login_required
def orchestration_detail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one orchestration: details, files, packaging, tasks and runs."""
    orchestration = _visible(request, pk)
    return TemplateResponse(
        request,
        "orchestrations/orchestration_detail.html",
        {
            **_common(request, orchestration),
            **_files_context(orchestration),
            **_packaging_context(orchestration),
            **_activity_context(orchestration),
        },
    )


@require_safe
@login_required
def orchestration_packaging(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show how far packaging is: the region that the page polls."""
    orchestration = _visible(request, pk)
    return TemplateResponse(
        request,
        "orchestrations/_packaging.html",
        {**_common(request, orchestration), **_packaging_context(orchestration)},
    )


@require_safe
@login_required
def orchestration_activity(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show tasks and runs: the region that the page polls."""
    orchestration = _visible(request, pk)
    return TemplateResponse(
        request,
        "orchestrations/_activity.html",
        {**_common(request, orchestration), **_activity_context(orchestration)},
    )


@require_safe
@login_required
def orchestration_download(request: AuthenticatedRequest, pk: UUID) -> StreamingHttpResponse:
    """Hand out the archive as it was uploaded, never for the browser to open."""
    orchestration = _visible(request, pk)
    return stream_file(
        request, lambda: orchestration.archive.open("rb"), file_name=orchestration.file_name
    )


@require_POST
@login_required
def orchestration_package(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Package again."""
    orchestration = _visible(request, pk)
    require_change(orchestration.workspace, request.user)
    services.request_packaging(orchestration=orchestration, user=request.user)
    return redirect(orchestration)


@require_POST
@login_required
def orchestration_stop_packaging(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Stop the packaging that is going on."""
    orchestration = _visible(request, pk)
    require_change(orchestration.workspace, request.user)
    packaging = orchestration.latest_packaging
    if packaging is None or not services.stop_packaging(packaging=packaging, user=request.user):
        messages.info(request, "There was nothing to stop: packaging had ended already.")
    return redirect(orchestration)


@require_safe
@login_required
def packaging_log(request: AuthenticatedRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """Hand out the whole log of one packaging as text."""
    packaging = visible_or_404(Packaging.objects.all(), request.user, pk=pk)
    return log_response(request, packaging, file_name=f"packaging-{packaging.pk}.log")


def _visible(request: AuthenticatedRequest, pk: UUID) -> Orchestration:
    return visible_or_404(
        Orchestration.objects.select_related("workspace", "created_by"), request.user, pk=pk
    )


def _common(request: AuthenticatedRequest, orchestration: Orchestration) -> dict[str, object]:
    return {
        "orchestration": orchestration,
        "workspace": orchestration.workspace,
        "may_change": may_change(orchestration.workspace, request.user),
    }


def _files_context(orchestration: Orchestration) -> dict[str, object]:
    """Return what the archive holds; nothing where it is lost or spoilt."""
    try:
        with orchestration.archive.open("rb") as archive:
            files = list_files(archive)
    except (FileNotFoundError, ArchiveRefused):
        files = []
    return {
        "files": files[:FILES_SHOWN],
        "file_count": len(files),
        "more_files": len(files[FILES_SHOWN:]),
        "are_files_open": 0 < len(files) <= FILES_OPENED,
    }


def _packaging_context(orchestration: Orchestration) -> dict[str, object]:
    packaging = orchestration.latest_packaging
    if packaging is None:
        return {"packaging": None, "packaging_step": None, "log": logstore.LogWindow()}
    return {
        "packaging": packaging,
        "packaging_step": packaging.step,
        "log": logstore.read_tail(packaging.spool, lines=LOG_LINES_SHOWN),
    }


def _activity_context(orchestration: Orchestration) -> dict[str, object]:
    """Return the newest runs and tasks; what still goes on is among them, however old."""
    runs = list(
        TaskRun.objects.filter(orchestration=orchestration)
        .select_related("task")
        .unfinished_first()[: ROWS_SHOWN + 1]
    )
    going_on = [run for run in runs if not run.is_finished]
    all_tasks = Task.objects.filter(orchestration=orchestration).newest_first()
    newest = all_tasks.values("pk")[:ROWS_SHOWN]
    of_going_on = [run.task_id for run in going_on]
    shown = all_tasks.filter(Q(pk__in=newest) | Q(pk__in=of_going_on))
    tasks = list(shown.select_related("paused_by", "killed_by").with_last_run())
    at = timezone.now()
    return {
        "tasks": tasks,
        "task_rows": [(task, state_of(task, at=at)) for task in tasks],
        "has_more_tasks": len(tasks) >= ROWS_SHOWN,
        "runs": sorted(runs[:ROWS_SHOWN], key=lambda run: run.queued_at, reverse=True),
        "has_more_runs": len(runs) > ROWS_SHOWN,
        "is_busy": bool(going_on),
        "is_changing": bool(going_on) or any(task.is_going_on for task in tasks),
    }
