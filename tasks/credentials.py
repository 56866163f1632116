"""A run's own credentials: how a script in a task calls back to this server.

The SDK finds them in its token cache (the contract's section 5). A run acts for the person
who decided what it does: who asked for it, or who made or last changed its task. The refresh
token is good again and again, since the SDK never writes a new one back, and is worth nothing
once the run has ended: it is bound to the run's row.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from tasks.models import TaskRun
from wallaroo_ui.accounts import tokens
from wallaroo_ui.accounts.models import User

# A script that runs to its timeout should not have to refresh.
SPARE = timedelta(hours=1)
# A run without a timeout refreshes day by day, as long as it goes on.
A_DAY, YEARS = timedelta(days=1), timedelta(days=3650)


class NobodyToActFor(Exception):
    """A run would act for a person who may not act any more."""


def token_cache(run: TaskRun) -> dict[str, Any]:
    """Return the content of the SDK's token cache for a run.

    Raises:
        NobodyToActFor: the person is gone.
    """
    user = run.acts_for
    if user is None or not user.is_active:
        raise NobodyToActFor("the person that it acts for has no active account any more.")
    now = timezone.now()
    lifetime = (run.time_limit or A_DAY) + SPARE
    refresh_lifetime = lifetime if run.time_limit else YEARS
    return {
        "access_token": tokens.access_token(user, lifetime=lifetime, run=run.pk),
        "expiry": (now + lifetime).timestamp(),
        "refresh_token": tokens.refresh_token(user, lifetime=refresh_lifetime, run=run.pk),
        "refresh_token_expiry": (now + refresh_lifetime).timestamp(),
        "user_id": str(user.pk),
        "user_email": user.email,
    }


def user_of_run(run_id: UUID) -> User | None:
    """Return the person a run acts for, as long as it is going on and they are active.

    A platform admin is one in the run's workspace only.
    """
    run = TaskRun.objects.unfinished().filter(pk=run_id).with_relations().first()
    user: User | None = run.acts_for if run else None
    if run is None or user is None or not user.is_active:
        return None
    if user.is_superuser:
        user.confined_to = run.task.workspace.pk
    return user
