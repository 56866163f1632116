"""What can be asked of workspaces."""

from django.db import transaction

from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Membership, Role, Workspace


@transaction.atomic
def create_workspace(*, name: str, owner: User) -> Workspace:
    """Make a workspace; its maker is its owner."""
    workspace = Workspace.objects.create(name=name, created_by=owner)
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
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
