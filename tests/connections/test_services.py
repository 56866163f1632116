"""What can be asked of connections, once, twice and at once."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connections as databases

from tests.factories import make_connection, make_user, make_workspace
from wallaroo_ui.accounts.models import User
from wallaroo_ui.connections import services
from wallaroo_ui.connections.models import Connection, DetailsUnreadable, WorkspaceConnection
from wallaroo_ui.json_text import JSONRefused
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

OLD, NEW = "old-" * 8, "new-" * 8


def create(user: User, **fields: Any) -> Connection:
    defaults = {"name": "warehouse", "type": "HTTP", "details": {"token": "open sesame"}}
    return services.create_connection(**defaults | fields, user=user)


def test_a_connection_is_made_by_somebody_and_in_no_workspace(owner: User) -> None:
    made = create(owner, name="  warehouse ", type=" HTTP")

    connection = Connection.objects.get()
    assert connection == made
    assert (connection.name, connection.type, connection.created_by) == ("warehouse", "HTTP", owner)
    assert connection.details == {"token": "open sesame"}
    assert not connection.links.exists()


def test_a_connection_is_made_for_a_workspace_at_once(owner: User, workspace: Workspace) -> None:
    connection = create(owner, workspace=workspace)
    assert connection.links.get().workspace == workspace
    assert connection.links.get().created_by == owner


def test_a_name_is_given_once_on_the_whole_server(owner: User, stranger: User) -> None:
    create(owner)
    with pytest.raises(services.NameTaken, match="There is a connection named “warehouse” already"):
        create(stranger, name="warehouse ")
    create(stranger, name="Warehouse")
    assert Connection.objects.count() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 256},
        {"type": ""},
        {"type": "x" * 65},
        {"type": "a\0b"},
    ],
)
def test_what_is_no_name_or_type_is_refused(fields: dict[str, str], owner: User) -> None:
    with pytest.raises(ValidationError) as refusal:
        create(owner, **fields)
    assert list(refusal.value.message_dict) == list(fields)
    assert not Connection.objects.exists()


def test_the_longest_name_and_type_are_taken(owner: User) -> None:
    create(owner, name="x" * 255, type="y" * 64)


def test_details_that_cannot_be_kept_are_refused(owner: User) -> None:
    with pytest.raises(JSONRefused):
        create(owner, details={"a": float("inf")})
    connection = create(owner)
    with pytest.raises(JSONRefused):
        services.change_connection(
            connection=connection, type="HTTP", details={"a": "\ud800"}, user=owner
        )
    assert Connection.objects.get().details == {"token": "open sesame"}


def test_a_change_is_what_is_read_next(owner: User) -> None:
    connection = create(owner)
    before = connection.updated_at

    services.change_connection(
        connection=connection, type="BIGQUERY", details={"token": "another"}, user=owner
    )

    connection = Connection.objects.get()
    assert (connection.type, connection.details) == ("BIGQUERY", {"token": "another"})
    assert connection.updated_at > before
    assert connection.created_by == owner


def test_linking_twice_is_one_link(owner: User, workspace: Workspace) -> None:
    connection = create(owner)
    first = services.link_connection(connection=connection, workspace=workspace, user=owner)
    second = services.link_connection(connection=connection, workspace=workspace, user=make_user())

    assert first == second == WorkspaceConnection.objects.get()
    assert second.created_by == owner


def test_unlinking_twice_says_so(owner: User, workspace: Workspace) -> None:
    other = make_workspace()
    connection = make_connection(workspace, other)

    assert services.unlink_connection(connection=connection, workspace=workspace, user=owner)
    assert not services.unlink_connection(connection=connection, workspace=workspace, user=owner)
    assert list(connection.workspaces.all()) == [other]


def test_deleting_takes_it_from_every_workspace(owner: User, workspace: Workspace) -> None:
    connection = make_connection(workspace, make_workspace())

    assert services.delete_connection(connection=connection, user=owner)
    assert not services.delete_connection(connection=connection, user=owner)
    assert not WorkspaceConnection.objects.exists()
    assert Workspace.objects.filter(pk=workspace.pk).exists()


def test_what_was_deleted_meanwhile_is_neither_changed_nor_linked(
    owner: User, workspace: Workspace
) -> None:
    connection = make_connection()
    Connection.objects.all().delete()
    with pytest.raises(services.ConnectionGone):
        services.change_connection(connection=connection, type="HTTP", details={}, user=owner)
    with pytest.raises(services.ConnectionGone):
        services.link_connection(connection=connection, workspace=workspace, user=owner)


def test_the_log_says_who_did_what_and_nothing_of_the_details(
    owner: User, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        connection = create(owner, workspace=workspace)
        services.change_connection(
            connection=connection, type="HTTP", details={"token": "barley"}, user=owner
        )
        services.unlink_connection(connection=connection, workspace=workspace, user=owner)
        services.delete_connection(connection=connection, user=owner)

    ours = [record for record in caplog.records if record.name == services.__name__]
    assert [record.getMessage().split()[-1] for record in ours] == [
        "created",
        "linked",
        "changed",
        "unlinked",
        "deleted",
    ]
    said = " ".join(str(vars(record)) for record in ours)
    assert str(owner.pk) in said
    assert "sesame" not in said
    assert "barley" not in said


def at_once(act: Callable[[int], object], count: int = 4) -> list[object]:
    """Do something in several threads that start together; return results and exceptions."""
    barrier = threading.Barrier(count)
    results: list[object] = [None] * count

    def body(number: int) -> None:
        barrier.wait(timeout=30)
        try:
            results[number] = act(number)
        except Exception as error:  # noqa: BLE001 - it is the result
            results[number] = error
        finally:
            databases.close_all()

    threads = [threading.Thread(target=body, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_gets_the_name() -> None:
    user = make_user()

    results = at_once(lambda number: create(user, details={"number": number}))

    made = [result for result in results if isinstance(result, Connection)]
    assert len(made) == 1
    assert sum(isinstance(result, services.NameTaken) for result in results) == 3
    assert Connection.objects.get().details == made[0].details


@pytest.mark.django_db(transaction=True)
def test_several_links_at_once_are_one() -> None:
    user, workspace, connection = make_user(), make_workspace(), make_connection()

    results = at_once(
        lambda _: services.link_connection(connection=connection, workspace=workspace, user=user)
    )

    assert results == [WorkspaceConnection.objects.get()] * 4


@pytest.mark.django_db(transaction=True)
def test_a_link_and_a_deletion_at_once_leave_no_error_and_no_half() -> None:
    user, workspace, connection = make_user(), make_workspace(), make_connection()

    def act(number: int) -> object:
        if number:
            return services.delete_connection(connection=connection, user=user)
        return services.link_connection(connection=connection, workspace=workspace, user=user)

    link, *deletions = at_once(act)

    assert isinstance(link, WorkspaceConnection | services.ConnectionGone)
    assert sorted(map(str, deletions)) == ["False", "False", "True"]
    assert not Connection.objects.exists()
    assert not WorkspaceConnection.objects.exists()


def test_after_a_rotation_the_old_key_is_not_needed(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    old = make_connection(details={"a": 1})
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    new = make_connection(details={"a": 2})

    assert services.rotate_keys() == services.Rotation(changed=1, unreadable=[])

    settings.ENCRYPTION_KEYS = [NEW]
    assert Connection.objects.get(pk=old.pk).details == {"a": 1}
    untouched = Connection.objects.get(pk=new.pk)
    assert untouched.sealed_details == new.sealed_details


def test_a_rotation_changes_nothing_else_and_nothing_twice(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    connection = make_connection()
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    services.rotate_keys()
    once = Connection.objects.get()
    assert once.updated_at == connection.updated_at
    assert services.rotate_keys().changed == 0
    assert Connection.objects.get().sealed_details == once.sealed_details


def test_a_rotation_names_what_it_cannot_read_and_does_the_rest(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENCRYPTION_KEYS = ["lost" * 8]
    lost = make_connection(name="lost")
    settings.ENCRYPTION_KEYS = [OLD]
    make_connection(name="kept")
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    with pytest.raises(CommandError, match=f"lost \\({lost.pk}\\)"):
        call_command("rotate_keys")

    assert capsys.readouterr().out == "1 encrypted anew under the first key.\n"
    settings.ENCRYPTION_KEYS = [NEW]
    assert Connection.objects.get(name="kept").details
    with pytest.raises(DetailsUnreadable):
        _ = Connection.objects.get(name="lost").details


@pytest.mark.django_db(transaction=True)
def test_rotations_and_changes_at_once_lose_nothing(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    user = make_user()
    changed, others = make_connection(), [make_connection(details={"n": n}) for n in range(5)]
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    def act(number: int) -> object:
        if number:
            return services.rotate_keys()
        return services.change_connection(
            connection=changed, type="HTTP", details={"token": "another"}, user=user
        )

    results = at_once(act)

    assert not [result for result in results if isinstance(result, Exception)]
    settings.ENCRYPTION_KEYS = [NEW]
    changed.refresh_from_db()
    assert changed.details == {"token": "another"}
    kept = Connection.objects.in_bulk([each.pk for each in others])
    assert [kept[each.pk].details for each in others] == [{"n": n} for n in range(5)]
