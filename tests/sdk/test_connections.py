"""Connections: made, read, shown masked, and known in the workspaces that have them."""

import re
from typing import Any
from uuid import UUID

import pytest

from tests.sdk.conftest import Sdk, new_name
from tests.sdk.remote import Raised
from tests.sdk.shown import fields, records

pytestmark = pytest.mark.engine

DETAILS = {"host": "https://example.com", "token": "a secret", "port": 8443, "more": [1, None]}


@pytest.fixture
def connection(ann: Any) -> Any:
    """A connection of Ann's, in no workspace."""
    return ann.create_connection(new_name("connection"), "HTTP", DETAILS)


def names(connections: Any) -> list[str]:
    return [each.name() for each in connections]


def test_a_connection_is_made_and_read(ann: Any, connection: Any) -> None:
    found = ann.get_connection(connection.name())

    assert UUID(found.id())
    assert found.id() == connection.id()
    assert found.connection_type() == "HTTP"
    assert found.details() == DETAILS
    assert found.workspace_names() == []
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.created_at())
    assert connection.details() == DETAILS
    assert connection.name() in names(ann.list_connections())


def test_the_name_of_a_connection_is_taken_once(ann: Any, ben: Any, connection: Any) -> None:
    for somebody in (ann, ben):
        with pytest.raises(Raised, match="This connection already exists"):
            somebody.create_connection(connection.name(), "HTTP", {})


def test_a_connection_that_is_not_there_is_not_found(ann: Any, workspace: Any) -> None:
    with pytest.raises(Raised, match="Failed to get connection"):
        ann.get_connection("nothing")
    with pytest.raises(Raised, match="Failed to get connection"):
        workspace.add_connection("nothing")


def test_a_connection_is_added_to_workspaces_and_removed(
    ann: Any, workspace: Any, connection: Any
) -> None:
    other = ann.create_workspace(new_name("team"))
    workspace.add_connection(connection.name())
    other.add_connection(connection.name())
    other.add_connection(connection.name())

    assert names(workspace.list_connections()) == [connection.name()]
    found = ann.get_connection(connection.name())
    assert sorted(found.workspace_names()) == sorted([workspace.name(), other.name()])

    workspace.remove_connection(connection.name())

    assert names(workspace.list_connections()) == []
    assert ann.get_connection(connection.name()).workspace_names() == [other.name()]


def test_the_details_are_masked_wherever_they_are_shown(
    ann: Any, workspace: Any, connection: Any
) -> None:
    workspace.add_connection(connection.name())

    shown = fields(connection)
    [row] = records(workspace.list_connections())

    assert shown["Name"] == row["name"] == connection.name()
    assert shown["Connection Type"] == row["connection type"] == "HTTP"
    assert shown["Details"] == row["details"] == "*****"
    assert row["linked workspaces"] == f"['{workspace.name()}']"
    empty = ann.create_workspace(new_name("team")).list_connections()
    assert empty._repr_html_() == "(no connections)"


def test_a_connection_is_known_in_the_workspaces_that_have_it(
    ben: Any, workspace: Any, connection: Any
) -> None:
    with pytest.raises(Raised, match="Failed to get connection"):
        ben.get_connection(connection.name())
    assert connection.name() not in names(ben.list_connections())

    workspace.add_connection(connection.name())
    workspace.add_user("ben@example.com")

    assert ben.get_connection(connection.name()).details() == DETAILS
    assert connection.name() in names(ben.list_connections())


def test_a_stranger_who_knows_an_id_learns_nothing_by_it(
    sdk: Sdk, ben: Any, connection: Any
) -> None:
    stolen = sdk.interpreter.call(
        "wallaroo.connection.Connection", ben, {"id": connection.id(), "name": connection.name()}
    )
    with pytest.raises(Raised, match="Failed to fetch connection"):
        stolen.details()

    stolen.delete_connection()  # The SDK says nothing, whatever comes of it.

    assert connection.details() == DETAILS


def test_a_deleted_connection_is_gone_from_every_workspace(
    ann: Any, workspace: Any, connection: Any
) -> None:
    workspace.add_connection(connection.name())

    connection.delete_connection()

    with pytest.raises(Raised, match="Failed to get connection"):
        ann.get_connection(connection.name())
    assert names(workspace.list_connections()) == []
    ann.create_connection(connection.name(), "BIGQUERY", {})
