"""The page about the hosts that execute."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orchestrations.models import Packaging
from tests.factories import make_node, make_orchestration, make_run, make_task
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Node, Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def shown(client: Client) -> str:
    return client.get(reverse("nodes:list")).content.decode()


def test_a_node_is_shown_with_what_it_holds(admin_client: Client) -> None:
    now = timezone.now()
    node = make_node(
        name="alpha",
        slots=4,
        agent_seen_at=now - timedelta(seconds=3),
        cluster_seen_at=now,
        cluster_restarted_at=now - timedelta(hours=2),
        isolation_detail="bubblewrap 0.11",
        versions="Python 3.11",
    )
    run = make_run(make_task(name="nightly"), node=node, status=Status.RUNNING)
    make_run(make_task(name="ended"), node=node, status=Status.SUCCESS)
    orchestration = make_orchestration(name="donuts")
    Packaging.objects.create(version=orchestration.newest, node=node, status=Status.RUNNING)

    page = shown(admin_client)

    for words in ("alpha", "Taking work", "1 of 4", "2 h ago", "bubblewrap 0.11"):
        assert words in page
    for words in ("Python 3.11", "nightly", "Packaging of donuts", run.get_absolute_url()):
        assert words in page
    assert re.search(r"[3-9] s ago", page)
    assert "ended" not in page


@pytest.mark.parametrize(
    ("away", "is_draining", "words"),
    [(0, False, "Taking work"), (0, True, "Drained"), (60, False, "Not answering")],
)
def test_the_state_of_a_node_in_words(
    away: int, is_draining: bool, words: str, admin_client: Client
) -> None:
    seen = timezone.now() - timedelta(seconds=away)
    make_node(agent_seen_at=seen, cluster_seen_at=seen, is_draining=is_draining)
    assert words in shown(admin_client)


def test_a_node_that_still_holds_something_is_draining(admin_client: Client) -> None:
    now = timezone.now()
    node = make_node(agent_seen_at=now, cluster_seen_at=now, is_draining=True)
    make_run(node=node, status=Status.RUNNING)
    assert "Draining" in shown(admin_client)


def test_a_server_without_nodes_says_what_is_missing(admin_client: Client) -> None:
    assert "No node has reported yet" in shown(admin_client)


def test_a_node_is_drained_and_takes_work_again(admin_client: Client) -> None:
    node = make_node()
    url = reverse("nodes:drain", args=[node.pk])

    admin_client.post(url, {"drain": "yes"})
    assert Node.objects.get().is_draining
    twice = admin_client.post(url, {"drain": "yes"}, follow=True)
    assert "was told so already" in twice.content.decode()

    admin_client.post(url, {"drain": "no"})
    assert not Node.objects.get().is_draining


def test_only_admins_find_the_page_in_their_menu(admin_client: Client, owner: User) -> None:
    home = reverse("workspaces:list")
    assert reverse("nodes:list") in admin_client.get(home).content.decode()
    client = Client()
    client.force_login(owner)
    assert reverse("nodes:list") not in client.get(home).content.decode()


def test_the_page_costs_the_same_however_many_nodes_and_runs(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown(admin_client)
        return len(captured)

    make_run(node=make_node(), status=Status.RUNNING)
    few = queries()
    for _ in range(10):
        make_run(node=make_node(), status=Status.RUNNING)
    assert queries() == few <= 7
