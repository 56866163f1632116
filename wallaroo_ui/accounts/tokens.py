"""Signed tokens (JWT): what the SDK carries instead of a session.

Tokens are signed with a key of their own, derived from SECRET_KEY, so that nothing
else that is signed on this server can pass for one.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import jwt
from django.conf import settings
from django.utils import timezone

from wallaroo_ui.accounts.models import User

ALGORITHM = "HS256"
AUDIENCE = "wallaroo-sdk"


class TokenRefused(Exception):
    """The token is forged, expired, or of another kind."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a token says, once its signature was found good.

    Attributes:
        run: the task run whose credentials it belongs to; None for a person's own.
    """

    user: UUID
    run: UUID | None


def access_token(user: User, *, lifetime: timedelta, run: UUID | None = None) -> str:
    """Return a token that proves who calls. The SDK reads `sub` and `email` from it."""
    return _encode(user, "access", lifetime, run)


def refresh_token(user: User, *, lifetime: timedelta, run: UUID) -> str:
    """Return a token that a run exchanges for new access tokens, as long as it goes on."""
    return _encode(user, "refresh", lifetime, run)


def read_token(token: str, *, kind: str) -> Claims:
    """Check a token of one kind, `access` or `refresh`, and return what it says.

    Raises:
        TokenRefused: for every token that is not good.
    """
    try:
        payload = jwt.decode(
            token,
            _key(),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "iat", "sub", "aud"]},
        )
        if payload.get("typ") != kind:
            raise TokenRefused("This is another kind of token.")
        run = payload.get("run")
        return Claims(user=UUID(payload["sub"]), run=UUID(run) if run else None)
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused(str(error)) from error


def _encode(user: User, kind: str, lifetime: timedelta, run: UUID | None) -> str:
    now = timezone.now()
    payload = {
        "sub": str(user.pk),
        "email": user.email,
        "typ": kind,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
    }
    if run is not None:
        payload["run"] = str(run)
    return jwt.encode(payload, _key(), algorithm=ALGORITHM)


def _key() -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), b"wallaroo sdk tokens", hashlib.sha256)
