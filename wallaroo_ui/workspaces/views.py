"""The workspace chooser; the page of a workspace, its members and what is done to them."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Exists, OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wallaroo_ui.accounts.models import User
from wallaroo_ui.forms import search_text
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.keyset import keyset_page
from wallaroo_ui.time_zones import offered_zones
from wallaroo_ui.workspaces import activity, invitations, services
from wallaroo_ui.workspaces.access import require_owner, visible_or_404
from wallaroo_ui.workspaces.forms import DefaultsForm, MemberForm, RoleForm, WorkspaceForm
from wallaroo_ui.workspaces.models import Membership, Role, Workspace

WORKSPACES_PER_PAGE = 50
EVENTS_PER_PAGE = 50
EVENTS_SHOWN = 8
CONNECTIONS_SHOWN = 8
NO_MEMBER = "They are no member any more."


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
    query = search_text(request)
    visible = Workspace.objects.visible_to(request.user).search(query)
    mine = Membership.objects.filter(workspace=OuterRef("pk"), user=request.user)
    shown_along: dict[str, Subquery] = {
        "role": Subquery(mine.values("role")[:1]),
        "member_count": _count("memberships"),
        "workload_count": _count("orchestrations"),
    }
    page = keyset_page(
        visible.annotate(**shown_along),
        order=("name", "pk"),
        cursor=request.GET.get("cursor", ""),
        size=WORKSPACES_PER_PAGE,
    )
    return render_page_or_region(
        request,
        page="workspaces/workspace_list.html",
        region="workspaces/_workspace_table.html",
        context={
            "page": page,
            "query": query,
            "is_long": bool(query or page.previous or page.next),
        },
    )


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
            return redirect(workspace.page_url)
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


@require_safe
@login_required
def workspace_activity(request: AuthenticatedRequest, pk: int) -> TemplateResponse:
    """Show who did what in a workspace, the latest first."""
    workspace = _visible(request, pk)
    page = keyset_page(
        activity.events_of(workspace),
        order=("-at", "-pk"),
        cursor=request.GET.get("cursor", ""),
        size=EVENTS_PER_PAGE,
    )
    return render_page_or_region(
        request,
        page="workspaces/workspace_activity.html",
        region="workspaces/_activity.html",
        context={
            "workspace": workspace,
            "page": page,
            "events": page.rows,
            "kept_days": settings.ACTIVITY_KEPT_DAYS,
        },
    )


@require_POST
@login_required
def defaults_set(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Change what new tasks begin with."""
    workspace = _owned(request, pk)
    form = DefaultsForm(request.POST)
    if not form.is_valid():
        return _detail_page(
            request, workspace, defaults_form=form, region="workspaces/_defaults.html"
        )
    services.set_defaults(
        workspace=workspace,
        time_zone=form.cleaned_data["time_zone"],
        timeout_seconds=form.cleaned_data["timeout"],
        by=request.user,
    )
    messages.success(request, "The defaults are saved. They hold for new tasks.")
    return redirect(workspace.page_url)


@require_POST
@login_required
@never_cache
def member_add(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Let one more person in, or invite them where they have no account yet.

    The answer to an invitation is the one time that its link is shown.
    """
    workspace = _owned(request, pk)
    may_invite = invitations.may_invite(request.user)
    form = MemberForm(request.POST, workspace=workspace, may_invite=may_invite)
    if not form.is_valid():
        return _detail_page(request, workspace, member_form=form)
    role = Role(form.cleaned_data["role"])
    if form.user is None:
        return _invite(request, workspace, form.cleaned_data["email"], role)
    member = services.set_member(workspace=workspace, user=form.user, role=role, by=request.user)
    messages.success(
        request, f"{member.user} is a member now, with the role {member.get_role_display()}."
    )
    return redirect(workspace.page_url)


def _invite(
    request: AuthenticatedRequest, workspace: Workspace, email: str, role: Role
) -> TemplateResponse:
    invitation, token = invitations.invite(
        workspace=workspace, email=email, role=role, by=request.user, at=timezone.now()
    )
    link = request.build_absolute_uri(reverse("workspaces:invitation", args=[token]))
    if invitations.send(invitation, link=link):
        link = ""  # Only who reads the address's mail makes its account.
    return _detail_page(
        request,
        workspace,
        invited={"email": email, "link": link},
        region="workspaces/_invitation_answer.html",
    )


@require_POST
@login_required
def member_role(request: AuthenticatedRequest, pk: int, user_id: UUID) -> HttpResponse:
    """Give a member another role."""
    workspace = _owned(request, pk)
    member, form = _member(workspace, user_id), RoleForm(request.POST)
    if member is None:
        messages.info(request, NO_MEMBER)
    elif not form.is_valid():
        messages.error(request, "Choose a role.")
    else:
        role = Role(form.cleaned_data["role"])
        try:
            is_member = services.change_role(
                workspace=workspace, user=member, role=role, by=request.user
            )
        except services.WorkspaceRefused as refusal:
            messages.error(request, str(refusal))
        else:
            if is_member:
                messages.success(request, f"{member} has the role {role.label} now.")
            else:
                messages.info(request, NO_MEMBER)
    return redirect(workspace.page_url)


@require_POST
@login_required
def member_remove(request: AuthenticatedRequest, pk: int, user_id: UUID) -> HttpResponse:
    """Take a member out."""
    workspace = _owned(request, pk)
    member = _member(workspace, user_id)
    if member is None:
        messages.info(request, NO_MEMBER)
        return redirect(workspace.page_url)
    try:
        services.remove_member(workspace=workspace, user=member, by=request.user)
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
        has_left = services.remove_member(workspace=workspace, user=request.user, by=request.user)
    except services.WorkspaceRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(workspace.page_url)
    if has_left:
        messages.success(request, f"You have left {workspace}.")
    else:
        messages.info(request, f"You are no member of {workspace}.")
    return redirect("workspaces:list")


def _visible(request: AuthenticatedRequest, pk: int) -> Workspace:
    """Fetch a workspace to be shown, with what would cost its page queries of their own."""
    managed = Workspace.objects.managed_by(request.user).filter(pk=OuterRef("pk"))
    found_along: dict[str, Exists | Subquery] = {
        "may_manage": Exists(managed),
        "workload_count": _count("orchestrations"),
        "connection_count": _count("connection_links"),
    }
    workspaces = Workspace.objects.select_related("created_by").annotate(**found_along)
    return visible_or_404(workspaces, request.user, pk=pk)


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
    defaults_form: DefaultsForm | None = None,
    invited: dict[str, object] | None = None,
    region: str = "workspaces/_member_form.html",
) -> TemplateResponse:
    """Show a workspace, perhaps with what was refused, or a new invitation; forms to owners."""
    at = timezone.now()
    may_invite = invitations.may_invite(request.user)
    members = workspace.memberships.select_related("user").order_by("user__email", "pk")
    owners = [each.user_id for each in members if each.role == Role.OWNER and each.user.is_active]
    # Who cannot leave, and cannot be taken out: the services refuse it too.
    only_owner = owners[0] if len(owners) == 1 else None
    settled = {only_owner, workspace.default_for_id}
    links = workspace.connection_links.select_related("connection").order_by("connection__name")
    return render_page_or_region(
        request,
        page="workspaces/workspace_detail.html",
        region=region,
        context={
            "workspace": workspace,
            "members": members,
            "only_owner": only_owner,
            "may_manage": workspace.may_manage,
            "may_leave": any(
                each.user_id == request.user.pk and each.user_id not in settled for each in members
            ),
            "workload_count": workspace.workload_count,
            "connection_count": workspace.connection_count,
            "connections": [link.connection for link in links[:CONNECTIONS_SHOWN]],
            "events": activity.events_of(workspace).order_by("-at", "-pk")[:EVENTS_SHOWN],
            "roles": Role.choices,
            "member_form": member_form or MemberForm(workspace=workspace, may_invite=may_invite),
            "invitations": workspace.invitations.order_by("-created_at", "-pk")
            if workspace.may_manage
            else [],
            "invited": invited,
            "now": at,
            "defaults_form": defaults_form or DefaultsForm.of(workspace),
            "time_zones": offered_zones(),
        },
        status=422 if member_form or defaults_form else 200,
    )


def _count(relation: str) -> Subquery:
    """Count what belongs to each workspace, for a few rows, without a join between them."""
    same = Workspace.objects.filter(pk=OuterRef("pk")).order_by()
    return Subquery(same.values("pk").annotate(count=Count(relation)).values("count"))
