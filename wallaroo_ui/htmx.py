"""Pages and regions: the one place that decides which of the two htmx gets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from wallaroo_ui.accounts.models import User

HTMX_HEADERS = ["HX-Request", "HX-Boosted", "HX-History-Restore-Request"]


class HtmxHttpRequest(HttpRequest):
    """A request after django-htmx's middleware has seen it."""

    htmx: HtmxDetails


class AuthenticatedRequest(HtmxHttpRequest):
    """A request behind `login_required`."""

    user: "User"


def wants_region(request: HtmxHttpRequest) -> bool:
    """Tell whether htmx asked for one region of the page.

    Boosted links and history restores come from htmx too, but need the page.
    """
    htmx = request.htmx
    return bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def render_page_or_region(
    request: HtmxHttpRequest,
    *,
    page: str,
    region: str,
    context: dict[str, Any],
    status: int = 200,
) -> TemplateResponse:
    """Answer with the whole page, or with its changing region alone."""
    template = region if wants_region(request) else page
    response = TemplateResponse(request, template, context, status=status)
    patch_vary_headers(response, HTMX_HEADERS)
    return response


def go_to(request: HtmxHttpRequest, url: str) -> HttpResponse:
    """Redirect to a page, in htmx's way where htmx asked."""
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


class LoginRedirectMiddleware:
    """Sends htmx to the login page as a page.

    When a login has run out, a redirect would put the login form into a table row.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponse:
        """Turn a redirect to the login page into one that htmx follows as a whole page."""
        response = self.get_response(request)
        login = resolve_url(settings.LOGIN_URL)
        location = response.headers.get("Location", "")
        if request.htmx and response.status_code == 302 and location.startswith(login):
            return HttpResponseClientRedirect(login)
        return response
