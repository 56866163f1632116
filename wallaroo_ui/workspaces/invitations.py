"""Inviting people who have no account yet, and what becomes of an invitation."""

import logging
import secrets
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from wallaroo_ui.accounts import people
from wallaroo_ui.accounts.models import User, digest, has_email
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Invitation, Membership, Role, Verb, Workspace

logger = logging.getLogger(__name__)

# How long an invitation is listed after it has expired, so that its maker sees what became of it.
EXPIRED_SHOWN = timedelta(days=30)


class InvitationRefused(Exception):
    """It cannot be done; the text says why."""


class InvitationOver(InvitationRefused):
    """It was used, withdrawn, replaced by another, or its time is over."""

    def __init__(self) -> None:
        super().__init__(
            "This invitation was used or withdrawn, or its time is over. If you have made "
            "your account with it, log in; else ask whoever sent it for another one."
        )


def may_invite(user: User) -> bool:
    """Tell whether who owns a workspace may also let people onto this server."""
    return user.is_platform_admin or settings.INVITATIONS == "owners"


@transaction.atomic
def invite(
    *, workspace: Workspace, email: str, role: Role, by: User, at: datetime
) -> tuple[Invitation, str]:
    """Invite an address. Return the invitation, and the token, which nobody will see again.

    An address that was invited before gets another link, and the old one is over.
    """
    token = secrets.token_urlsafe(32)
    # Locked: of two invitations of an address at once, one replaces the other.
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    workspace.invitations.filter(has_email(email)).delete()
    invitation = Invitation.objects.create(
        workspace=workspace,
        email=email,
        role=role,
        hash=digest(token),
        created_by=by,
        created_at=at,
        expires_at=at + Invitation.LIFETIME,
    )
    activity.record(workspace, by, Verb.MEMBER_INVITED, email, detail=f"as {role.label}", at=at)
    logger.info("person invited", extra={"workspace": workspace.pk, "by": str(by.pk)})
    return invitation, token


def send(invitation: Invitation, *, link: str) -> bool:
    """Send the link by e-mail. False: this server sends none, or it could not be sent."""
    if not settings.SENDS_EMAIL:
        return False
    workspace, by = invitation.workspace, invitation.created_by
    try:
        send_mail(
            f"{by} invites you to the workspace {workspace}",
            f"{by} invites you to the workspace {workspace} on Wallaroo UI.\n\n"
            f"Open this link within {Invitation.LIFETIME.days} days to join:\n\n{link}\n\n"
            "It is good once, and for this address only. If you do not know what this is about, "
            "do nothing.\n",
            None,
            [invitation.email],
        )
    except (OSError, SMTPException):
        logger.exception("invitation could not be sent", extra={"workspace": workspace.pk})
        return False
    return True


def find(token: str, *, at: datetime) -> Invitation | None:
    """Return the invitation whose token it is; None where it is over."""
    found = Invitation.objects.filter(hash=digest(token), expires_at__gt=at)
    invitation = found.select_related("workspace", "created_by").first()
    return invitation if invitation and _stands(invitation) else None


@transaction.atomic
def withdraw(*, invitation: Invitation, by: User) -> bool:
    """Take an invitation back. False: it was over already."""
    count, _ = Invitation.objects.filter(pk=invitation.pk).delete()
    if not count:
        return False
    activity.record(invitation.workspace, by, Verb.INVITATION_WITHDRAWN, invitation.email)
    return True


@transaction.atomic
def join(*, invitation: Invitation, user: User, at: datetime) -> None:
    """Let the person in whose address was invited.

    A member keeps the role they have.

    Raises:
        InvitationOver: it was good once, and is no more.
        InvitationRefused: it is for somebody else.
    """
    if user.email.lower() != invitation.email.lower():
        raise InvitationRefused(f"This invitation is for {invitation.email}.")
    _use_up(invitation, at=at)
    _, is_new = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=user, defaults={"role": invitation.role}
    )
    if is_new:
        detail = f"as {Role(invitation.role).label}, invited by {invitation.created_by}"
        activity.record(invitation.workspace, user, Verb.MEMBER_JOINED, detail=detail, at=at)
    logger.info(
        "invitation accepted", extra={"workspace": invitation.workspace_id, "user": str(user.pk)}
    )


@transaction.atomic
def join_as_new(
    *, invitation: Invitation, password: str, first_name: str, last_name: str, at: datetime
) -> User:
    """Make the account of the address that was invited, and let it in.

    Raises:
        InvitationOver: it was good once, and is no more.
        PersonRefused: the password will not do, or somebody has the address by now.
    """
    user = people.make_account(
        email=invitation.email, password=password, first_name=first_name, last_name=last_name
    )
    join(invitation=invitation, user=user, at=at)
    return user


def _stands(invitation: Invitation) -> bool:
    """Tell whether its maker might still make it: or a removed owner could let themselves in."""
    by = invitation.created_by
    if by is None or not by.is_active or not may_invite(by):
        return False
    return Workspace.objects.managed_by(by).filter(pk=invitation.workspace_id).exists()


def _use_up(invitation: Invitation, *, at: datetime) -> None:
    if not _stands(invitation):
        raise InvitationOver
    # By hash, not by key alone: another link for the address may have replaced this one.
    good = Invitation.objects.filter(pk=invitation.pk, hash=invitation.hash, expires_at__gt=at)
    if not good.delete()[0]:
        raise InvitationOver


def delete_expired(*, at: datetime) -> int:
    """Delete what nobody needs to be told of any more. Return how much it was."""
    return Invitation.objects.filter(expires_at__lt=at - EXPIRED_SHOWN).delete()[0]
