"""A person's own page: their profile, what may act for them, and programs that ask to."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wallaroo_ui.accounts import devices, services, sessions, throttle
from wallaroo_ui.accounts.forms import ApiTokenForm, ProfileForm
from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.time_zones import offered_zones


@require_safe
@login_required
def account(request: AuthenticatedRequest) -> TemplateResponse:
    """Show who the person is here, how pages look to them, and what may act for them."""
    return _account_page(request, ProfileForm(instance=request.user))


@require_POST
@login_required
def profile(request: AuthenticatedRequest) -> HttpResponse:
    """Change how the person is called, and how pages look to them."""
    # Of another object: what is refused must not be shown as if it held.
    form = ProfileForm(request.POST, instance=User.objects.get(pk=request.user.pk))
    if not form.is_valid():
        return _account_page(request, form)
    services.change_profile(user=request.user, **form.cleaned_data)
    messages.success(request, "Your profile is saved.")
    return redirect("accounts:account")


@require_POST
@login_required
def session_end(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Log the person out of one browser."""
    browser = get_object_or_404(request.user.browser_sessions.select_related("session"), pk=pk)
    browser.session.delete()
    messages.success(request, f"{browser.device} is logged out.")
    return redirect("accounts:account")


@require_POST
@login_required
def sessions_end_others(request: AuthenticatedRequest) -> HttpResponse:
    """Log the person out of every other browser."""
    count = sessions.end_others(user=request.user, but=request.session.session_key)
    if count:
        messages.success(request, f"Logged out of {count} other browser{'s'[: count > 1]}.")
    else:
        messages.info(request, "You are logged in nowhere else.")
    return redirect("accounts:account")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def token_create(request: AuthenticatedRequest) -> TemplateResponse:
    """Make an API token. The answer is the one time that its text is shown."""
    form = ApiTokenForm(request.POST or None)
    if not form.is_valid():
        status = 422 if request.method == "POST" else 200
        return TemplateResponse(
            request, "accounts/token_create.html", {"form": form}, status=status
        )
    token, text = services.create_api_token(
        user=request.user,
        name=form.cleaned_data["name"],
        scope=Scope(form.cleaned_data["scope"]),
        lifetime=form.lifetime,
        at=timezone.now(),
    )
    context = {"token": token, "text": text} | _how_to_use(request, request.user, text)
    return TemplateResponse(request, "accounts/token_created.html", context)


@require_POST
@login_required
def token_revoke(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """End one of the person's API tokens."""
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    token.delete()
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("accounts:account")


@require_POST
@login_required
def login_end(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """End one of the SDK's logins."""
    get_object_or_404(request.user.refresh_tokens, pk=pk).delete()
    messages.success(request, "This login of the SDK has ended.")
    return redirect("accounts:account")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def device(request: AuthenticatedRequest) -> HttpResponse:
    """Ask the person whether a program may act for them; by POST, take the answer."""
    typed = request.POST.get("user_code") or request.GET.get("user_code", "")
    if not typed:
        return TemplateResponse(request, "accounts/device_code.html")
    if not throttle.may_guess_codes(request, request.user):
        return throttle.too_many_attempts(request)
    authorization = devices.find(typed)
    if authorization is None:
        throttle.count_wrong_code(request, request.user)
        context = {"typed": typed, "unknown": True}
        return TemplateResponse(request, "accounts/device_code.html", context, status=404)
    if request.method == "POST":
        approve = request.POST.get("decision") == "approve"
        devices.decide(
            authorization=authorization, user=request.user, approve=approve, at=timezone.now()
        )
        return redirect(f"{reverse('accounts:device')}?user_code={authorization.shown_code}")
    state = devices.state_for(authorization, request.user, at=timezone.now())
    context = {"authorization": authorization, "state": state}
    return TemplateResponse(request, "accounts/device.html", context)


def _account_page(request: AuthenticatedRequest, form: ProfileForm) -> TemplateResponse:
    now = timezone.now()
    browsers = list(request.user.browser_sessions.open(at=now))
    context = {
        "form": form,
        "time_zones": offered_zones(),
        "browsers": browsers,
        "this_session": request.session.session_key,
        "tokens": request.user.api_tokens.newest_first(),
        "logins": request.user.refresh_tokens.valid(at=now).order_by("-last_used_at"),
        "now": now,
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "accounts/account.html", context, status=status)


def _how_to_use(request: HttpRequest, user: User, text: str) -> dict[str, str]:
    """Return what to copy to use a token: for the SDK, and for everything else."""
    base = f"{request.scheme}://{request.get_host()}"
    credentials = {"token": text, "user_email": user.email, "user_id": str(user.pk)}
    return {
        "credentials": json.dumps(credentials, indent=2),
        "script": (
            "import os, wallaroo\n\n"
            'os.environ["WALLAROO_SDK_CREDENTIALS"] = "wallaroo-token.json"\n'
            f'wl = wallaroo.Client(api_endpoint="{base}", auth_type="token")'
        ),
        "command": (
            f"curl -X POST {base}/v1/api/workspaces/list \\\n"
            '  -H "Authorization: Bearer $TOKEN" \\\n'
            "  -H 'Content-Type: application/json' -d '{}'"
        ),
    }
