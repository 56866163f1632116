"""What every page owes to the person who looks at it: their time zone, and care of their login."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.utils import timezone

from wallaroo_ui.accounts import sessions


class PersonMiddleware:
    """Shows times in the person's own zone, and writes down that their browser was seen."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave no zone behind for the next person, and notice the browser."""
        try:
            response = self.get_response(request)
        finally:
            timezone.deactivate()
        # Asked for only where a view wanted to know: what needs no login needs no database.
        if request.session.accessed and request.user.is_authenticated:
            sessions.notice(request, request.user, at=timezone.now())
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> None:
        """Have the admin read dates, and count its days, in the zone in which it shows them."""
        if request.resolver_match and request.resolver_match.app_name == "admin":
            _activate_zone(request)

    def process_template_response(
        self, request: HttpRequest, response: SimpleTemplateResponse
    ) -> SimpleTemplateResponse:
        """Have the page that is about to be drawn say times in the person's zone."""
        _activate_zone(request)
        return response


def _activate_zone(request: HttpRequest) -> None:
    name = getattr(request.user, "time_zone", "")
    if name:
        try:
            timezone.activate(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):  # The database of zones has it no more.
            pass
