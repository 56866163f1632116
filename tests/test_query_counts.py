"""No page and no region asks the database more than eight times, however much there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tasks.models import Kind, SkippedTicks
from tests.factories import (
    NOON,
    add_member,
    make_api_token,
    make_connection,
    make_login,
    make_node,
    make_orchestration,
    make_run,
    make_task,
    make_user,
    make_version,
)
from tests.test_access import ROWS, Row, World, world
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Role

pytestmark = pytest.mark.django_db
__all__ = ["world"]  # A fixture: pytest finds it by its name here.

MOST = 8
MANY = 12
ADMIN = 5  # In the order of test_access.ACTORS.
# The API answers by token, and Django's admin by its own code.
PAGES = [
    row
    for row in ROWS
    if row.method == "get"
    and row.expected[ADMIN] == 200
    and not row.name.startswith(("rest:", "api:", "admin:"))
]


def fill(world: World, owner: User) -> None:
    """Have many of everything, some of it going on."""
    task = world.run.task
    for number in range(MANY):
        add_member(world.workspace, make_user(), Role.VIEWER)
        make_connection(world.workspace)
        make_api_token(owner)
        make_login(owner)
        make_node(agent_seen_at=NOON, cluster_seen_at=NOON)
        make_version(world.orchestration)
        other = make_orchestration(world.workspace, created_by=owner)
        for owner_of_task in (other, world.orchestration):
            kind = (Kind.ONCE, Kind.SCHEDULED)[number % 2]
            made = make_task(owner_of_task, kind=kind, created_by=owner)
            make_run(made, status=Status.FAILURE, requested_by=make_user())
            make_run(made, status=Status.RUNNING, node=world.node)
        at = NOON + timedelta(hours=number)
        status = (Status.SUCCESS, Status.FAILURE)[number % 2]
        make_run(
            task,
            status=status,
            queued_at=at,
            requested_by=make_user(),
            version=world.orchestration.newest,
        )
        SkippedTicks.objects.create(
            task=task, reason="missed", count=1, first_due_at=at, last_due_at=at, noticed_at=at
        )


@pytest.mark.parametrize("is_region", [False, True], ids=["page", "region"])
@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
@pytest.mark.parametrize("actor", ["owner", "admin"])
def test_it_costs_no_more_than_eight_queries(
    row: Row,
    actor: str,
    is_region: bool,
    world: World,
    owner: User,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    fill(world, owner)
    client = Client()
    client.force_login(request.getfixturevalue(actor))
    url = reverse(row.name, args=row.arguments(world))
    headers = {"HX-Request": "true"} if is_region else {}
    with django_assert_max_num_queries(MOST):
        response = client.get(url, headers=headers)
        assert response.status_code in {
            200,
            204,
            403,
        }  # Of admins alone; the stream wants another server.
