"""The browsers in which people are logged in: seen, listed, ended."""

import logging
from datetime import datetime

from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from wallaroo_ui.accounts.models import BrowserSession, User, digest
from wallaroo_ui.accounts.services import LONGEST_USER_AGENT
from wallaroo_ui.accounts.throttle import client_address

logger = logging.getLogger(__name__)

# In the session itself: when it was last written down, and under which key.
SEEN = "seen"


def notice(request: HttpRequest, user: User, *, at: datetime) -> None:
    """Write down that a logged-in browser was seen, unless that was done lately.

    The session remembers it, so that most requests cost nothing.
    """
    session = request.session
    if session.session_key is None:
        session.create()
    key = session.session_key or ""
    if _is_known(session, key, at):
        return
    seen = {
        "user": user,
        "user_agent": request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT],
        "address": client_address(request),
        "last_seen_at": at,
    }
    try:
        with transaction.atomic():
            BrowserSession.objects.update_or_create(
                session_id=key, defaults=seen, create_defaults={**seen, "created_at": at}
            )
    except IntegrityError:  # It was ended from elsewhere at this moment.
        return
    session[SEEN] = [digest(key), at.isoformat()]


def end_others(*, user: User, but: str | None) -> int:
    """Log a person out of every browser but the one whose session key is given."""
    count = BrowserSession.objects.filter(user=user).exclude(session=but).end()
    logger.info("browser sessions ended", extra={"user": str(user.pk), "count": count})
    return count


def _is_known(session: SessionBase, key: str, at: datetime) -> bool:
    seen = session.get(SEEN)
    if not isinstance(seen, list) or seen[0] != digest(key):  # Its key was changed, or it is new.
        return False
    return at - datetime.fromisoformat(seen[1]) < BrowserSession.SEEN_EVERY
