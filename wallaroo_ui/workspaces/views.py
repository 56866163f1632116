"""The workspace chooser; the page of a workspace, its members and what is done to them."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wallaroo_ui.accounts.models import User
from wallaroo_ui.forms import time_zones
from wallaroo_ui.htmx import AuthenticatedRequest, go_to, render_page_or_region
from wallaroo_ui.workspaces import services
from wallaroo_ui.workspaces.access import may_manage, require_owner, visible_or_404
from wallaroo_ui.workspaces.forms import MemberForm, RoleForm, TimeZoneForm, WorkspaceForm
from wallaroo_ui.workspaces.models import Role, Workspace


@require_safe
@login_required
def home(request: AuthenticatedRequest) -> HttpResponse:
    """Bring a person to where their work is: their own workspace, unless it is empty.

    Somebody whose workloads are all elsewhere, as the first admin's, gets the choice.
    """
    own = services.ensure_default_workspace(request.user)
    visible = Workspace.objects.visible_to(request.user)
    with_work = visible.filter(orchestrations__isnull=False).distinct()
    if with_work.exists() and own not in with_work:
        return redirect("workspaces:list")
    return redirect(own)


@require_safe
@login_required
def workspace_list(request: AuthenticatedRequest) -> TemplateResponse:
    """Show every workspace that the person may see, to choose one."""
    visible = (
        Workspace.objects.visible_to(request.user)
        .annotate(
            member_count=Count("memberships", distinct=True),
            workload_count=Count("orchestrations", distinct=True),
        )
        .order_by("name")
    )
    return TemplateResponse(request, "workspaces/workspace_list.html", {"workspaces": visible})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def workspace_create(request: AuthenticatedRequest) -> HttpResponse:
    """Make a workspace, and go to its page, where members are added."""
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            workspace = services.open_workspace(name=name, owner=request.user)
        except services.WorkspaceRefused as refusal:
            form.add_error("name", str(refusal))
        else:
            return go_to(request, workspace.page_url)
    return render_page_or_region(
        request,
        page="workspaces/workspace_create.html",
        region="workspaces/_workspace_form.html",
        context={"form": form},
        status=422 if request.method == "POST" else 200,
    )


@require_safe
@login_required
def workspace_detail(request: AuthenticatedRequest, pk: int) -> TemplateResponse:
    """Show one workspace and who belongs to it."""
    return _detail_page(request, _visible(request, pk))


@require_POST
@login_required
def time_zone_set(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Let new schedules be meant in another zone."""
    workspace = _owned(request, pk)
    form = TimeZoneForm(request.POST)
    if not form.is_valid():
        return _detail_page(request, workspace, zone_form=form, region="workspaces/_time_zone.html")
    services.set_time_zone(workspace=workspace, time_zone=form.cleaned_data["time_zone"])
    messages.success(request, f"New schedules are meant in {workspace.time_zone}.")
    return go_to(request, workspace.page_url)


@require_POST
@login_required
def member_add(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Let one more person in."""
    workspace = _owned(request, pk)
    form = MemberForm(request.POST, workspace=workspace)
    if not form.is_valid() or form.user is None:
        return _detail_page(
            request, workspace, member_form=form, region="workspaces/_member_form.html"
        )
    member = services.set_member(
        workspace=workspace, user=form.user, role=Role(form.cleaned_data["role"])
    )
    messages.success(
        request, f"{member.user} is a member now, with the role {member.get_role_display()}."
    )
    return go_to(request, workspace.page_url)


@require_POST
@login_required
def member_role(request: AuthenticatedRequest, pk: int, user_id: UUID) -> HttpResponse:
    """Give a member another role."""
    workspace = _owned(request, pk)
    member, form = _member(workspace, user_id), RoleForm(request.POST)
    if member is None:
        messages.info(request, "They are no member any more.")
    elif not form.is_valid():
        messages.error(request, "Choose a role.")
    else:
        role = Role(form.cleaned_data["role"])
        try:
            services.set_member(workspace=workspace, user=member, role=role)
        except services.WorkspaceRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{member} has the role {role.label} now.")
    return redirect(workspace.page_url)


@require_POST
@login_required
def member_remove(request: AuthenticatedRequest, pk: int, user_id: UUID) -> HttpResponse:
    """Take a member out."""
    workspace = _owned(request, pk)
    member = _member(workspace, user_id)
    if member is None:
        messages.info(request, "They are no member any more.")
        return redirect(workspace.page_url)
    try:
        services.remove_member(workspace=workspace, user=member)
    except services.WorkspaceRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{member} is no member any more.")
    return redirect(workspace.page_url)


@require_POST
@login_required
def workspace_leave(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Take oneself out: everybody may."""
    workspace = _visible(request, pk)
    try:
        has_left = services.remove_member(workspace=workspace, user=request.user)
    except services.WorkspaceRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(workspace.page_url)
    if has_left:
        messages.success(request, f"You have left {workspace}.")
    else:
        messages.info(request, f"You are no member of {workspace}.")
    return redirect("workspaces:list")


def _visible(request: AuthenticatedRequest, pk: int) -> Workspace:
    return visible_or_404(Workspace.objects.select_related("created_by"), request.user, pk=pk)


def _owned(request: AuthenticatedRequest, pk: int) -> Workspace:
    workspace = _visible(request, pk)
    require_owner(workspace, request.user)
    return workspace


def _member(workspace: Workspace, user_id: UUID) -> User | None:
    """Return the member whose row was on a page that may be old."""
    return workspace.members.filter(pk=user_id).first()


def _detail_page(
    request: AuthenticatedRequest,
    workspace: Workspace,
    *,
    member_form: MemberForm | None = None,
    zone_form: TimeZoneForm | None = None,
    region: str = "workspaces/_member_form.html",
) -> TemplateResponse:
    """Show a workspace, perhaps with what was refused; its forms to owners."""
    members = workspace.memberships.select_related("user").order_by("user__email", "pk")
    owners = [each.user_id for each in members if each.role == Role.OWNER]
    # Who cannot leave, and cannot be taken out: the services refuse it too.
    only_owner = owners[0] if len(owners) == 1 else None
    settled = {only_owner, workspace.default_for_id}
    return render_page_or_region(
        request,
        page="workspaces/workspace_detail.html",
        region=region,
        context={
            "workspace": workspace,
            "members": members,
            "only_owner": only_owner,
            "may_manage": may_manage(workspace, request.user),
            "may_leave": any(
                each.user_id == request.user.pk and each.user_id not in settled for each in members
            ),
            "workload_count": workspace.orchestrations.count(),
            "connection_count": workspace.connection_links.count(),
            "roles": Role.choices,
            "member_form": member_form or MemberForm(workspace=workspace),
            "zone_form": zone_form or TimeZoneForm(initial={"time_zone": workspace.time_zone}),
            "time_zones": time_zones(),
        },
        status=422 if member_form or zone_form else 200,
    )
