"""Who passes to what of a connection; beside the one door, `workspaces/access.py`.

Whoever may not see a connection gets 404 there. These answer 403 to those who see it.
"""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.shortcuts import get_object_or_404

from wallaroo_ui.connections.models import Connection
from wallaroo_ui.workspaces.access import require_change, visible_or_404
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from wallaroo_ui.accounts.models import User


def require_read_details(connection: Connection, user: "User") -> None:
    """Let pass who may read the details, or answer 403."""
    if not connection.may_read_details(user):
        raise PermissionDenied(
            f"The details of {connection} are for whoever made it, and for owners and "
            "collaborators of its workspaces."
        )


def require_manage(connection: Connection, user: "User") -> None:
    """Let pass who may change and delete a connection, or answer 403."""
    if not connection.may_be_managed_by(user):
        raise PermissionDenied(
            f"Only whoever made {connection} may change or delete it, and the administrators "
            "of this server."
        )


def workspace_to_unlink(connection: Connection, user: "User", workspace_id: int) -> Workspace:
    """Fetch a workspace that `user` may take a connection from, or answer 404 or 403.

    Those who manage the connection may take it from wherever it is, seen by them or not.
    """
    if connection.may_be_managed_by(user):
        has_it = Q(pk__in=connection.links.values("workspace"))
        seen = Q(pk__in=Workspace.objects.visible_to(user).values("pk"))
        return get_object_or_404(Workspace, has_it | seen, pk=workspace_id)
    workspace = visible_or_404(Workspace.objects.all(), user, pk=workspace_id)
    require_change(workspace, user)
    return workspace
