"""The page of a run, its log, and its stop."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from tasks import services
from tasks.models import TaskRun
from tasks.state_words import waiting_reason
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.http import log_response
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.workspaces.access import may_change, require_change, visible_or_404


@require_safe
@login_required
def run_detail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one run: what became of it, and its log."""
    run = _visible_run(request, pk)
    orchestration = run.task.orchestration
    return TemplateResponse(
        request,
        "tasks/run_detail.html",
        {
            "run": run,
            "task": run.task,
            "orchestration": orchestration,
            "workspace": orchestration.workspace,
            "may_change": may_change(orchestration.workspace, request.user),
            "waiting": waiting_reason(run, at=timezone.now()),
            "log": logstore.read_tail(run.spool),
        },
    )


@require_safe
@login_required
def run_summary(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show what became of a run: the region that the page polls."""
    run = _visible_run(request, pk)
    return TemplateResponse(
        request,
        "tasks/_run_summary.html",
        {
            "run": run,
            "task": run.task,
            "may_change": may_change(run.task.orchestration.workspace, request.user),
            "waiting": waiting_reason(run, at=timezone.now()),
        },
    )


@require_safe
@login_required
def run_log(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show what a run has printed since `after`, a byte offset of its log."""
    run = _visible_run(request, pk)
    after = request.GET.get("after", "")
    offset = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    return TemplateResponse(
        request,
        "tasks/_log_lines.html",
        # The run is read before its log: what it wrote last is then in a finished run's lines.
        {"run": run, "log": logstore.read_after(run.spool, offset)},
    )


@require_safe
@login_required
def run_log_raw(request: AuthenticatedRequest, pk: UUID) -> StreamingHttpResponse:
    """Hand out the whole log of a run as text."""
    run = _visible_run(request, pk)
    return log_response(request, run, file_name=f"run-{run.pk}.log")


@require_safe
@login_required
def run_tail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show the last lines of a run's log: for lists, which open them in place."""
    run = _visible_run(request, pk)
    tail = run.log_tail if run.is_finished else logstore.tail_text(run.spool)
    return TemplateResponse(request, "tasks/_run_tail.html", {"run": run, "tail": tail})


@require_POST
@login_required
def run_stop(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Stop a run."""
    run = _visible_run(request, pk)
    require_change(run.task.orchestration.workspace, request.user)
    if not services.stop_run(run=run, user=request.user, at=timezone.now()):
        messages.info(request, "There was nothing to stop: the run has ended, or is ending.")
    return redirect(run)


def _visible_run(request: AuthenticatedRequest, pk: UUID) -> TaskRun:
    run: TaskRun = visible_or_404(TaskRun.objects.with_relations(), request.user, pk=pk)
    return run
