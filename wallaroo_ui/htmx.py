"""Pages and regions: the one place that decides which of the two htmx gets."""

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import resolve_url
from django.template.response import TemplateResponse
from django.utils.cache import (
    get_conditional_response,
    patch_cache_control,
    patch_vary_headers,
)
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh
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


def opens_dialog(request: HtmxHttpRequest) -> bool:
    """Tell whether htmx will put the answer into the dialog of `base.html`."""
    return request.htmx.target == "dialog"


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


LOGIN_ENDED = "Your login had ended, so nothing was done. Please log in and do it again."


class RedirectMiddleware:
    """Has htmx follow a redirect as a browser does: to a whole page.

    By itself it would put what it finds there into the region that asked: the login form into
    a table row, or another page's body under this page's style sheets and scripts.

    Where a login has run out, it leads back to the page that was open: not to a region of it,
    nor to what a form was sent to, which is no page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponse:
        """Turn a redirect into one that htmx follows as a whole page."""
        response = self.get_response(request)
        if response.status_code != 302:
            return response
        is_sent = request.method not in {"GET", "HEAD"}
        location, here = response.headers["Location"], _open_page(request)
        login = resolve_url(settings.LOGIN_URL)
        if (request.htmx or is_sent) and location.startswith(f"{login}?"):
            location = f"{login}?{urlencode({'next': here})}" if here else login
            if is_sent:
                messages.warning(request, LOGIN_ENDED)
        if not request.htmx:
            response.headers["Location"] = location
            return response
        # A page that is loaded again stays where it was scrolled to.
        followed: HttpResponse = (
            HttpResponseClientRefresh()
            if location == here
            else HttpResponseClientRedirect(location)
        )
        followed.cookies = response.cookies
        return followed


def _open_page(request: HtmxHttpRequest) -> str | None:
    """Return the path of the page of ours from which a request came, if it says so."""
    if request.htmx:
        return request.htmx.current_url_abs_path
    origin = f"{request.scheme}://{request.get_host()}"
    came_from = request.headers.get("Referer", "")
    return came_from.removeprefix(origin) if came_from.startswith(f"{origin}/") else None


# Each answer masks the token of its forms anew, so that it cannot be guessed from its size.
CSRF_FIELD = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')


class UnchangedRegionMiddleware:
    """Answers 304 where htmx asks for a region again and nothing in it has changed.

    The work of making it is done all the same; what is spared is sending it, and above all
    swapping it: what somebody selects, opens or focuses there stays untouched.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponseBase:
        """Tag a region with a hash of what it shows, and compare with what the page has."""
        response = self.get_response(request)
        is_region = request.method == "GET" and wants_region(request)
        if not is_region or response.streaming or response.status_code != 200:
            return response
        if not response.has_header("ETag"):
            shown = CSRF_FIELD.sub(b"", response.content)
            response["ETag"] = f'"{hashlib.sha256(shown).hexdigest()[:32]}"'
        # Not to be kept by the browser: an old answer has the token of an old login in its forms.
        patch_cache_control(response, private=True, no_store=True)
        return (
            get_conditional_response(request, etag=response["ETag"], response=response) or response
        )


class GZipPagesMiddleware(GZipMiddleware):
    """Compresses what is made as a whole. A stream is to arrive as it is written."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Leave streams alone."""
        return response if response.streaming else super().process_response(request, response)
