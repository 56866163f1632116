"""The page of a run, and its stop."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from orchestrations.models import Orchestration
from orchestrations.packages import packages_of
from tasks import services
from tasks.log_views import log_context
from tasks.models import TaskRun
from tasks.run_changes import changes_since
from tasks.run_words import exit_hint, exit_words, phases
from tasks.state_words import waiting_reason
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import FAILED
from wallaroo_ui.executions.tracebacks import error_of, last_traceback
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
            **_summary_context(
                run, may_change=may_change(orchestration.workspace, request.user), at=timezone.now()
            ),
            **log_context(run, request.GET),
            "orchestration": orchestration,
            "workspace": orchestration.workspace,
            "packages": packages_of(run.environment_name),
        },
    )


@require_safe
@login_required
def run_summary(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Show what became of a run: the region that the page polls.

    Between two changes there is nothing to show: its clocks go on in the page.
    """
    now = timezone.now()
    # Whoever compresses an answer makes its tag a weak one.
    known = request.headers.get("If-None-Match", "").removeprefix("W/")
    if known:
        runs = TaskRun.objects.with_what_changes()
        state: TaskRun = visible_or_404(runs, request.user, pk=pk)
        is_offered = may_change(state.orchestration.workspace, request.user)
        if known == _state_tag(state, state.orchestration, is_offered, at=now):
            return _tagged(HttpResponseNotModified(), known)
    run = _visible_run(request, pk)
    orchestration = run.task.orchestration
    is_offered = may_change(orchestration.workspace, request.user)
    context = _summary_context(run, may_change=is_offered, at=now)
    response = TemplateResponse(request, "tasks/_run_summary.html", context)
    return _tagged(response, _state_tag(run, orchestration, is_offered, at=now))


@require_safe
@login_required
def run_tail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show the last lines of a run's log: for lists, which open them in place."""
    run = _visible_run(request, pk)
    tail = run.log_tail if run.is_finished else logstore.tail_text(run.spool)
    context = {"run": run, "tail": tail.split("\n") if tail else ()}
    return TemplateResponse(request, "tasks/_run_tail.html", context)


@require_POST
@login_required
def run_stop(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Stop a run."""
    run = _visible_run(request, pk)
    require_change(run.task.orchestration.workspace, request.user)
    if not services.stop_run(run=run, user=request.user, at=timezone.now()):
        messages.info(request, "There was nothing to stop: the run has ended, or is ending.")
    return redirect(run)


def _summary_context(run: TaskRun, *, may_change: bool, at: datetime) -> dict[str, Any]:
    return {
        "run": run,
        "task": run.task,
        "may_change": may_change,
        "waiting": waiting_reason(run, at=at),
        "phases": phases(run, at=at),
        "exit_words": exit_words(run),
        "exit_hint": exit_hint(run),
        **(_failure_context(run) if run.status in FAILED else {}),
    }


def _failure_context(run: TaskRun) -> dict[str, Any]:
    """Return what somebody wants to know first of a run that failed."""
    worked = run.last_success
    traceback = last_traceback(run.spool)
    return {
        "traceback": traceback,
        "error": error_of(traceback),
        "worked": worked,
        "changes": changes_since(worked, run) if worked else [],
    }


def _tagged(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


def _state_tag(
    run: TaskRun, orchestration: Orchestration, is_offered: bool, *, at: datetime
) -> str:
    """Return a tag that changes when, and only when, there is something else to show."""
    dates = (run.updated_at, run.task.updated_at, orchestration.updated_at)
    parts = (*dates, run.status, waiting_reason(run, at=at), is_offered)
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _visible_run(request: AuthenticatedRequest, pk: UUID) -> TaskRun:
    runs = TaskRun.objects.with_relations().select_related("retry").with_neighbours()
    run: TaskRun = visible_or_404(runs, request.user, pk=pk)
    return run
