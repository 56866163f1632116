"""The one door to what belongs to a workspace.

Every view, on the pages and in the API, fetches through these functions. Whoever may
not see a thing gets 404, as if it did not exist; whoever may see but not change it
gets 403. Permissions are never left to a template's `{% if %}`: a region can be asked
for without its page.
"""

from typing import TYPE_CHECKING, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.shortcuts import get_object_or_404

from wallaroo_ui.workspaces.models import Membership, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User


ThingT = TypeVar("ThingT", bound=Model)


def visible_or_404(
    queryset: QuerySet[ThingT], user: "User | AnonymousUser", **lookup: object
) -> ThingT:
    """Fetch what `user` may see, or answer 404.

    Args:
        queryset: of a model whose queryset has `visible_to(user)`.
        user: who asks.
        lookup: names exactly one row.
    """
    thing: ThingT = get_object_or_404(queryset.visible_to(user), **lookup)  # type: ignore[attr-defined]
    return thing


def people_known_to(user: "User") -> "QuerySet[User]":
    """Return whom `user` may see: who shares a workspace with them; an admin sees everybody."""
    people: QuerySet[User] = get_user_model().objects.all()
    if user.is_platform_admin:
        return people
    shared = Membership.objects.filter(workspace__in=Workspace.objects.visible_to(user))
    return people.filter(Q(pk=user.pk) | Q(pk__in=shared.values("user")))


def require_change(workspace: Workspace, user: "User | AnonymousUser") -> None:
    """Let pass who may change things in `workspace`, or answer 403."""
    role = workspace.role_of(user)
    if role is None or not role.may_change:
        raise PermissionDenied(
            f"You may look at everything in {workspace}, but not change it. "
            "An owner of the workspace can make you a collaborator."
        )


def may_change(workspace: Workspace, user: "User | AnonymousUser") -> bool:
    """Tell whether to offer `user` the buttons that `require_change` guards."""
    role = workspace.role_of(user)
    return role is not None and role.may_change


def require_owner(workspace: Workspace, user: "User | AnonymousUser") -> None:
    """Let pass who may change `workspace` itself and its members, or answer 403."""
    if not may_manage(workspace, user):
        raise PermissionDenied(f"Only an owner may change {workspace} and its members.")


def may_manage(workspace: Workspace, user: "User | AnonymousUser") -> bool:
    """Tell whether to offer `user` the forms that `require_owner` guards."""
    role = workspace.role_of(user)
    return role is not None and role.may_manage_members


def require_platform_admin(user: "User") -> None:
    """Let pass who looks after the whole server, or answer 403."""
    if not user.is_platform_admin:
        raise PermissionDenied("This is for the administrators of this server.")
