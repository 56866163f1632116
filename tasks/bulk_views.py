"""What is asked of everything that is selected in a list."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from tasks.bulk import Action, Outcome, act_on_tasks, concerned_by, preview_stop, stop_runs
from tasks.models import Task, TaskRun
from tasks.state_words import kill_words
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

# What one request does takes its time; more than this is a matter for a script.
MOST_AT_ONCE = 200
REASONS_SHOWN = 5


@require_POST
@login_required
def tasks_bulk(request: AuthenticatedRequest, workspace_id: int) -> HttpResponse:
    """Run, pause, resume or stop the selected tasks, and those of selected workloads."""
    workspace = _changeable(request, workspace_id)
    back = _back(request, workspace)
    action = request.POST.get("action", "")
    tasks = list(_selected_tasks(request, workspace, action)[: MOST_AT_ONCE + 1])
    if action not in Action.values or not tasks:
        messages.info(request, "Nothing that could be done was selected.")
        return redirect(back)
    if len(tasks) > MOST_AT_ONCE:
        messages.error(request, f"Select fewer: at most {MOST_AT_ONCE} tasks at a time.")
        return redirect(back)
    if action == Action.STOP and "confirmed" not in request.POST:
        context = {
            "workspace": workspace,
            "tasks": tasks,
            "effects": kill_words(preview_stop(tasks)),
            "back": back,
        }
        return TemplateResponse(request, "tasks/bulk_stop.html", context)
    outcome = act_on_tasks(tasks, action=Action(action), user=request.user, at=timezone.now())
    _report(request, outcome, "task", Action(action).label)
    return redirect(back)


@require_POST
@login_required
def runs_bulk(request: AuthenticatedRequest, workspace_id: int) -> HttpResponse:
    """Stop the selected runs."""
    workspace = _changeable(request, workspace_id)
    chosen = TaskRun.objects.filter(
        orchestration__workspace=workspace, pk__in=_ids(request.POST.getlist("run"))
    )
    runs = chosen.with_relations()[:MOST_AT_ONCE]
    outcome = stop_runs(runs, user=request.user, at=timezone.now())
    _report(request, outcome, "run", "told to stop")
    return redirect(_back(request, workspace))


def _changeable(request: AuthenticatedRequest, workspace_id: int) -> Workspace:
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    require_change(workspace, request.user)
    return workspace


def _selected_tasks(
    request: AuthenticatedRequest, workspace: Workspace, action: str
) -> QuerySet[Task]:
    """Return the tasks that were selected, and of selected workloads those that it concerns."""
    selected = Q(pk__in=_ids(request.POST.getlist("task")))
    of_workloads = Q(
        orchestration__in=_ids(request.POST.getlist("workload")),
        pk__in=concerned_by(action).values("pk"),
    )
    tasks = Task.objects.filter(selected | of_workloads, orchestration__workspace=workspace)
    return tasks.select_related("orchestration__workspace", "orchestration__newest").newest_first()


def _ids(texts: Iterable[str]) -> list[UUID]:
    """Return the ids among texts, no more than can be acted on."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found[: MOST_AT_ONCE + 1]


def _back(request: AuthenticatedRequest, workspace: Workspace) -> str:
    """Return the list from which the request came."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    return back if is_ours else workspace.get_absolute_url()


def _report(request: AuthenticatedRequest, outcome: Outcome, noun: str, verb: str) -> None:
    if outcome.done:
        plural = "s were" if outcome.done > 1 else " was"
        messages.success(request, f"{outcome.done} {noun}{plural} {verb}.")
    for name, reason in outcome.left[:REASONS_SHOWN]:
        messages.warning(request, f"{name} was left as it is: {reason}")
    if more := len(outcome.left[REASONS_SHOWN:]):
        messages.warning(request, f"{more} more were left as they are.")
    if not outcome.done and not outcome.left:
        messages.info(request, "Nothing that could be done was selected.")
