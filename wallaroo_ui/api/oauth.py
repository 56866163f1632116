"""How the SDK logs in: the token endpoint and the start of the device flow.

The bodies and codes are those of OAuth 2 (RFC 6749 and 8628). Errors also carry `msg` and
`code`, as everywhere in the API.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from tasks import credentials
from wallaroo_ui.accounts import devices, services, throttle, tokens
from wallaroo_ui.accounts.models import DeviceAuthorization, RefreshToken, User

logger = logging.getLogger(__name__)

ACCESS_LIFETIME = timedelta(minutes=5)
RUN_REFRESH_LIFETIME = timedelta(days=1)
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class GrantRefused(Exception):
    """A request gets no tokens.

    Attributes:
        status: the HTTP status.
        error: why, in OAuth's words.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error

    def response(self) -> JsonResponse:
        """Return the answer that says so."""
        words = str(self)
        body = {"error": self.error, "error_description": words, "msg": words, "code": self.status}
        return JsonResponse(body, status=self.status)


class PasswordForm(forms.Form):
    """What the password grant needs."""

    username = forms.CharField(max_length=254)
    password = forms.CharField(strip=False)


class RefreshForm(forms.Form):
    """What the refresh grant needs."""

    refresh_token = forms.CharField()


class DeviceForm(forms.Form):
    """What the device grant needs."""

    device_code = forms.CharField()


View = Callable[[HttpRequest], JsonResponse]


def machine_endpoint(view: View) -> View:
    """Let `view` be called by programs: by POST, without cookies, answered in JSON always."""

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest) -> JsonResponse:
        if request.method != "POST":
            refusal = GrantRefused(405, "invalid_request", "Only POST is answered here.")
            response = refusal.response()
            response["Allow"] = "POST"
            return response
        try:
            response = view(request)
        except GrantRefused as refused:
            response = refused.response()
        response["Cache-Control"] = "no-store"
        return response

    return wrapped


@machine_endpoint
def token(request: HttpRequest) -> JsonResponse:
    """Exchange what proves who somebody is for an access token."""
    grant_type = request.POST.get("grant_type")
    if grant_type is None:
        raise GrantRefused(400, "invalid_request", "grant_type is missing.")
    grant = GRANTS.get(grant_type)
    if grant is None:
        known = ", ".join(GRANTS)
        raise GrantRefused(400, "unsupported_grant_type", f"The grants known here are {known}.")
    return grant(request)


@machine_endpoint
def device(request: HttpRequest) -> JsonResponse:
    """Begin the device flow: a code for the program, and one for the person."""
    try:
        authorization, device_code = devices.ask(
            address=throttle.client_address(request),
            user_agent=request.headers.get("User-Agent", ""),
            at=timezone.now(),
        )
    except devices.TooManyWaiting:
        words = "Too many programs at your address wait for approval. Try again in ten minutes."
        raise GrantRefused(429, "slow_down", words) from None
    page = request.build_absolute_uri(reverse("accounts:device"))
    return JsonResponse(
        {
            "device_code": device_code,
            "user_code": authorization.shown_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={authorization.shown_code}",
            "expires_in": int(DeviceAuthorization.LIFETIME.total_seconds()),
            "interval": int(DeviceAuthorization.INTERVAL.total_seconds()),
        }
    )


def by_password(request: HttpRequest) -> JsonResponse:
    """Log a person in by user name or e-mail address."""
    sent = _cleaned(PasswordForm(request.POST))
    user = authenticate(request, username=sent["username"], password=sent["password"])
    if throttle.is_stopped(request):
        raise GrantRefused(429, "slow_down", throttle.WORDS)
    wrong = GrantRefused(401, "invalid_grant", "User name or password are wrong.")
    if not isinstance(user, User):
        raise wrong
    user_agent = request.headers.get("User-Agent", "")
    try:
        refresh = services.log_in_sdk(user=user, user_agent=user_agent, at=timezone.now())
    except services.LoginRefused:
        raise wrong from None
    user_logged_in.send(sender=User, request=request, user=user)
    return _granted(user, refresh)


def by_refresh_token(request: HttpRequest) -> JsonResponse:
    """Go on with a login: of a person, or of a run, whose token is a signed one.

    The refresh token itself stays good: the SDK in a task never keeps a new one, and the
    notebooks of a person share one.
    """
    refresh = _cleaned(RefreshForm(request.POST))["refresh_token"]
    if not refresh.startswith(RefreshToken.PREFIX):
        return _of_run(refresh)
    login = services.use_refresh_token(text=refresh, at=timezone.now())
    if login is None:
        raise GrantRefused(401, "invalid_grant", "This login has ended. Log in again.")
    return _granted(login.user, refresh)


def by_device_code(request: HttpRequest) -> JsonResponse:
    """Log a program in that a person has approved."""
    device_code = _cleaned(DeviceForm(request.POST))["device_code"]
    try:
        user, refresh = devices.redeem(device_code=device_code, at=timezone.now())
    except devices.NotGranted as error:
        raise GrantRefused(400, error.error, str(error)) from None
    return _granted(user, refresh)


GRANTS: dict[str, View] = {
    "password": by_password,
    "refresh_token": by_refresh_token,
    DEVICE_GRANT: by_device_code,
}


def _of_run(refresh: str) -> JsonResponse:
    try:
        claims = tokens.read_token(refresh, kind="refresh")
    except tokens.TokenRefused as error:
        raise GrantRefused(401, "invalid_grant", str(error)) from None
    user = credentials.user_of_run(claims.run) if claims.run else None
    if user is None or user.pk != claims.user:
        # To the script this looks like a fault of the SDK, so the server keeps a trace.
        logger.warning("refresh refused: the run is over", extra={"run": str(claims.run)})
        raise GrantRefused(401, "invalid_grant", "The run of this token has ended.")
    access = tokens.access_token(user, lifetime=ACCESS_LIFETIME, run=claims.run)
    return _tokens(access, refresh, RUN_REFRESH_LIFETIME)


def _granted(user: User, refresh: str) -> JsonResponse:
    access = tokens.access_token(user, lifetime=ACCESS_LIFETIME)
    return _tokens(access, refresh, RefreshToken.LIFETIME)


def _tokens(access: str, refresh: str, refresh_lifetime: timedelta) -> JsonResponse:
    return JsonResponse(
        {
            "access_token": access,
            "expires_in": int(ACCESS_LIFETIME.total_seconds()),
            "refresh_token": refresh,
            "refresh_expires_in": int(refresh_lifetime.total_seconds()),
            "token_type": "Bearer",
        }
    )


def _cleaned(form: forms.Form) -> dict[str, str]:
    if not form.is_valid():
        name, messages = next(iter(form.errors.items()))
        raise GrantRefused(400, "invalid_request", f"{name}: {messages[0]}")
    cleaned: dict[str, str] = form.cleaned_data
    return cleaned
