"""The browsers in which a person is logged in: seen, listed, ended."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.factories import log_in_a_browser, make_user
from wallaroo_ui.accounts import sessions
from wallaroo_ui.accounts.models import BrowserSession, User
from wallaroo_ui.accounts.services import delete_expired
from wallaroo_ui.accounts.user_agents import device_words

pytestmark = pytest.mark.django_db
ACCOUNT = "/account/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def ann() -> User:
    return make_user("ann")


def log_in(user_agent: str = FIREFOX) -> Client:
    """Log in as Ann does, in a browser of its own."""
    client = Client(headers={"user-agent": user_agent}, REMOTE_ADDR="192.0.2.7")
    client.post("/login/", {"username": "ann", "password": "correct horse"})
    return client


def page(client: Client) -> str:
    response = client.get(ACCOUNT)
    return response.content.decode() if response.status_code == 200 else ""


def only(**fields: Any) -> BrowserSession:
    browser: BrowserSession = BrowserSession.objects.get(**fields)
    return browser


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (IPHONE, "Safari on an iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "An unknown program"),
    ],
)
def test_a_browser_in_words(user_agent: str, words: str) -> None:
    assert device_words(user_agent) == words


def test_a_login_is_listed_with_device_and_address_and_this_one_is_marked(ann: User) -> None:
    firefox = log_in()
    log_in(EDGE)
    html = page(firefox)
    assert html.count("this one") == 1
    assert html.index('Firefox on Linux</span><span class="count">this one') > 0
    assert "Edge on Windows" in html
    assert "192.0.2.7" in html


def test_one_browser_is_logged_out_from_another(ann: User) -> None:
    here, there = log_in(), log_in(EDGE)
    other = only(user_agent=EDGE)

    answer = here.post(reverse("accounts:session-end", args=[other.pk]), follow=True)

    assert "Edge on Windows is logged out." in answer.content.decode()
    assert page(there) == ""
    assert page(here)
    again = here.post(reverse("accounts:session-end", args=[other.pk]))
    assert again.status_code == 404


def test_all_others_are_logged_out_at_once_and_twice_is_no_error(ann: User) -> None:
    here, others = log_in(), [log_in(EDGE), log_in(IPHONE)]
    url = reverse("accounts:sessions-end-others")

    assert "2 other browsers" in here.post(url, follow=True).content.decode()
    assert [page(each) for each in others] == ["", ""]
    assert "logged in nowhere else" in here.post(url, follow=True).content.decode()
    assert page(here)


def test_nobody_ends_the_sessions_of_another(ann: User) -> None:
    log_in()
    bobs = Client()
    bobs.force_login(make_user("bob", is_superuser=True))
    url = reverse("accounts:session-end", args=[only(user=ann).pk])
    assert bobs.post(url).status_code == 404
    bobs.post(reverse("accounts:sessions-end-others"))
    assert only(user=ann)
    assert "Firefox" not in page(bobs)


def test_a_new_password_ends_the_others_and_keeps_this_one(ann: User) -> None:
    here, there = log_in(), log_in(EDGE)
    new = {"old_password": "correct horse", "new_password1": "battery staple 9"}
    here.post("/password/", new | {"new_password2": "battery staple 9"})
    assert page(there) == ""
    assert "this one" in page(here)
    assert [each.user_agent for each in BrowserSession.objects.all()] == [FIREFOX]


def test_the_end_of_an_account_ends_its_sessions(ann: User) -> None:
    log_in()
    ann.is_active = False
    ann.save()
    assert not Session.objects.exists()
    assert not BrowserSession.objects.exists()


def test_logging_out_and_expiry_leave_no_row(ann: User) -> None:
    log_in().post("/logout/")
    assert not BrowserSession.objects.exists()
    log_in()
    later = timezone.now() + timedelta(days=30)
    delete_expired(at=later)
    assert not BrowserSession.objects.exists()


def test_a_session_that_has_expired_is_not_listed(ann: User) -> None:
    here = log_in()
    log_in(EDGE)
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.filter(browser__user_agent=EDGE).update(expire_date=past)
    assert "Edge" not in page(here)


def test_a_browser_is_written_down_seldom(ann: User) -> None:
    client = log_in()
    first = only().last_seen_at

    def writes() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client)
        return sum(query["sql"].startswith(("INSERT", "UPDATE")) for query in captured)

    assert writes() == 0
    session = client.session
    session[sessions.SEEN] = [session[sessions.SEEN][0], (first - timedelta(minutes=6)).isoformat()]
    session.save()
    assert writes() > 0
    assert only().last_seen_at > first
    assert only().created_at <= first


def test_a_session_from_before_is_written_down_when_it_is_seen(ann: User) -> None:
    client = log_in()
    BrowserSession.objects.all().delete()
    session = client.session
    del session[sessions.SEEN]
    session.save()
    page(client)
    assert only().user == ann
    assert "this one" in page(client)


def test_who_is_not_logged_in_leaves_no_trace(db: None) -> None:
    Client().get("/login/")
    Client().get("/healthz")
    assert not BrowserSession.objects.exists()


@pytest.mark.django_db(transaction=True)  # The link to the session is checked when it ends.
def test_a_session_that_ends_while_it_is_noticed_stays_ended(ann: User) -> None:
    request = log_in().get(ACCOUNT).wsgi_request
    BrowserSession.objects.end()
    del request.session[sessions.SEEN]

    sessions.notice(request, ann, at=timezone.now())

    assert not BrowserSession.objects.exists()
    assert sessions.SEEN not in request.session


def test_an_admin_sees_whose_browsers_they_are_but_not_the_key(ann: User) -> None:
    browser = log_in_a_browser(ann)
    admins = Client()
    admins.force_login(make_user("root", is_superuser=True, is_staff=True))
    listing = admins.get(reverse("admin:accounts_browsersession_changelist")).content.decode()
    detail = admins.get(
        reverse("admin:accounts_browsersession_change", args=[browser.pk])
    ).content.decode()
    assert "ann@example.com" in listing
    assert browser.session_id not in listing + detail

    url = reverse("admin:accounts_browsersession_delete", args=[browser.pk])
    admins.post(url, {"post": "yes"})
    assert not Session.objects.filter(pk=browser.session_id).exists()
