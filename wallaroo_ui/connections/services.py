"""What can be asked of connections. Who may ask it is settled in `access.py`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections import encryption
from wallaroo_ui.connections.models import Connection, WorkspaceConnection
from wallaroo_ui.workspaces import activity
from wallaroo_ui.workspaces.models import Verb, Workspace

logger = logging.getLogger(__name__)


class NameTaken(Exception):
    """Another connection has this name; names are unique over the whole server."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a connection named “{name}” already.")


class ConnectionGone(Exception):
    """It was deleted in the meantime."""


@transaction.atomic
def create_connection(
    *,
    name: str,
    type: str,  # noqa: A002 (the contract's word)
    details: Mapping[str, object],
    user: User,
    workspace: Workspace | None = None,
) -> Connection:
    """Make a connection, and let a workspace have it at once if one is named.

    Raises:
        ValidationError: name or type are not acceptable, by field.
        JSONRefused: the details are not.
        NameTaken: another one has the name.
    """
    connection = Connection(name=name.strip(), type=type.strip(), created_by=user)
    connection.details = details
    connection.clean_fields()
    try:
        with transaction.atomic():
            connection.save(force_insert=True)
    except IntegrityError:
        raise NameTaken(connection.name) from None
    _log("connection created", connection, user)
    if workspace is not None:
        link_connection(connection=connection, workspace=workspace, user=user)
    return connection


@transaction.atomic
def change_connection(
    *,
    connection: Connection,
    type: str,  # noqa: A002 (the contract's word)
    details: Mapping[str, object],
    user: User,
) -> Connection:
    """Give a connection a new type and new details: scripts get them when they next ask.

    Raises:
        ValidationError: the type is not acceptable, by field.
        JSONRefused: the details are not.
        ConnectionGone: there is none any more.
    """
    connection = _locked(connection)
    connection.type = type.strip()
    connection.details = details
    connection.clean_fields()
    connection.save(update_fields=["type", "sealed_details", "updated_at"])
    _log("connection changed", connection, user)
    return connection


@transaction.atomic
def link_connection(
    *, connection: Connection, workspace: Workspace, user: User
) -> WorkspaceConnection:
    """Let a workspace have a connection; the link that is there already is returned.

    Raises:
        ConnectionGone: there is none any more.
    """
    link, is_new = WorkspaceConnection.objects.get_or_create(
        connection=_locked(connection), workspace=workspace, defaults={"created_by": user}
    )
    if is_new:
        activity.record(
            workspace,
            user,
            Verb.CONNECTION_SHARED,
            connection,
            url=connection.get_absolute_url(),
        )
        _log("connection linked", connection, user, workspace=workspace.pk)
    return link


@transaction.atomic
def unlink_connection(*, connection: Connection, workspace: Workspace, user: User) -> bool:
    """Take a connection from a workspace. False: the workspace did not have it."""
    count, _ = connection.links.filter(workspace=workspace).delete()
    if count:
        activity.record(
            workspace,
            user,
            Verb.CONNECTION_UNSHARED,
            connection,
            url=connection.get_absolute_url(),
        )
        _log("connection unlinked", connection, user, workspace=workspace.pk)
    return count > 0


@transaction.atomic
def delete_connection(*, connection: Connection, user: User) -> bool:
    """Delete a connection, in every workspace. False: it had been deleted already."""
    try:
        locked = _locked(connection)
    except ConnectionGone:
        return False
    for workspace in list(locked.links.values_list("workspace", flat=True)):
        activity.record(workspace, user, Verb.CONNECTION_UNSHARED, locked, detail="deleted")
    locked.delete()
    _log("connection deleted", connection, user)
    return True


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What became of a rotation of keys.

    Attributes:
        changed: how many connections were encrypted anew.
        unreadable: those that no key opens; they were left as they are.
    """

    changed: int
    unreadable: list[Connection]


def rotate_keys() -> Rotation:
    """Encrypt under the newest key what is not yet. Safe to repeat, and beside a server at work."""
    changed, unreadable = 0, []
    for pk in list(Connection.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            connection = Connection.objects.select_for_update().filter(pk=pk).first()
            if connection is None or _is_rotated(connection):
                continue
            try:
                text = encryption.unseal(connection.sealed_details, owner=connection.seal_owner)
            except encryption.CannotUnseal:
                unreadable.append(connection)
                continue
            connection.sealed_details = encryption.seal(text, owner=connection.seal_owner)
            connection.save(update_fields=["sealed_details"])
            changed += 1
    return Rotation(changed=changed, unreadable=unreadable)


def _is_rotated(connection: Connection) -> bool:
    return encryption.is_sealed_under_newest(connection.sealed_details, owner=connection.seal_owner)


def _locked(connection: Connection) -> Connection:
    """Fetch a connection anew, to be changed by nobody else until the transaction ends."""
    try:
        locked: Connection = Connection.objects.select_for_update().get(pk=connection.pk)
    except Connection.DoesNotExist:
        raise ConnectionGone(f"{connection} has been deleted in the meantime.") from None
    return locked


def _log(event: str, connection: Connection, user: User, **more: object) -> None:
    """Write down who did what, and never the details."""
    extra = {"connection": str(connection.pk), "by": str(user.pk), **more}
    logger.info(event, extra=extra)
