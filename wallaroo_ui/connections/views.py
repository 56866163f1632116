"""Pages and actions about connections: list, make, look, show the details, edit, link, delete."""

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wallaroo_ui.connections import access, services
from wallaroo_ui.connections.forms import USUAL_TYPES, ConnectionForm, LinkForm, NewConnectionForm
from wallaroo_ui.connections.models import Connection, ConnectionQuerySet, DetailsUnreadable
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.json_text import JSONRefused, show_object
from wallaroo_ui.keyset import keyset_page
from wallaroo_ui.workspaces.access import may_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

CONNECTIONS_PER_PAGE = 25
KEYS_SHOWN = 50


@require_safe
@login_required
def connection_list(request: AuthenticatedRequest) -> TemplateResponse:
    """Show every connection that the person may see."""
    return _list_page(request, Connection.objects.visible_to(request.user), {"may_change": True})


@require_safe
@login_required
def workspace_connections(request: AuthenticatedRequest, workspace_id: int) -> TemplateResponse:
    """Show the connections that one workspace has."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=workspace_id)
    context = {"workspace": workspace, "may_change": may_change(workspace, request.user)}
    return _list_page(request, Connection.objects.in_workspace(workspace), context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def connection_create(request: AuthenticatedRequest) -> HttpResponse:
    """Make a connection, perhaps for a workspace at once."""
    form = NewConnectionForm(
        request.POST or None,
        workspaces=Workspace.objects.changeable_by(request.user),
        initial={"workspace": request.GET.get("workspace")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            connection = services.create_connection(
                name=form.cleaned_data["name"],
                type=form.cleaned_data["type"],
                details=form.parsed_details,
                user=request.user,
                workspace=form.cleaned_data["workspace"],
            )
        except services.NameTaken as refusal:
            form.add_error("name", str(refusal))
        except JSONRefused as refusal:
            form.add_error("details", str(refusal))
        else:
            return redirect(connection)
    return _form_page(request, form)


@require_safe
@login_required
def connection_detail(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one connection, its details masked."""
    return _detail_page(request, _visible(request, pk), LinkForm(workspaces=_linkable(request, pk)))


@require_safe
@login_required
@never_cache
def connection_details(request: AuthenticatedRequest, pk: UUID) -> TemplateResponse:
    """Show one connection with its details; no browser and no proxy keeps them."""
    connection = _visible(request, pk)
    access.require_read_details(connection, request.user)
    form = LinkForm(workspaces=_linkable(request, pk))
    return _detail_page(request, connection, form, is_shown=True)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def connection_edit(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Change type and details; scripts get them when they next ask."""
    connection = _visible(request, pk)
    access.require_manage(connection, request.user)
    problem, details = "", ""
    try:
        details = show_object(connection.details)
    except DetailsUnreadable as error:
        problem = str(error)
    form = ConnectionForm(request.POST or None, instance=connection, initial={"details": details})
    if request.method == "POST" and form.is_valid():
        try:
            services.change_connection(
                connection=connection,
                type=form.cleaned_data["type"],
                details=form.parsed_details,
                user=request.user,
            )
        except services.ConnectionGone as error:
            raise Http404 from error
        except JSONRefused as refusal:
            form.add_error("details", str(refusal))
        else:
            return redirect(connection)
    return _form_page(request, form, connection, problem)


@require_POST
@login_required
def connection_link(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Let one more workspace have a connection."""
    connection = _visible(request, pk)
    access.require_read_details(connection, request.user)
    form = LinkForm(request.POST, workspaces=Workspace.objects.changeable_by(request.user))
    if not form.is_valid():
        return _detail_page(request, connection, form, region="connections/_workspaces.html")
    workspace = form.cleaned_data["workspace"]
    try:
        services.link_connection(connection=connection, workspace=workspace, user=request.user)
    except services.ConnectionGone as error:
        raise Http404 from error
    return redirect(connection)


@require_POST
@login_required
def connection_unlink(request: AuthenticatedRequest, pk: UUID, workspace_id: int) -> HttpResponse:
    """Take a connection from a workspace."""
    connection = _visible(request, pk)
    workspace = access.workspace_to_unlink(connection, request.user, workspace_id)
    if not services.unlink_connection(
        connection=connection, workspace=workspace, user=request.user
    ):
        messages.info(request, f"{workspace} did not have {connection} any more.")
    if Connection.objects.visible_to(request.user).filter(pk=pk).exists():
        return redirect(connection)
    messages.success(request, f"{workspace} does not have {connection} any more.")
    return redirect("connections:of-workspace", workspace.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def connection_delete(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Say which workspaces lose a connection, and delete it when asked."""
    connection = _visible(request, pk)
    access.require_manage(connection, request.user)
    if request.method == "POST":
        services.delete_connection(connection=connection, user=request.user)
        messages.success(request, f"{connection} has been deleted.")
        return redirect("connections:list")
    return render_page_or_region(
        request,
        page="connections/connection_delete.html",
        region="connections/_connection_delete.html",
        context={"connection": connection, "unseen_count": _unseen_count(connection)},
    )


def _visible(request: AuthenticatedRequest, pk: UUID) -> Connection:
    connections = Connection.objects.select_related("created_by")
    connection: Connection = visible_or_404(
        connections.with_workspaces_seen_by(request.user), request.user, pk=pk
    )
    return connection


def _linkable(request: AuthenticatedRequest, pk: UUID) -> QuerySet[Workspace]:
    """Return the workspaces that are offered: those that do not have the connection yet."""
    return Workspace.objects.changeable_by(request.user).exclude(connections=pk)


def _unseen_count(connection: Connection) -> int:
    """Return how many workspaces have a connection beyond those that were fetched along."""
    return connection.links.count() - len(connection.seen_workspaces)


def _list_page(
    request: AuthenticatedRequest, connections: ConnectionQuerySet, context: dict[str, object]
) -> TemplateResponse:
    shown = (
        connections.defer("sealed_details")
        .select_related("created_by")
        .with_workspaces_seen_by(request.user)
    )
    page = keyset_page(
        shown,
        order=("name", "pk"),
        cursor=request.GET.get("cursor", ""),
        size=CONNECTIONS_PER_PAGE,
    )
    return render_page_or_region(
        request,
        page="connections/connection_list.html",
        region="connections/_connection_table.html",
        context={"page": page, **context},
    )


def _detail_page(
    request: AuthenticatedRequest,
    connection: Connection,
    form: LinkForm,
    *,
    is_shown: bool = False,
    region: str = "connections/_details.html",
) -> TemplateResponse:
    """Show a connection; its keys to those who may read the details, its values where asked."""
    may_read = is_shown or connection.may_read_details(request.user)
    may_manage = connection.may_be_managed_by(request.user)
    keys, details, problem = [], "", ""
    if may_read:
        try:
            keys = list(connection.details)
            details = show_object(connection.details) if is_shown else ""
        except DetailsUnreadable as error:
            problem = str(error)
    changeable = Workspace.objects.changeable_by(request.user).filter(connections=connection)
    unlinkable = set(connection.seen_workspaces if may_manage else changeable)
    return render_page_or_region(
        request,
        page="connections/connection_detail.html",
        region=region,
        context={
            "connection": connection,
            "may_read": may_read,
            "may_manage": may_manage,
            "is_shown": is_shown,
            "keys": keys[:KEYS_SHOWN],
            "more_keys": len(keys) - KEYS_SHOWN,
            "details": details,
            "name_in_python": json.dumps(connection.name, ensure_ascii=False),
            "problem": problem,
            "form": form,
            "workspace_rows": [(each, each in unlinkable) for each in connection.seen_workspaces],
            "unseen_count": _unseen_count(connection) if may_manage else 0,
        },
        status=422 if form.is_bound else 200,
    )


def _form_page(
    request: AuthenticatedRequest,
    form: ConnectionForm,
    connection: Connection | None = None,
    problem: str = "",
) -> TemplateResponse:
    """Show the form of a connection, new or to be changed, perhaps with what was refused."""
    return render_page_or_region(
        request,
        page="connections/connection_edit.html"
        if connection
        else "connections/connection_create.html",
        region="connections/_connection_form.html",
        context={
            "connection": connection,
            "form": form,
            "problem": problem,
            "usual_types": USUAL_TYPES,
        },
        status=422 if request.method == "POST" else 200,
    )
