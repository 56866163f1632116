"""Connections over REST."""

import logging
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status

from wallaroo_ui.accounts.models import Scope
from wallaroo_ui.api.errors import Refused
from wallaroo_ui.api.schemas import (
    ERRORS,
    ERRORS_WITH_404,
    ById,
    ConnectionOut,
    Error,
    Id,
    Name,
)
from wallaroo_ui.api.scopes import MANAGE, ApiRequest, user_of
from wallaroo_ui.connections import access, services
from wallaroo_ui.connections.models import Connection, ConnectionQuerySet, DetailsUnreadable
from wallaroo_ui.json_text import JSONRefused
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

logger = logging.getLogger(__name__)
router = Router(tags=["connections"])


class CreateConnectionRequest(Schema):
    """A name that no other connection of the server has, a type in free words, and details."""

    name: Name
    type: str
    details: dict[str, Any] | None = None


class NewId(Schema):
    """The id of what was just made: a connection, or its link to a workspace."""

    id: UUID


@router.post("/connections/create", response={200: NewId, **ERRORS, 409: Error}, auth=MANAGE)
def create_connection(request: HttpRequest, wanted: CreateConnectionRequest) -> Any:
    """Make a connection; no workspace has it yet."""
    try:
        connection = services.create_connection(
            name=wanted.name, type=wanted.type, details=wanted.details or {}, user=user_of(request)
        )
    except ValidationError as error:
        problems = (f"{field}: {' '.join(words)}" for field, words in error.message_dict.items())
        raise Refused("; ".join(problems)) from error
    except JSONRefused as refusal:
        raise Refused(f"details: {refusal.message}") from refusal
    return {"id": connection.pk}


class ConnectionByName(Schema):
    """Names one connection."""

    name: str


@router.post("/connections/get", response={200: ConnectionOut, **ERRORS_WITH_404})
def get_connection(request: HttpRequest, wanted: ConnectionByName) -> Any:
    """Look at one connection, by its name."""
    return _shown(request, name=wanted.name)


@router.post("/connections/get_by_id", response={200: ConnectionOut, **ERRORS_WITH_404})
def get_connection_by_id(request: HttpRequest, wanted: ById) -> Any:
    """Look at one connection, by its id."""
    return _shown(request, pk=wanted.id)


class ListConnectionsRequest(Schema):
    """Of which workspace; otherwise all that the caller may see."""

    workspace_id: Id | None = None


class Connections(Schema):
    """A list of connections, by name."""

    connections: list[ConnectionOut]


@router.post("/connections/list", response={200: Connections, **ERRORS_WITH_404})
def list_connections(request: HttpRequest, wanted: ListConnectionsRequest) -> Any:
    """List connections: those of a workspace, or all that the caller may see."""
    user = user_of(request)
    if wanted.workspace_id is None:
        found = Connection.objects.visible_to(user)
    else:
        workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
        found = Connection.objects.in_workspace(workspace)
    return {"connections": _rows(request, found)}


@router.post("/connections/delete", response={204: None, **ERRORS_WITH_404}, auth=MANAGE)
def delete_connection(request: HttpRequest, wanted: ConnectionByName) -> Status[None]:
    """Delete a connection, in every workspace."""
    user = user_of(request)
    connection = visible_or_404(Connection.objects.all(), user, name=wanted.name)
    access.require_manage(connection, user)
    services.delete_connection(connection=connection, user=user)
    return Status(204, None)


class ConnectionLink(Schema):
    """A workspace and a connection."""

    workspace_id: Id
    connection_id: UUID


@router.post("/connections/add_to_workspace", response={200: NewId, **ERRORS_WITH_404}, auth=MANAGE)
def add_connection_to_workspace(request: HttpRequest, wanted: ConnectionLink) -> Any:
    """Let a workspace have a connection; if it has it already, that is no error."""
    user = user_of(request)
    connection = visible_or_404(Connection.objects.all(), user, pk=wanted.connection_id)
    access.require_read_details(connection, user)
    workspace = visible_or_404(Workspace.objects.all(), user, pk=wanted.workspace_id)
    require_change(workspace, user)
    try:
        link = services.link_connection(connection=connection, workspace=workspace, user=user)
    except services.ConnectionGone as error:
        raise Http404 from error
    return {"id": link.pk}


@router.post(
    "/connections/remove_from_workspace", response={204: None, **ERRORS_WITH_404}, auth=MANAGE
)
def remove_connection_from_workspace(request: HttpRequest, wanted: ConnectionLink) -> Status[None]:
    """Take a connection from a workspace; if it has it no more, that is no error."""
    user = user_of(request)
    connection = visible_or_404(Connection.objects.all(), user, pk=wanted.connection_id)
    workspace = access.workspace_to_unlink(connection, user, wanted.workspace_id)
    services.unlink_connection(connection=connection, workspace=workspace, user=user)
    return Status(204, None)


def _shown(request: HttpRequest, **lookup: object) -> ConnectionOut:
    rows = _rows(request, Connection.objects.visible_to(user_of(request)).filter(**lookup))
    if not rows:
        raise Http404
    return rows[0]


def _rows(request: HttpRequest, found: ConnectionQuerySet) -> list[ConnectionOut]:
    """Put connections in the words of the API, each with what its caller may read of it.

    A token that may only look reads no details: secrets are for what runs.
    """
    caller = cast("ApiRequest", request).auth
    readable: set[UUID] = set()
    if caller.scope.allows(Scope.RUN):
        readable = set(found.readable_by(caller.user).values_list("pk", flat=True))
    return [
        ConnectionOut.of(row, details=_details(row) if row.pk in readable else None)
        for row in found.with_workspaces_seen_by(caller.user)
    ]


def _details(connection: Connection) -> dict[str, Any] | None:
    try:
        return dict(connection.details)
    except DetailsUnreadable as error:
        logger.warning(str(error), extra={"connection": str(connection.pk)})
        return None
