"""People over REST: who there is, and for admins inviting and deactivating."""

from typing import Annotated, Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router, Schema

from wallaroo_ui.accounts import people
from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.api.schemas import ERRORS, ERRORS_WITH_404, ID_LIST, Empty, UserOut
from wallaroo_ui.api.scopes import MANAGE, user_of
from wallaroo_ui.workspaces.access import people_known_to, require_platform_admin

router = Router(tags=["users"])


class QueryRequest(Schema):
    """Whom; nothing or an empty list is everybody whom the caller may see."""

    user_ids: Annotated[list[str], ID_LIST] | None = None


class Users(Schema):
    """People by their id."""

    users: dict[str, UserOut]


@router.post("/users/query", response={200: Users, **ERRORS})
def query_users(request: HttpRequest, wanted: QueryRequest) -> Any:
    """Look up people: those who share a workspace with the caller; an admin sees all."""
    known = people_known_to(user_of(request))
    if wanted.user_ids:
        known = known.filter(pk__in=filter(None, map(_uuid, wanted.user_ids)))
    return {"users": {str(user.pk): user_out(user) for user in known.order_by("date_joined")}}


class InviteRequest(Schema):
    """Whose account; without a password an administrator has to set one later."""

    email: str
    password: str | None = None


@router.post("/users/invite", response={200: UserOut, **ERRORS}, auth=MANAGE)
def invite_user(request: HttpRequest, wanted: InviteRequest) -> Any:
    """Make an account."""
    by = user_of(request)
    require_platform_admin(by)
    user = people.invite_user(email=wanted.email, password=wanted.password, by=by)
    return user_out(user)


class PersonRequest(Schema):
    """Whose account."""

    email: str


@router.post("/users/activate", response={200: Empty, **ERRORS_WITH_404}, auth=MANAGE)
def activate_user(request: HttpRequest, wanted: PersonRequest) -> Any:
    """Let a person log in again."""
    return _set_active(request, wanted.email, active=True)


@router.post("/users/deactivate", response={200: Empty, **ERRORS_WITH_404}, auth=MANAGE)
def deactivate_user(request: HttpRequest, wanted: PersonRequest) -> Any:
    """Let a person log in no longer; what they made stays."""
    return _set_active(request, wanted.email, active=False)


def user_out(user: User) -> UserOut:
    """Put a person in the shape that Keycloak gives them."""
    return UserOut(
        id=str(user.pk),
        username=user.username,
        email=user.email,
        enabled=user.is_active,
        firstName=user.first_name,
        lastName=user.last_name,
        createdTimestamp=int(user.date_joined.timestamp() * 1000),
    )


def _set_active(request: HttpRequest, email: str, *, active: bool) -> dict[str, Any]:
    by = user_of(request)
    require_platform_admin(by)
    user = User.objects.filter(has_email(email.strip())).first()
    if user is None:
        raise Http404
    people.set_active(user=user, active=active, by=by)
    return {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
