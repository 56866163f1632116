"""Orchestrations over REST: upload, list, look at, download, delete."""

from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile as DjangoFile
from django.db import transaction
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.datastructures import MultiValueDict
from ninja import File, Form, Router, Schema, Status, UploadedFile
from ninja.security import APIKeyQuery
from pydantic import Field, StrictBool
from pydantic import ValidationError as SchemaError

from orchestrations import services
from orchestrations.forms import UploadForm
from orchestrations.models import Orchestration
from orchestrations.zip_reader import ArchiveRefused
from tasks import removal
from tasks.models import Task
from wallaroo_ui.api.bearer import Caller, caller_with
from wallaroo_ui.api.bodies import read_json_object
from wallaroo_ui.api.errors import Refused
from wallaroo_ui.api.schemas import (
    ERRORS_WITH_404,
    ID_LIST,
    ById,
    Error,
    Id,
    Moment,
    Name,
    OrchestrationOut,
    Orchestrations,
    OrchestrationWithTasks,
    RunStatus,
    TaskOut,
    WorkspaceOut,
)
from wallaroo_ui.api.scopes import MANAGE, READ, RUN, user_of
from wallaroo_ui.streaming import stream_file
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

router = Router(tags=["orchestrations"])

LAST_RUNS = 5
Between = Annotated[list[Moment], Field(min_length=2, max_length=2)]


class Uploaded(Schema):
    """The id of what was just uploaded."""

    id: str


class Metadata(Schema):
    """Where an archive goes, and what it is called."""

    workspace_id: Id
    name: Name | None = None


@router.post(
    "/orchestration/upload", response={202: Uploaded, **ERRORS_WITH_404, 413: Error}, auth=RUN
)
def upload_orchestration(
    request: HttpRequest,
    file: File[UploadedFile],
    metadata: Form[str | None] = None,
) -> Status[Any]:
    """Upload an archive and have it packaged.

    `metadata` is JSON, `{"workspace_id": 1, "name": "nightly"}`, as a field or as a file part.
    """
    wanted = _metadata(request, metadata)
    user = user_of(request)
    workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
    require_change(workspace, user)
    form = UploadForm({"name": wanted.name or ""}, MultiValueDict({"archive": [file]}))
    if not form.is_valid():
        raise Refused(" ".join(str(words) for errors in form.errors.values() for words in errors))
    try:
        orchestration = services.upload_orchestration(
            workspace=workspace,
            file=form.cleaned_data["archive"],
            file_name=form.file_name,
            name=form.cleaned_data["name"],
            user=user,
        )
    except ArchiveRefused as refusal:
        raise Refused(" ".join(refusal.problems)) from refusal
    return Status(202, {"id": str(orchestration.pk)})


def _metadata(request: HttpRequest, field: str | None) -> Metadata:
    part = request.FILES.get("metadata")
    if isinstance(part, DjangoFile) and (part.size or 0) > settings.FORM_MAX_BYTES:
        raise Refused("metadata: this part is too large.")
    text = part.read() if isinstance(part, DjangoFile) else field
    if text is None:
        raise Refused("metadata: this part is missing: JSON with the workspace_id.")
    try:
        return Metadata.model_validate(read_json_object(text))
    except SchemaError as error:
        problems = (f"metadata.{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise Refused("; ".join(problems)) from error


class ListAllOrchestrationsRequest(Schema):
    """Which orchestrations; an empty list, or nothing, is no filter.

    Attributes:
        task_run_status: those with a task whose latest run has one of these.
        killed: of their tasks, only those that were stopped, or only those that were not.
        time_range: uploaded between these two moments.
    """

    workspace_ids: Annotated[list[Id], ID_LIST] | None = None
    task_run_status: list[RunStatus] | None = None
    killed: StrictBool | None = None
    time_range: Between | None = None


@router.post("/orchestration/list_all", response={200: Orchestrations, **ERRORS_WITH_404})
def list_all_orchestrations(request: HttpRequest, wanted: ListAllOrchestrationsRequest) -> Any:
    """List orchestrations with their tasks, the newest first."""
    user = user_of(request)
    shown = Orchestration.objects.visible_to(user)
    if wanted.workspace_ids:
        known = Workspace.objects.visible_to(user).filter(pk__in=wanted.workspace_ids)
        if known.count() < len(set(wanted.workspace_ids)):
            raise Http404
        shown = shown.filter(workspace__in=wanted.workspace_ids)
    if wanted.time_range:
        shown = shown.filter(created_at__range=sorted(wanted.time_range))
    tasks_of: dict[object, list[TaskOut]] = {}
    tasks = Task.objects.filter(orchestration__in=shown)
    if wanted.killed is not None:
        tasks = tasks.ended() if wanted.killed else tasks.not_ended()
    tasks = tasks.select_related("orchestration").newest_first()
    for task in tasks.with_newest_runs(limit=LAST_RUNS):
        row = TaskOut.of(task, runs_shown=LAST_RUNS)
        if wanted.task_run_status and not (
            row.last_runs and row.last_runs[-1].status in wanted.task_run_status
        ):
            continue
        tasks_of.setdefault(task.orchestration_id, []).append(row)
    return Orchestrations(
        orchestrations=[
            OrchestrationWithTasks(
                orchestration=OrchestrationOut.of(orchestration),
                tasks=tasks_of.get(orchestration.pk, []),
                workspace=WorkspaceOut.of(orchestration.workspace),
            )
            for orchestration in shown.select_related("workspace", "newest").newest_first()
            if not wanted.task_run_status or orchestration.pk in tasks_of
        ]
    )


class ListOrchestrationsRequest(Schema):
    """Of which workspace."""

    workspace_id: Id


@router.post("/orchestration/list", response={200: list[OrchestrationOut], **ERRORS_WITH_404})
def list_orchestrations(request: HttpRequest, wanted: ListOrchestrationsRequest) -> Any:
    """List the orchestrations of one workspace, the newest first."""
    workspace = visible_or_404(Workspace.objects.all(), user_of(request), pk=wanted.workspace_id)
    rows = Orchestration.objects.filter(workspace=workspace).select_related("newest")
    return [OrchestrationOut.of(row) for row in rows.newest_first()]


@router.post("/orchestration/get_by_id", response={200: OrchestrationOut, **ERRORS_WITH_404})
def get_orchestration(request: HttpRequest, wanted: ById) -> Any:
    """Look at one orchestration."""
    shown = Orchestration.objects.select_related("newest")
    found = visible_or_404(shown, user_of(request), pk=wanted.id)
    return OrchestrationOut.of(found)


class DeleteOrchestrationsRequest(Schema):
    """Which ones. Without `confirm_delete` it is only said how much would be freed."""

    orchestrations: Annotated[list[UUID], ID_LIST]
    confirm_delete: StrictBool = False


class Freed(Schema):
    """How much archives and logs take up."""

    bytes: int


@router.post(
    "/orchestration/delete_orchestrations",
    response={200: Freed, **ERRORS_WITH_404, 409: Error},
    auth=MANAGE,
)
def delete_orchestrations(request: HttpRequest, wanted: DeleteOrchestrationsRequest) -> Any:
    """Delete orchestrations with their tasks, runs and logs: all of them, or none."""
    user = user_of(request)
    rows = Orchestration.objects.visible_to(user).filter(pk__in=wanted.orchestrations)
    found = list(rows.select_related("workspace", "newest"))
    if len(found) < len(set(wanted.orchestrations)):
        raise Http404
    for orchestration in found:
        require_change(orchestration.workspace, user)
    freed = sum(map(removal.bytes_of, found))
    if wanted.confirm_delete:
        with transaction.atomic():
            for orchestration in found:
                removal.delete_orchestration(orchestration=orchestration, user=user)
    return {"bytes": freed}


class TokenInQuery(APIKeyQuery):
    """A token as a query parameter: for a plain link, which cannot send a header."""

    param_name = "token"
    openapi_name = "token"

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """Return whose token it is."""
        return caller_with(key) if key else None


@router.get(
    "/orchestration/download",
    response={200: bytes, **ERRORS_WITH_404},
    auth=[READ, TokenInQuery()],
    openapi_extra={
        "responses": {
            200: {
                "description": "The ZIP",
                "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            }
        }
    },
)
def download_orchestration(request: HttpRequest, id: UUID) -> StreamingHttpResponse:  # noqa: A002
    """Download the newest archive as it was uploaded."""
    shown = Orchestration.objects.select_related("newest")
    newest = visible_or_404(shown, user_of(request), pk=id).newest
    if not newest.has_archive:
        raise Http404
    return stream_file(request, lambda: newest.archive.open("rb"), file_name=newest.file_name)
