"""The device flow: a program without a browser asks, a person says yes on a page.

The program polls with its device code until the person, on any device, has approved or
denied the user code that both of them can see.
"""

import secrets
from datetime import datetime

from django.db import transaction

from wallaroo_ui.accounts.models import DeviceAuthorization, User, digest
from wallaroo_ui.accounts.services import LONGEST_USER_AGENT, LoginRefused, log_in_sdk

Status = DeviceAuthorization.Status

# Consonants only: no words by accident, and no letters that look like digits.
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LETTERS = 8
# Anybody may ask, so nobody may fill the table.
MOST_WAITING = 100


class TooManyWaiting(Exception):
    """Too many programs at one address wait for somebody to approve them."""


class NotGranted(Exception):
    """A program gets no tokens.

    Attributes:
        error: why, in the words of RFC 8628.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def ask(*, address: str | None, user_agent: str, at: datetime) -> tuple[DeviceAuthorization, str]:
    """Note that a program asks to act for somebody. Return it with its device code.

    Raises:
        TooManyWaiting: from this address.
    """
    waiting = DeviceAuthorization.objects.filter(address=address, expires_at__gt=at)
    if waiting.count() >= MOST_WAITING:
        raise TooManyWaiting
    device_code = secrets.token_urlsafe(32)
    authorization = DeviceAuthorization.objects.create(
        device_hash=digest(device_code),
        user_code="".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS)),
        address=address,
        user_agent=user_agent[:LONGEST_USER_AGENT],
        created_at=at,
        expires_at=at + DeviceAuthorization.LIFETIME,
    )
    return authorization, device_code


def find(typed: str) -> DeviceAuthorization | None:
    """Return what a person means by a code, however they have typed it."""
    letters = "".join(letter for letter in typed.upper() if letter.isalpha())
    return DeviceAuthorization.objects.filter(user_code=letters).first()


def decide(*, authorization: DeviceAuthorization, user: User, approve: bool, at: datetime) -> bool:
    """Let a program act for `user`, or deny it. Return whether it was not decided before."""
    changed = DeviceAuthorization.objects.filter(
        pk=authorization.pk, status=Status.WAITING, expires_at__gt=at
    ).update(status=Status.APPROVED if approve else Status.DENIED, user=user)
    return changed == 1


def state_for(authorization: DeviceAuthorization, user: User, *, at: datetime) -> str:
    """Say in a word what a code is to somebody who looks at it."""
    if authorization.status == Status.WAITING:
        return "expired" if authorization.is_expired(at=at) else "asks"
    if authorization.user_id != user.pk:
        return "taken"
    return "denied" if authorization.status == Status.DENIED else "approved"


def redeem(*, device_code: str, at: datetime) -> tuple[User, str]:
    """Return who approved a program, and a refresh token: once.

    Raises:
        NotGranted: not yet, or never.
    """
    asked = DeviceAuthorization.objects.filter(device_hash=digest(device_code))
    authorization = asked.select_related("user").first()
    if authorization is None:
        raise NotGranted("invalid_grant", "There is no such code.")
    if authorization.is_expired(at=at):
        raise NotGranted("expired_token", "Nobody approved this code in time.")
    if authorization.status == Status.WAITING:
        is_early = authorization.is_polled_early(at=at)
        asked.update(polled_at=at)
        if is_early:
            raise NotGranted("slow_down", "Ask less often.")
        raise NotGranted("authorization_pending", "Nobody has approved this code yet.")
    if authorization.status == Status.DENIED:
        raise NotGranted("access_denied", "This was denied.")
    return _use(authorization, at=at)


@transaction.atomic
def _use(authorization: DeviceAuthorization, *, at: datetime) -> tuple[User, str]:
    """Log the program in, if nobody else does at this moment."""
    user = authorization.user
    try:
        text = log_in_sdk(user=user, user_agent=authorization.user_agent, at=at) if user else ""
    except LoginRefused as error:
        raise NotGranted("access_denied", "The account of who approved this has ended.") from error
    approved = DeviceAuthorization.objects.filter(pk=authorization.pk, status=Status.APPROVED)
    if user is None or approved.update(status=Status.USED) != 1:
        raise NotGranted("invalid_grant", "This code was used before.")
    return user, text
