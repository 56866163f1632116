"""The page on which a person lets a program act for them."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.factories import make_user
from wallaroo_ui.accounts import devices
from wallaroo_ui.accounts.models import DeviceAuthorization, User

pytestmark = pytest.mark.django_db
URL = "/auth/device"


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def anns(ann: User) -> Client:
    client = Client()
    client.force_login(ann)
    return client


@pytest.fixture
def asked() -> DeviceAuthorization:
    return devices.ask(address="192.0.2.7", user_agent="<b>WallarooSDK/2026", at=timezone.now())[0]


def page(client: Client, code: Any) -> str:
    return client.get(URL, {"user_code": str(code)}).content.decode()


def decide(client: Client, code: Any, decision: str) -> str:
    data = {"user_code": str(code), "decision": decision}
    return client.post(URL, data, follow=True).content.decode()


def test_it_shows_what_asks_and_from_where(anns: Client, asked: DeviceAuthorization) -> None:
    html = page(anns, asked)
    assert "Let the SDK act as you?" in html
    assert "ann@example.com" in html
    assert asked.shown_code in html
    assert "&lt;b&gt;WallarooSDK/2026" in html
    assert "192.0.2.7" in html


def test_without_a_code_it_asks_for_one(anns: Client) -> None:
    response = anns.get(URL)
    assert response.status_code == 200
    assert "Enter the code" in response.content.decode()


def test_looking_decides_nothing(anns: Client, asked: DeviceAuthorization) -> None:
    anns.get(URL, {"user_code": asked.shown_code, "decision": "approve"})
    asked.refresh_from_db()
    assert asked.status == DeviceAuthorization.Status.WAITING


def test_approving_says_what_comes_next(
    ann: User, anns: Client, asked: DeviceAuthorization
) -> None:
    assert "Your program goes on by itself" in decide(anns, asked, "approve")
    asked.refresh_from_db()
    assert (asked.status, asked.user) == (DeviceAuthorization.Status.APPROVED, ann)
    assert "Your program goes on by itself" in page(anns, asked)


@pytest.mark.parametrize("decision", ["deny", "", "perhaps"])
def test_everything_but_approving_denies(
    anns: Client, asked: DeviceAuthorization, decision: str
) -> None:
    assert "cannot act as you" in decide(anns, asked, decision)


def test_a_code_is_good_for_the_first_who_decides(
    ann: User, anns: Client, asked: DeviceAuthorization
) -> None:
    decide(anns, asked, "approve")
    other = Client()
    other.force_login(make_user("bob"))

    assert "was used already" in page(other, asked)
    assert "was used already" in decide(other, asked, "approve")
    asked.refresh_from_db()
    assert asked.user == ann


def test_an_expired_code_is_explained(anns: Client, asked: DeviceAuthorization) -> None:
    DeviceAuthorization.objects.update(expires_at=timezone.now())
    assert "has expired" in page(anns, asked)
    assert "has expired" in decide(anns, asked, "approve")
    asked.refresh_from_db()
    assert asked.status == DeviceAuthorization.Status.WAITING


def test_an_unknown_code_is_explained(anns: Client, asked: DeviceAuthorization) -> None:
    response = anns.get(URL, {"user_code": "BBBB-BBBB"})
    assert response.status_code == 404
    assert "There is no such code" in response.content.decode()


def test_whoever_is_not_logged_in_logs_in_first_and_comes_back(
    ann: User, asked: DeviceAuthorization
) -> None:
    client = Client()
    response = client.get(URL, {"user_code": asked.shown_code})
    assert response.status_code == 302
    html = client.get(response["Location"]).content.decode()
    assert f'value="{URL}?user_code={asked.shown_code}"' in html


def test_a_deactivated_person_approves_nothing(
    ann: User, anns: Client, asked: DeviceAuthorization
) -> None:
    User.objects.update(is_active=False)
    response = anns.post(URL, {"user_code": asked.shown_code, "decision": "approve"})
    assert "/login/" in response["Location"]
    asked.refresh_from_db()
    assert asked.status == DeviceAuthorization.Status.WAITING


def test_another_site_approves_nothing(ann: User, asked: DeviceAuthorization) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    response = client.post(URL, {"user_code": asked.shown_code, "decision": "approve"})
    assert response.status_code == 403
    asked.refresh_from_db()
    assert asked.status == DeviceAuthorization.Status.WAITING


def test_it_is_neither_framed_nor_kept(anns: Client, asked: DeviceAuthorization) -> None:
    response = anns.get(URL, {"user_code": asked.shown_code})
    assert response["X-Frame-Options"] == "DENY"
    assert "no-store" in response["Cache-Control"]


def test_who_guesses_codes_has_to_wait(anns: Client, asked: DeviceAuthorization) -> None:
    answers = [anns.get(URL, {"user_code": f"BBBB-BBB{n}"}).status_code for n in range(10)]
    assert answers == [404] * 9 + [429]

    stopped = anns.get(URL, {"user_code": asked.shown_code})
    assert stopped.status_code == 429
    assert stopped["Retry-After"] == "900"
    assert "Try again in 15 minutes" in stopped.content.decode()

    other = Client()
    other.force_login(make_user("bob"))
    assert other.get(URL, {"user_code": asked.shown_code}).status_code == 200
