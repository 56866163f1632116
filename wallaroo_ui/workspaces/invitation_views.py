"""The page to which an invitation's link leads, and taking an invitation back."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.accounts.people import PersonRefused
from wallaroo_ui.htmx import AuthenticatedRequest, HtmxHttpRequest
from wallaroo_ui.workspaces import invitations
from wallaroo_ui.workspaces.access import require_owner, visible_or_404
from wallaroo_ui.workspaces.forms import NewAccountForm
from wallaroo_ui.workspaces.models import Invitation, Workspace

BACKEND = "wallaroo_ui.accounts.backends.EmailOrUsernameBackend"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HtmxHttpRequest, token: str) -> HttpResponse:
    """Let somebody in who has the link: with the account that they have, or with a new one."""
    at = timezone.now()
    found = invitations.find(token, at=at)
    if found is None:
        return _over(request)
    if request.user.is_authenticated:
        return _join(request, found, request.user)
    has_account = User.objects.filter(has_email(found.email)).exists()
    form = NewAccountForm(request.POST or None)
    if request.method == "POST" and not has_account and form.is_valid():
        try:
            user = invitations.join_as_new(
                invitation=found,
                password=form.cleaned_data["password"],
                first_name=form.cleaned_data["first_name"],
                last_name=form.cleaned_data["last_name"],
                at=at,
            )
        except PersonRefused as refusal:
            if invitations.find(token, at=at) is None:  # Pressed twice: the first has the account.
                return _over(request)
            form.add_error("password", str(refusal))
        except invitations.InvitationOver:
            return _over(request)
        else:
            login(request, user, backend=BACKEND)
            return _welcome(request, found)
    context = {"invitation": found, "form": form, "has_account": has_account}
    status = 422 if request.method == "POST" else 200
    return TemplateResponse(request, "workspaces/invitation.html", context, status=status)


@require_POST
@login_required
def invitation_withdraw(request: AuthenticatedRequest, pk: int, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    workspace = visible_or_404(Workspace.objects.all(), request.user, pk=pk)
    require_owner(workspace, request.user)
    found = workspace.invitations.select_related("workspace").filter(pk=invitation_id).first()
    if found and invitations.withdraw(invitation=found, by=request.user):
        messages.success(request, f"The invitation of {found.email} is withdrawn.")
    else:
        messages.info(request, "This invitation is over already.")
    return redirect(workspace.page_url)


def _join(request: HtmxHttpRequest, found: Invitation, user: User) -> HttpResponse:
    """Let in who is logged in, once they say so, if it is they who were invited."""
    is_other = user.email.lower() != found.email.lower()
    if request.method == "POST" and not is_other:
        try:
            invitations.join(invitation=found, user=user, at=timezone.now())
        except invitations.InvitationOver:
            return _over(request)
        return _welcome(request, found)
    context = {"invitation": found, "is_other": is_other}
    status = 403 if is_other else 200
    return TemplateResponse(request, "workspaces/invitation.html", context, status=status)


def _welcome(request: HtmxHttpRequest, found: Invitation) -> HttpResponse:
    messages.success(request, f"Welcome to {found.workspace}.")
    return redirect(found.workspace)


def _over(request: HtmxHttpRequest) -> TemplateResponse:
    words = str(invitations.InvitationOver())
    return TemplateResponse(
        request, "workspaces/invitation_over.html", {"words": words}, status=404
    )
