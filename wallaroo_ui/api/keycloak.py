"""The paths of Keycloak's user administration that the SDK calls."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status
from pydantic import StrictBool

from wallaroo_ui.accounts import people
from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.api.schemas import ERRORS, ERRORS_WITH_404, UserOut
from wallaroo_ui.api.scopes import MANAGE, user_of
from wallaroo_ui.api.users import user_out
from wallaroo_ui.workspaces.access import people_known_to, require_platform_admin

router = Router(tags=["users"])


@router.get("/users", response={200: list[UserOut], **ERRORS})
def find_users(request: HttpRequest, email: str = "") -> Any:
    """Find people by their whole e-mail address, as one does to add them to a workspace.

    Whoever knows an address learns the account's id by it. Without one, the people whom the
    caller may see anyway are listed.
    """
    if "\0" in email:  # No address, and no text that PostgreSQL takes.
        return []
    known = people_known_to(user_of(request))
    found = User.objects.filter(has_email(email)) if email else known
    return [user_out(user) for user in found.order_by("date_joined")]


@router.get("/users/{uuid:pk}", response={200: UserOut, **ERRORS_WITH_404})
def get_user(request: HttpRequest, pk: UUID) -> Any:
    """Look at a person: one who shares a workspace with the caller; an admin sees all."""
    return user_out(_known(request, pk))


class UserChange(Schema):
    """A person as they were looked up, with `enabled` changed."""

    enabled: StrictBool


@router.put("/users/{uuid:pk}", response={204: None, **ERRORS_WITH_404}, auth=MANAGE)
def change_user(request: HttpRequest, pk: UUID, wanted: UserChange) -> Status[None]:
    """Let a person log in, or no longer."""
    user = _known(request, pk)
    require_platform_admin(user_of(request))
    people.set_active(user=user, active=wanted.enabled, by=user_of(request))
    return Status(204, None)


def _known(request: HttpRequest, pk: UUID) -> User:
    found = people_known_to(user_of(request)).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found
