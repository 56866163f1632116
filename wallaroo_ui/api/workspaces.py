"""Workspaces and their members over REST."""

from typing import Annotated, Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import AfterValidator, BeforeValidator, Field

from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.api.errors import Refused
from wallaroo_ui.api.schemas import (
    ERRORS,
    ERRORS_WITH_404,
    Empty,
    Id,
    WorkspaceOut,
    Workspaces,
)
from wallaroo_ui.api.scopes import MANAGE, user_of
from wallaroo_ui.workspaces import services
from wallaroo_ui.workspaces.access import require_owner, visible_or_404
from wallaroo_ui.workspaces.models import Membership, Role, Workspace

router = Router(tags=["workspaces"])


class ListWorkspacesRequest(Schema):
    """Of whom; those that the caller may see, too."""

    user_id: UUID | None = None


@router.post("/workspaces/list", response={200: Workspaces, **ERRORS})
def list_workspaces(request: HttpRequest, wanted: ListWorkspacesRequest) -> Any:
    """List every workspace that the caller may see."""
    workspaces = Workspace.objects.visible_to(user_of(request))
    if wanted.user_id is not None:
        workspaces = workspaces.filter(members=wanted.user_id)
    return {"workspaces": [WorkspaceOut.of(row) for row in workspaces.order_by("pk")]}


class CreateWorkspaceRequest(Schema):
    """A name that no other workspace has."""

    workspace_name: str


class CreatedWorkspace(Schema):
    """The id of a new workspace."""

    workspace_id: int


@router.post("/workspaces/create", response={200: CreatedWorkspace, **ERRORS}, auth=MANAGE)
def create_workspace(request: HttpRequest, wanted: CreateWorkspaceRequest) -> Any:
    """Make a workspace; the caller owns it."""
    workspace = services.open_workspace(name=wanted.workspace_name, owner=user_of(request))
    return {"workspace_id": workspace.pk}


class Member(Schema):
    """A person in a workspace, by id or by e-mail address."""

    workspace_id: Id
    user_id: UUID | None = None
    email: str | None = None


class AddMemberRequest(Member):
    """A person and their role; a member gets another one. Upper case will do."""

    user_type: Annotated[Role, BeforeValidator(lambda role: str(role).lower())] = Role.COLLABORATOR


@router.post("/workspaces/add_user", response={200: Empty, **ERRORS_WITH_404}, auth=MANAGE)
def add_workspace_user(request: HttpRequest, wanted: AddMemberRequest) -> Any:
    """Add a person to a workspace, or give a member another role."""
    user = user_of(request)
    workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
    require_owner(workspace, user)
    services.set_member(workspace=workspace, user=_person(wanted), role=wanted.user_type, by=user)
    return {}


class RemovedMember(Schema):
    """How many memberships there are less."""

    affected_rows: int


@router.post(
    "/workspaces/remove_user", response={200: RemovedMember, **ERRORS_WITH_404}, auth=MANAGE
)
def remove_workspace_user(request: HttpRequest, wanted: Member) -> Any:
    """Take a person out of a workspace; everybody may leave."""
    user = user_of(request)
    workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
    member = _person(wanted)
    if member != user:
        require_owner(workspace, user)
    removed = services.remove_member(workspace=workspace, user=member, by=user)
    return {"affected_rows": int(removed)}


class MembersRequest(Schema):
    """Of which workspace."""

    workspace_id: Id


class MemberOut(Schema):
    """A member's id and role."""

    user_id: str
    user_type: Annotated[str, AfterValidator(str.upper), Field(examples=["OWNER"])]


class Members(Schema):
    """Who belongs to a workspace."""

    users: list[MemberOut]


@router.post("/workspaces/list_users", response={200: Members, **ERRORS_WITH_404})
def list_workspace_users(request: HttpRequest, wanted: MembersRequest) -> Any:
    """List the members of a workspace."""
    workspace = visible_or_404(Workspace.objects.all(), user_of(request), pk=wanted.workspace_id)
    members = Membership.objects.filter(workspace=workspace).order_by("created_at", "pk")
    return {"users": [{"user_id": str(each.user_id), "user_type": each.role} for each in members]}


def _person(wanted: Member) -> User:
    if wanted.user_id is not None:
        found = User.objects.filter(pk=wanted.user_id).first()
    elif wanted.email:
        found = User.objects.filter(has_email(wanted.email.strip())).first()
    else:
        raise Refused("Name the person by user_id or by email.")
    if found is None:
        raise Http404
    return found
