"""What a token must allow before an operation is called."""

from typing import cast

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer

from wallaroo_ui.accounts.models import Scope, User
from wallaroo_ui.api.bearer import Caller, caller_with


class Bearer(HttpBearer):
    """Lets pass who sends a good token of at least one scope."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        """Return who calls; None, which is 401, where the token is not good."""
        caller = caller_with(token.strip())
        if caller is not None and not caller.scope.allows(self.scope):
            raise HttpError(
                403,
                f"This token may only {caller.scope}; it takes one that may {self.scope}.",
            )
        return caller


READ = Bearer(Scope.READ)
RUN = Bearer(Scope.RUN)
MANAGE = Bearer(Scope.MANAGE)


class ApiRequest(HttpRequest):
    """A request whose caller is known."""

    auth: Caller


def user_of(request: HttpRequest) -> User:
    """Return whose rights a request has."""
    return cast("ApiRequest", request).auth.user
