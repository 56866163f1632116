"""What machines are told about this server."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.factories import make_node


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("agent_age", "cluster_age", "status"),
    [(1, 1, 200), (1, 100, 503), (100, 1, 503), (None, 1, 503), (1, None, 503)],
)
def test_ready_means_that_agent_and_cluster_both_answered_lately(
    agent_age: int | None, cluster_age: int | None, status: int
) -> None:
    now = timezone.now()
    make_node(
        agent_seen_at=None if agent_age is None else now - timedelta(seconds=agent_age),
        cluster_seen_at=None if cluster_age is None else now - timedelta(seconds=cluster_age),
    )
    assert Client().get("/readyz").status_code == status


def test_alive_asks_no_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
