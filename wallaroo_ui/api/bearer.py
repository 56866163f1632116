"""Who calls the API: the token of an Authorization header, and what it allows."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from tasks import credentials
from wallaroo_ui.accounts import services, tokens
from wallaroo_ui.accounts.models import ApiToken, Scope, User


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody whose token was found good.

    Attributes:
        scope: how much of the person's rights the token carries.
        run: the task run that calls; None where the person does.
    """

    user: User
    scope: Scope
    run: UUID | None = None


def caller_of(request: HttpRequest) -> Caller | None:
    """Return who sends a request; None where its token is missing or not good."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    return caller_with(token.strip())


def caller_with(token: str) -> Caller | None:
    """Return whose token it is; None where it is not good (any more).

    A token is one that a person made for a script, or a signed access token.
    """
    if token.startswith(ApiToken.PREFIX):
        return _caller_with_api_token(token)
    try:
        claims = tokens.read_token(token, kind="access")
    except tokens.TokenRefused:
        return None
    if claims.run is not None:
        user = credentials.user_of_run(claims.run)
    else:
        user = User.objects.filter(pk=claims.user, is_active=True).first()
    if user is None or user.pk != claims.user:
        return None
    return Caller(user=user, scope=Scope.MANAGE, run=claims.run)


def _caller_with_api_token(text: str) -> Caller | None:
    token = services.use_api_token(text=text, at=timezone.now())
    return Caller(user=token.user, scope=Scope(token.scope)) if token else None
