"""Who did what in a workspace, and when: for its members to read.

An event is written in the transaction that does what it tells of: both are there, or neither.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Event, Verb, Workspace

LONGEST = 255


def record(
    workspace: Workspace | int,
    user: User | None,
    verb: Verb,
    subject: object = "",
    *,
    detail: str = "",
    url: str = "",
    at: datetime | None = None,
) -> None:
    """Write down what somebody did. What no person did is not written.

    Args:
        workspace: where; its id will do.
        user: who did it; with None nothing is written.
        verb: what.
        subject: to what, as it is called now. Never a secret.
        detail: more in a few words. Never a secret.
        url: where the subject is to be found.
        at: when; the present if it is not given.
    """
    if user is None:
        return
    Event.objects.create(
        workspace_id=workspace if isinstance(workspace, int) else workspace.pk,
        user=user,
        verb=verb,
        subject=str(subject)[:LONGEST],
        detail=detail[:LONGEST],
        url=url if len(url) <= LONGEST else "",
        at=at or timezone.now(),
    )


def events_of(workspace: Workspace) -> QuerySet[Event]:
    """Return what was done in a workspace, with who did it."""
    return workspace.events.select_related("user")


def delete_old_events(*, at: datetime, limit: int) -> int:
    """Delete what is older than the days for which it is kept. Return how much it was."""
    oldest = at - timedelta(days=settings.ACTIVITY_KEPT_DAYS)
    old = Event.objects.filter(at__lt=oldest).order_by("at")
    keys = list(old.values_list("pk", flat=True)[:limit])
    return Event.objects.filter(pk__in=keys).delete()[0]
