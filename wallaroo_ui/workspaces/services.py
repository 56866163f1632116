"""What can be asked of workspaces."""

import logging
import re

from django.db import IntegrityError, transaction

from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Membership, Role, Verb, Workspace

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class WorkspaceRefused(Exception):
    """It cannot be done; the text says why."""


def open_workspace(*, name: str, owner: User) -> Workspace:
    """Make a workspace by a name that a person chose.

    Raises:
        WorkspaceRefused: the name is not one, or taken.
    """
    if not NAME.fullmatch(name):
        raise WorkspaceRefused(
            "A workspace's name has at most 64 letters, digits, dashes and underscores of ASCII, "
            "and begins with a letter or a digit."
        )
    try:
        with transaction.atomic():
            return create_workspace(name=name, owner=owner)
    except IntegrityError as error:
        raise WorkspaceRefused(f"There is a workspace {name} already.") from error


@transaction.atomic
def set_defaults(
    *, workspace: Workspace, time_zone: str, timeout_seconds: int | None, by: User
) -> None:
    """Change what new tasks begin with; those that exist keep what they have.

    Args:
        workspace: whose they are.
        time_zone: in which new schedules are meant.
        timeout_seconds: of a run, as the form proposes it; None proposes none.
        by: who changes them.
    """
    workspace.time_zone, workspace.timeout_seconds = time_zone, timeout_seconds
    workspace.save(update_fields=["time_zone", "timeout_seconds"])
    timeout = f"timeout {timeout_seconds} s" if timeout_seconds else "no timeout"
    activity.record(workspace, by, Verb.SETTINGS_CHANGED, detail=f"{time_zone}, {timeout}")
    logger.info("defaults set", extra={"workspace": workspace.pk, "by": str(by.pk)})


@transaction.atomic
def set_member(*, workspace: Workspace, user: User, role: Role, by: User) -> Membership:
    """Add a person to a workspace, or give a member another role.

    An invitation of their address is over then: nobody needs it any more.

    Raises:
        WorkspaceRefused: nobody would be its owner any more.
    """
    _keep_an_owner(workspace, without=None if role is Role.OWNER else user)
    membership, is_new = Membership.objects.get_or_create(
        workspace=workspace, user=user, defaults={"role": role}
    )
    if is_new:
        workspace.invitations.filter(has_email(user.email)).delete()
        activity.record(workspace, by, Verb.MEMBER_ADDED, user, detail=f"as {role.label}")
        logger.info(
            "member added", extra={"workspace": workspace.pk, "user": str(user), "role": role}
        )
    else:
        _change_role(membership, role=role, by=by)
    return membership


@transaction.atomic
def change_role(*, workspace: Workspace, user: User, role: Role, by: User) -> bool:
    """Give a member another role. False: they are no member any more.

    Raises:
        WorkspaceRefused: nobody would be its owner any more.
    """
    _keep_an_owner(workspace, without=None if role is Role.OWNER else user)
    membership = Membership.objects.filter(workspace=workspace, user=user).first()
    if membership is None:
        return False
    _change_role(membership, role=role, by=by)
    return True


def _change_role(membership: Membership, *, role: Role, by: User) -> None:
    if membership.role == role:
        return
    workspace, user = membership.workspace, membership.user
    membership.role = role
    membership.save(update_fields=["role"])
    activity.record(workspace, by, Verb.MEMBER_CHANGED, user, detail=f"to {role.label}")
    logger.info(
        "member changed", extra={"workspace": workspace.pk, "user": str(user), "role": role}
    )


@transaction.atomic
def remove_member(*, workspace: Workspace, user: User, by: User) -> bool:
    """Take a person out of a workspace. False: they were no member.

    Raises:
        WorkspaceRefused: it is their default workspace, or nobody would be its owner any more.
    """
    if not Membership.objects.filter(workspace=workspace, user=user).exists():
        return False
    if workspace.default_for_id == user.pk:
        raise WorkspaceRefused(f"This is the default workspace of {user}.")
    _keep_an_owner(workspace, without=user)
    removed, _ = Membership.objects.filter(workspace=workspace, user=user).delete()
    if removed and user.pk == by.pk:
        activity.record(workspace, by, Verb.MEMBER_LEFT)
    elif removed:
        activity.record(workspace, by, Verb.MEMBER_REMOVED, user)
    logger.info("member removed", extra={"workspace": workspace.pk, "user": str(user)})
    return removed > 0


def _keep_an_owner(workspace: Workspace, *, without: User | None) -> None:
    # Locked: two owners must not remove each other at the same moment.
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    owners = Membership.objects.filter(workspace=workspace, role=Role.OWNER)
    is_owner = without is not None and owners.filter(user=without).exists()
    # Who cannot log in looks after nothing.
    if is_owner and not owners.exclude(user=without).filter(user__is_active=True).exists():
        raise WorkspaceRefused(f"{workspace} would have no owner left. Make somebody else one.")


@transaction.atomic
def create_workspace(*, name: str, owner: User) -> Workspace:
    """Make a workspace; its maker is its owner."""
    workspace = Workspace.objects.create(name=name, created_by=owner)
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    activity.record(workspace, owner, Verb.WORKSPACE_MADE)
    return workspace


@transaction.atomic
def ensure_default_workspace(user: User) -> Workspace:
    """Return the workspace in which `user` works unless they chose another.

    Its name is the one that the SDK's contract gives it, so that the SDK, which makes
    it by that name where it finds none, and the server mean the same workspace.
    """
    existing = Workspace.objects.filter(default_for=user).first()
    if existing is not None:
        return existing
    name = f"{user.email or user.username} - Default Workspace"
    if Workspace.objects.filter(name=name).exists():
        # Of somebody who had this address before: never a way into their work.
        name = f"{name} ({user.pk})"
    workspace = create_workspace(name=name, owner=user)
    workspace.default_for = user
    workspace.save(update_fields=["default_for"])
    return workspace
