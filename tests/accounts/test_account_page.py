"""A person's own page: what may act for them."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from tests.factories import make_api_token, make_login, make_user
from wallaroo_ui.accounts.models import ApiToken, RefreshToken, Scope, User
from wallaroo_ui.api.bearer import Caller, caller_with

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def ann() -> User:
    return make_user("ann", first_name="Ann", last_name="Example")


@pytest.fixture
def anns(ann: User) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def account(client: Client) -> str:
    return client.get(reverse("accounts:account")).content.decode()


def make(client: Client, **data: str) -> str:
    """Make a token on the page; return the page."""
    data = {"name": "nightly", "scope": "run", "days": "90"} | data
    return client.post(reverse("accounts:token-create"), data).content.decode()


def token_in(html: str) -> str:
    return next(iter(re.findall(r"wallaroo_api_[\w-]{43}", html)), "")


def test_it_says_who_you_are_and_every_page_leads_there(ann: User, anns: Client) -> None:
    html = account(anns)
    for text in ("Ann Example", "ann@example.com", str(ann.pk), reverse("accounts:account")):
        assert text in html


def test_a_new_token_is_shown_once_and_works(ann: User, anns: Client) -> None:
    text = token_in(make(anns))

    assert caller_with(text) == Caller(user=ann, scope=Scope.RUN)
    assert text not in account(anns)
    html = account(anns)
    assert "nightly" in html
    assert ApiToken.objects.get().start in html


def test_the_answer_with_the_token_is_kept_by_nobody(anns: Client) -> None:
    response = anns.post(
        reverse("accounts:token-create"), {"name": "a", "scope": "read", "days": "7"}
    )
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(("days", "lifetime"), [("7", 7 * DAY), ("365", 365 * DAY), ("0", None)])
def test_a_token_ends_when_it_was_asked_to(
    anns: Client, days: str, lifetime: timedelta | None
) -> None:
    make(anns, days=days)
    token = ApiToken.objects.get()
    assert token.expires_at == (token.created_at + lifetime if lifetime else None)


def test_what_is_shown_with_it_is_ready_to_use(ann: User, anns: Client) -> None:
    html = make(anns)
    blocks = [unescape(each) for each in re.findall(r"<pre[^>]*><code>(.*?)</code>", html, re.S)]
    assert json.loads(blocks[1]) == {
        "token": token_in(html),
        "user_email": "ann@example.com",
        "user_id": str(ann.pk),
    }
    assert 'api_endpoint="http://testserver"' in blocks[2]
    compile(blocks[2], "snippet", "exec")
    assert "http://testserver/v1/api/" in blocks[3]


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 101}, {"scope": "root"}, {"days": "9999"}, {"days": ""}]
)
def test_what_makes_no_sense_makes_no_token(anns: Client, wrong: dict[str, str]) -> None:
    data = {"name": "nightly", "scope": "run", "days": "90"} | wrong
    response = anns.post(reverse("accounts:token-create"), data)
    assert response.status_code == 422
    assert "errorlist" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_the_smallest_scope_and_an_end_are_offered_first(anns: Client) -> None:
    html = anns.get(reverse("accounts:token-create")).content.decode()
    assert re.search(r'value="read"[^>]*checked', html)
    assert re.search(r'value="30"[^>]*selected', html)


def test_a_revoked_token_works_no_longer(anns: Client) -> None:
    text = token_in(make(anns))
    url = reverse("accounts:token-revoke", args=[ApiToken.objects.get().pk])

    assert "The token nightly is revoked." in anns.post(url, follow=True).content.decode()

    assert caller_with(text) is None


def test_expired_tokens_are_shown_as_such(ann: User, anns: Client) -> None:
    make_api_token(ann, lifetime=DAY, at=timezone.now() - 2 * DAY)
    assert "Expired" in account(anns)


def test_logins_are_listed_and_ended(ann: User, anns: Client) -> None:
    make_login(ann, user_agent="WallarooSDK/2026.1.3")
    make_login(ann, user_agent="forgotten", at=timezone.now() - 31 * DAY)
    html = account(anns)
    assert "WallarooSDK/2026.1.3" in html
    assert "forgotten" not in html

    login = RefreshToken.objects.get(user_agent="WallarooSDK/2026.1.3")
    anns.post(reverse("accounts:login-end", args=[login.pk]))

    assert "WallarooSDK" not in account(anns)


def test_others_see_none_of_it(ann: User) -> None:
    make_api_token(ann, name="anns own")
    make_login(ann, user_agent="anns notebook")
    client = Client()
    client.force_login(make_user("bob", is_superuser=True))
    html = account(client)
    assert "anns own" not in html
    assert "anns notebook" not in html


def test_long_lists_cost_no_more(
    ann: User, anns: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_api_token(ann)
        make_login(ann)
    with django_assert_max_num_queries(7):
        account(anns)
