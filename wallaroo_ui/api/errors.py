"""Every refusal of the API is JSON: `{"msg": ..., "code": ...}`, also the framework's own.

The SDK reads both keys of an error and fails in the user's notebook where they are missing,
or where a page of HTML comes instead.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tasks.removal import StillInUse
from tasks.services import NotRunnable
from wallaroo_ui.accounts.people import PersonRefused
from wallaroo_ui.connections.services import NameTaken
from wallaroo_ui.workspaces.services import WorkspaceRefused

PREFIXES = ("/v1/", "/auth/realms/", "/auth/admin/")
# The same words whether a thing does not exist or belongs to others.
NOT_FOUND = "There is nothing here by this name or id that you may see."
NO_TOKEN = "Log in first: the token is missing, has expired, or is not good any more."  # noqa: S105
WORDS = {
    400: "The request could not be understood.",
    401: NO_TOKEN,
    403: "You may not do this.",
    404: NOT_FOUND,
    500: "Something went wrong on the server. Its operator finds the reason in the log.",
}


class Refused(BadRequest):
    """What was sent cannot be used; the text says why, in words for the sender."""


# What services refuse, each with a text for people: 409 where it contradicts what is there.
REFUSALS: dict[type[Exception], int] = {
    Refused: 400,
    NotRunnable: 400,
    PersonRefused: 400,
    WorkspaceRefused: 400,
    NameTaken: 409,
    StillInUse: 409,
}


def refusal(status: int, message: str = "") -> JsonResponse:
    """Return an error in the contract's form."""
    text = message or WORDS.get(status) or HTTPStatus(status).phrase
    return JsonResponse({"msg": text, "code": status}, status=status)


class JsonErrorsMiddleware:
    """Puts what Django itself refuses below the API's paths into the contract's form."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Replace the body of an error that is not JSON."""
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIXES):
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        replaced = refusal(response.status_code)
        if allowed := response.headers.get("Allow"):
            replaced["Allow"] = allowed
        return replaced


def add_error_handlers(api: NinjaAPI) -> None:
    """Have the REST API answer exceptions in the contract's form."""

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        return refusal(400, "; ".join(map(_problem, error.errors)))

    @api.exception_handler(AuthenticationError)
    def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = refusal(401)
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(HttpError)
    def refused(request: HttpRequest, error: HttpError) -> HttpResponse:
        # What the parser of bodies says stands behind a sentence of the framework's.
        words = error.__cause__ if isinstance(error.__cause__, Refused) else error
        return refusal(error.status_code, str(words))

    def not_done(
        request: HttpRequest, error: Exception | type[Exception], *, status: int
    ) -> HttpResponse:
        return refusal(status, str(error))

    for kind, status in REFUSALS.items():
        api.add_exception_handler(kind, partial(not_done, status=status))

    @api.exception_handler(PermissionDenied)
    def forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
        return refusal(403, str(error))

    @api.exception_handler(Http404)
    def missing(request: HttpRequest, error: Http404) -> HttpResponse:
        return refusal(404)


def _problem(error: dict[str, Any]) -> str:
    """Say one error of a schema: where, and what."""
    location: tuple[str | int, ...] = error["loc"]
    # The first parts name our own function's parameter, not what the sender wrote.
    where = ".".join(str(part) for part in location[2:]) or str(location[-1])
    return f"{where}: {error['msg']}"
