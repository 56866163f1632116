"""Whoever guesses is stopped: passwords, and the codes of the device flow.

django-axes counts the failures of a name at an address, in the database, where every web
process sees them. The settings are in settings.py, named AXES_.
"""

from datetime import timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from wallaroo_ui.accounts.models import User

WORDS = (
    "There were too many wrong attempts. "
    f"Try again in {settings.AXES_COOLOFF_TIME // timedelta(minutes=1)} minutes."
)


def client_address(request: HttpRequest) -> str | None:
    """Return where a request comes from, without the interface of a link-local address."""
    address: str = request.META.get("REMOTE_ADDR") or ""
    return address.partition("%")[0] or None


def who_is_meant(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return the name under which failures count: one for a person's user name and e-mail."""
    typed = str((credentials or {}).get("username") or "")
    user = User.objects.by_login(typed)
    return user.username if user else typed


def is_stopped(request: HttpRequest) -> bool:
    """Tell whether this request was, or has become, one attempt too many."""
    return bool(getattr(request, "axes_locked_out", False))


def may_guess_codes(request: HttpRequest, user: User) -> bool:
    """Tell whether somebody may try a user code of the device flow."""
    return bool(AxesProxyHandler.is_allowed(request, _guesses_of(user)))


def count_wrong_code(request: HttpRequest, user: User) -> None:
    """Note that somebody tried a user code that does not exist."""
    AxesProxyHandler.user_login_failed(
        sender=__name__, credentials=_guesses_of(user), request=request
    )


def too_many_attempts(
    request: HttpRequest, response: HttpResponse | None = None, credentials: Any = None
) -> HttpResponse:
    """Answer 429, and say when to come back; the API has made an answer of its own."""
    if response is None or response.status_code != 429:
        response = render(request, "429.html", {"words": WORDS}, status=429)
    response["Retry-After"] = f"{settings.AXES_COOLOFF_TIME.total_seconds():.0f}"
    return response


def _guesses_of(user: User) -> dict[str, str]:
    # No user name has blanks in it.
    return {"username": f"device codes of {user.pk}"}
