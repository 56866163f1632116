"""Pages and actions about tasks: make, look, edit, pause, resume, run again, stop."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrations.archives import ArchiveRefused, open_file
from orchestrations.argument_names import argument_names
from orchestrations.highlighting import NotShown, read_text
from orchestrations.models import Orchestration, Version
from tasks import ledger, services
from tasks.coming import coming_runs
from tasks.forms import ArgumentsForm, ScheduleForm, TaskForm
from tasks.history import History
from tasks.models import Kind, Task, TaskRun
from tasks.schedule_words import describe
from tasks.schedules import ScheduleRefused
from tasks.state_words import kill_words, state_of
from wallaroo_ui.executions.models import FAILED, UNFINISHED, Status
from wallaroo_ui.htmx import (
    AuthenticatedRequest,
    opens_dialog,
    render_page_or_region,
    wants_region,
)
from wallaroo_ui.json_text import JSON
from wallaroo_ui.keyset import keyset_page
from wallaroo_ui.streaming import Opener, stream_zip
from wallaroo_ui.time_zones import offered_zones
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

RUNS_PER_PAGE = 25
RUNS_AHEAD = 5
# What the list of runs can be narrowed to, in the words of the choice.
RUN_FILTERS: dict[str, tuple[str, tuple[Status, ...]]] = {
    "live": ("Waiting or running", UNFINISHED),
    "failed": ("Failed in any way", FAILED),
    **{
        status.value: (f"Only {status.label}", (status,))
        for status in Status
        if status not in UNFINISHED
    },
}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def task_create(request: AuthenticatedRequest, orchestration_id: UUID) -> HttpResponse:
    """Make a task of an orchestration, and go to watch its run, or its schedule."""
    orchestration = _changeable_orchestration(request, orchestration_id)
    form = TaskForm.for_new(request.POST or None, orchestration=orchestration, at=timezone.now())
    if request.method == "POST" and form.is_valid() and not _asks_to_see(request):
        try:
            task = services.create_task(
                orchestration=orchestration,
                kind=form.cleaned_data["kind"],
                wanted=form.wanted,
                user=request.user,
                at=form.at,
            )
        except services.NotRunnable as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(task.last_run or task)
    return _task_form_page(request, form, orchestration)


@require_POST
@login_required
def schedule_preview(request: AuthenticatedRequest, orchestration_id: UUID) -> TemplateResponse:
    """Show what a schedule would do while it is being chosen, or written; keep both in step."""
    orchestration = _changeable_orchestration(request, orchestration_id)
    form = ScheduleForm(request.POST, at=timezone.now())
    form.is_valid()
    form.put_in_step()
    return TemplateResponse(
        request,
        "tasks/_schedule_answer.html",
        {"orchestration": orchestration, "form": form},
    )


@require_POST
@login_required
def arguments_check(request: AuthenticatedRequest, orchestration_id: UUID) -> TemplateResponse:
    """Say what is wrong with arguments while they are written; keep JSON and lines in step."""
    orchestration = _changeable_orchestration(request, orchestration_id)
    form = TaskForm.for_new(request.POST, orchestration=orchestration, at=timezone.now())
    form.is_valid()
    form.put_arguments_in_step()
    return TemplateResponse(
        request,
        "tasks/_arguments_answer.html",
        {"form": form, **_arguments_context(form, orchestration)},
    )


@require_safe
@login_required
def task_detail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one task: its state, its history, its runs, and what became of each of its ticks."""
    task = _looked_at(request, pk)
    at = timezone.now()
    context = {**_summary_context(task, at=at), **_activity_context(request, task, at)}
    if not wants_region(request):
        context |= _history_context(task, at=at)
    return render_page_or_region(
        request,
        page="tasks/task_detail.html",
        region="tasks/_task_activity.html",
        context=context,
    )


@require_safe
@login_required
def task_summary(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show what a task is doing: the region that the page polls."""
    context = _summary_context(_looked_at(request, pk), at=timezone.now())
    return TemplateResponse(request, "tasks/_task_summary.html", context)


@require_safe
@login_required
def task_history(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show how a task's runs went: the region that the page polls, though seldom."""
    task = _looked_at(request, pk)
    at = timezone.now()
    context = {**_summary_context(task, at=at), **_history_context(task, at=at)}
    return TemplateResponse(request, "tasks/_task_history.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def task_edit(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Change a task from now on."""
    task = _changeable(request, pk)
    form = TaskForm.for_change(request.POST or None, task=task, at=timezone.now())
    if request.method == "POST" and form.is_valid() and not _asks_to_see(request):
        try:
            services.edit_task(task=task, wanted=form.wanted, user=request.user, at=form.at)
        except services.NotRunnable as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(task)
    return _task_form_page(request, form, task.orchestration, task)


@require_POST
@login_required
def task_pause(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Have a task make no more runs until it is resumed."""
    task = _changeable(request, pk)
    if not services.pause_task(task=task, user=request.user, at=timezone.now()):
        messages.info(request, "There was nothing to pause: it makes no runs.")
    return redirect(task)


@require_POST
@login_required
def task_resume(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Let a paused task make runs again."""
    task = _changeable(request, pk)
    if not services.resume_task(task=task, user=request.user, at=timezone.now()):
        messages.info(request, "There was nothing to resume: it is not paused.")
    return redirect(task)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def task_run(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Make one more run: as the task says, as another run did, or with other arguments."""
    task = _changeable(request, pk)
    like = _run_named(request, task)
    arguments = like.arguments_json if like else task.arguments_json
    is_edited = "arguments" in request.POST
    form = ArgumentsForm(request.POST if is_edited else None, initial={"arguments": arguments})
    if request.method == "POST" and (form.is_valid() or not is_edited):
        try:
            run = services.run_again(
                task=task,
                user=request.user,
                at=timezone.now(),
                arguments_json=form.cleaned_data["arguments"] if is_edited else arguments,
            )
        except services.NotRunnable as refusal:
            messages.error(request, str(refusal))
            return redirect(task)
        return redirect(run)
    return render_page_or_region(
        request,
        page="tasks/task_run.html",
        region="tasks/_run_form.html",
        context={**_common(task), "form": form},
        status=422 if request.method == "POST" else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def task_kill(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Say what stopping a task for good would do, and do it when asked."""
    task = _changeable(request, pk)
    at = timezone.now()
    if request.method == "POST":
        if not services.kill_task(task=task, user=request.user, at=at):
            messages.info(request, "It had been stopped already.")
        return redirect(task)
    preview = services.preview_kill(task=task, at=at)
    return render_page_or_region(
        request,
        page="tasks/task_stop.html",
        region="tasks/_task_stop.html",
        context={**_common(task), "preview": preview, "effects": kill_words(preview)},
    )


@require_safe
@login_required
def task_logs_zip(request: AuthenticatedRequest, pk: UUID) -> StreamingHttpResponse:
    """Hand out the logs of all runs of a task, packed while they are sent."""
    task = _visible(request, pk)
    # Not task.runs: of each run it would look up the task, which is not among its fields here.
    runs = TaskRun.objects.filter(task=task, log_deleted_at=None).order_by("queued_at")
    logs = runs.only("fence", "status", "queued_at", "due_at")
    return stream_zip(request, map(_log_file, logs), file_name=f"logs-{task.pk}.zip")


def _log_file(run: TaskRun) -> tuple[str, Opener]:
    """Return the name of a run's log in the archive, and how it is opened."""
    moment = (run.due_at or run.queued_at).astimezone(UTC)
    name = f"{moment:%Y-%m-%dT%H-%M-%SZ}-{run.status}-{str(run.pk)[:8]}.log"
    return name, lambda: run.spool.log.open("rb")


def _changeable_orchestration(request: AuthenticatedRequest, pk: UUID) -> Orchestration:
    orchestration = visible_or_404(
        Orchestration.objects.select_related("workspace", "newest"), request.user, pk=pk
    )
    require_change(orchestration.workspace, request.user)
    return orchestration


def _asks_to_see(request: AuthenticatedRequest) -> bool:
    """Tell whether only the form is wanted, with the next runs."""
    return "preview" in request.POST


def _task_form_page(
    request: AuthenticatedRequest,
    form: TaskForm,
    orchestration: Orchestration,
    task: Task | None = None,
) -> TemplateResponse:
    """Show the form of a task, new or to be changed, perhaps with what was refused."""
    if _asks_to_see(request):
        form.put_in_step()
        form.put_arguments_in_step()
    is_refused = request.method == "POST" and not _asks_to_see(request)
    region = "tasks/_task_dialog.html" if opens_dialog(request) else "tasks/_task_form.html"
    return render_page_or_region(
        request,
        page="tasks/task_edit.html" if task else "tasks/task_create.html",
        region=region,
        context={
            "task": task,
            "workspace": orchestration.workspace,
            "may_change": True,
            "form": form,
            "time_zones": offered_zones(),
            "default_timeout": settings.RUN_TIMEOUT_SECONDS,
            **_arguments_context(form, orchestration),
        },
        status=422 if is_refused else 200,
    )


def _arguments_context(form: TaskForm, orchestration: Orchestration) -> dict[str, object]:
    """Return a line for each argument that the script reads which would run now."""
    version = form.chosen_version or orchestration.current or orchestration.newest
    return {
        "orchestration": orchestration,
        "argument_fields": form.argument_fields(_script_arguments(version)),
    }


def _script_arguments(version: Version) -> dict[str, JSON]:
    """Return the arguments that its script reads; none where it cannot be read itself."""
    try:
        with version.archive.open("rb") as archive:
            file, pieces = open_file(archive, version.entry_point)
            return argument_names(read_text(pieces, size=file.size))
    except (FileNotFoundError, ArchiveRefused, NotShown):
        return {}


def _visible(request: AuthenticatedRequest, pk: UUID, **found_along: Exists) -> Task:
    tasks = Task.objects.select_related(
        "orchestration__workspace",
        "orchestration__newest",
        "version",
        "created_by",
        "changed_by",
        "paused_by",
        "killed_by",
    )
    task: Task = visible_or_404(tasks.annotate(**found_along), request.user, pk=pk)
    return task


def _looked_at(request: AuthenticatedRequest, pk: UUID) -> Task:
    """Fetch a task to be shown, with what would cost its page two queries more."""
    changeable = Workspace.objects.changeable_by(request.user)
    return _visible(
        request,
        pk,
        may_change=Exists(changeable.filter(pk=OuterRef("orchestration__workspace"))),
        has_live_run=Exists(TaskRun.objects.filter(task=OuterRef("pk")).unfinished()),
    )


def _changeable(request: AuthenticatedRequest, pk: UUID) -> Task:
    task = _visible(request, pk)
    require_change(task.workspace, request.user)
    return task


def _run_named(request: AuthenticatedRequest, task: Task) -> TaskRun | None:
    """Return the run of the task that the request names, if there is one."""
    named = request.POST.get("run") or request.GET.get("run") or ""
    try:
        run: TaskRun | None = task.runs.filter(pk=UUID(named)).first()
    except ValueError:
        return None
    return run


def _common(task: Task) -> dict[str, object]:
    return {"task": task, "orchestration": task.orchestration, "workspace": task.workspace}


def _zone(task: Task) -> ZoneInfo:
    """Return by whose clock a task is meant: the schedule's, else its workspace's."""
    is_scheduled = task.kind == Kind.SCHEDULED
    try:
        return ZoneInfo(task.time_zone if is_scheduled else task.workspace.time_zone)
    except (ZoneInfoNotFoundError, ValueError):  # The database of time zones has it no more.
        return ZoneInfo("UTC")


def _summary_context(task: Task, *, at: datetime) -> dict[str, object]:
    words, runs, zone = "", [], None
    if task.kind == Kind.SCHEDULED:
        try:
            words, zone = describe(task.cron), task.cron.zone
            runs = coming_runs(task.cron, at=at, count=RUNS_AHEAD) if task.is_active else []
        except ScheduleRefused as refusal:
            words = str(refusal)
    is_busy = task.state == Task.State.PENDING_KILL or task.has_live_run
    return {
        **_common(task),
        "may_change": task.may_change,
        "state": state_of(task, at=at),
        "words": words,
        "zone": zone,
        "coming": runs,
        "is_busy": is_busy,
        "is_changing": is_busy or task.is_going_on,
    }


def _history_context(task: Task, *, at: datetime) -> dict[str, object]:
    return {"history": History.of(task, at=at, zone=_zone(task)), "at": at}


def _activity_context(request: AuthenticatedRequest, task: Task, at: datetime) -> dict[str, object]:
    runs = task.runs.select_related("task", "requested_by")
    status_filter = request.GET.get("status", "")
    if status_filter in RUN_FILTERS:
        runs = runs.filter(status__in=RUN_FILTERS[status_filter][1])
    else:
        status_filter = ""
    return {
        "page": keyset_page(
            runs,
            order=("-queued_at", "-pk"),
            cursor=request.GET.get("cursor", ""),
            size=RUNS_PER_PAGE,
        ),
        "status_filter": status_filter,
        "run_filters": [(value, words) for value, (words, _) in RUN_FILTERS.items()],
        "ledger": ledger.entries(task, at=at, count=RUNS_PER_PAGE)
        if task.kind == Kind.SCHEDULED
        else [],
    }
