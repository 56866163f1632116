"""Guessing passwords on the login page. The token endpoint's part is in tests/api."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db.models import F
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_user
from wallaroo_ui.accounts import throttle

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _ann() -> None:
    make_user("ann")


def log_in(name: str = "ann", password: str = "wrong", url: str = "", **extra: Any) -> Any:
    data = {"username": name, "password": password}
    return Client().post(url or reverse("accounts:login"), data, **extra)


def test_nine_mistakes_are_forgiven() -> None:
    for _ in range(9):
        assert log_in().status_code == 200
    assert log_in(password=PASSWORD).status_code == 302
    for _ in range(9):
        assert log_in("ann@example.com").status_code == 200
    assert log_in(password=PASSWORD).status_code == 302


@pytest.mark.parametrize("url_name", ["accounts:login", "admin:login"])
def test_the_tenth_has_to_wait_and_is_told_so(url_name: str) -> None:
    url = reverse(url_name)
    answers = [log_in(url=url) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 9 + [429]

    response = log_in(password=PASSWORD, url=url)

    assert response.status_code == 429
    assert response["Retry-After"] == "900"
    assert "Try again in 15 minutes" in response.content.decode()


def test_the_wait_counts_from_the_last_mistake_and_trying_meanwhile_makes_it_no_longer() -> None:
    for _ in range(10):
        log_in()
    last_mistake = timezone.now() - timedelta(minutes=15)
    AccessAttempt.objects.update(attempt_time=last_mistake + timedelta(seconds=5))
    assert log_in(password=PASSWORD).status_code == 429

    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=5))
    assert log_in(password=PASSWORD).status_code == 302


def test_only_the_address_of_the_mistakes_waits() -> None:
    for _ in range(10):
        log_in(REMOTE_ADDR="192.0.2.7")
    assert log_in(password=PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 429
    assert log_in(password=PASSWORD, REMOTE_ADDR="192.0.2.8").status_code == 302


def test_whoever_is_logged_in_goes_on(client: Client) -> None:
    client.post(reverse("accounts:login"), {"username": "ann", "password": PASSWORD})
    for _ in range(10):
        log_in()
    assert client.get(reverse("accounts:account")).status_code == 200


def test_an_operator_lets_a_person_in_again() -> None:
    for _ in range(10):
        log_in()
    call_command("axes_reset_username", "ann")
    assert log_in(password=PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("address", "seen"),
    [("192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::1"), ("", None), (None, None)],
)
def test_addresses_are_such_as_a_database_takes(address: str | None, seen: str | None) -> None:
    request = RequestFactory().get("/")
    request.META["REMOTE_ADDR"] = address
    assert throttle.client_address(request) == seen


def test_a_link_local_address_is_counted_like_any_other() -> None:
    answers = [log_in(REMOTE_ADDR="fe80::1%eth0").status_code for _ in range(10)]
    assert answers[-1] == 429
