"""What can be asked of the secrets that prove who calls: API tokens and logins of the SDK."""

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import transaction

from wallaroo_ui.accounts.models import (
    ApiToken,
    DeviceAuthorization,
    RefreshToken,
    Scope,
    Secret,
    User,
    digest,
)

# How long an API token is listed after it has expired, so that a person sees why it fails.
EXPIRED_SHOWN = timedelta(days=30)
LONGEST_USER_AGENT = 255
# A script that logs in each time it starts fills no table: the longest unused give way.
MOST_LOGINS = 100


class LoginRefused(Exception):
    """The person may not log in any more: the account ended, or its password was changed."""


def create_api_token(
    *, user: User, name: str, scope: Scope, lifetime: timedelta | None, at: datetime
) -> tuple[ApiToken, str]:
    """Make a token for a script. Return it with its text, which nobody will see again.

    Args:
        user: for whom it speaks.
        name: what its owner knows it by.
        scope: how much of their rights it carries.
        lifetime: how long it is good; None is for ever.
        at: the present.
    """
    text = ApiToken.new_text()
    token = ApiToken.objects.create(
        user=user,
        name=name,
        scope=scope,
        hash=digest(text),
        start=text[: len(ApiToken.PREFIX) + 4],
        created_at=at,
        expires_at=None if lifetime is None else at + lifetime,
    )
    return token, text


def use_api_token(*, text: str, at: datetime) -> ApiToken | None:
    """Return the token whose text it is, with its person; None where it is not good."""
    token: ApiToken | None = (
        ApiToken.objects.valid(at=at).select_related("user").filter(hash=digest(text)).first()
    )
    if token is not None:
        _notice_use(token, at=at)
    return token


@transaction.atomic
def log_in_sdk(*, user: User, user_agent: str, at: datetime) -> str:
    """Return the text of a new refresh token.

    Raises:
        LoginRefused: the account ended, or got another password, while somebody logged in.
    """
    # Whoever changes the password waits here, and then ends this login too.
    unchanged = User.objects.select_for_update().filter(
        pk=user.pk, password=user.password, is_active=True
    )
    if unchanged.first() is None:
        raise LoginRefused
    text = RefreshToken.new_text()
    RefreshToken.objects.create(
        user=user,
        hash=digest(text),
        user_agent=user_agent[:LONGEST_USER_AGENT],
        created_at=at,
        last_used_at=at,
        expires_at=at + RefreshToken.LIFETIME,
    )
    surplus = user.refresh_tokens.order_by("-last_used_at", "-pk").values_list("pk", flat=True)
    RefreshToken.objects.filter(pk__in=list(surplus[MOST_LOGINS:])).delete()
    return text


def use_refresh_token(*, text: str, at: datetime) -> RefreshToken | None:
    """Return the login whose token it is, with its person; None where it is over.

    Its life begins anew with each use.
    """
    token: RefreshToken | None = (
        RefreshToken.objects.valid(at=at).select_related("user").filter(hash=digest(text)).first()
    )
    if token is not None:
        _notice_use(token, at=at, expires_at=at + RefreshToken.LIFETIME)
    return token


def change_profile(*, user: User, **profile: str) -> None:
    """Change how a person is called, and how pages look to them."""
    for field, value in profile.items():
        setattr(user, field, value)
    user.save(update_fields=list(profile))


def delete_expired(*, at: datetime) -> int:
    """Delete what proves nothing any more. Return how much it was."""
    querysets = (
        RefreshToken.objects.filter(expires_at__lt=at),
        DeviceAuthorization.objects.filter(expires_at__lt=at - DeviceAuthorization.LIFETIME),
        ApiToken.objects.filter(expires_at__lt=at - EXPIRED_SHOWN),
        Session.objects.filter(expire_date__lt=at),
    )
    return sum(queryset.delete()[0] for queryset in querysets)


def _notice_use(secret: Secret, *, at: datetime, **changes: datetime) -> None:
    if secret.is_use_news(at=at):
        type(secret).objects.filter(pk=secret.pk).update(last_used_at=at, **changes)
