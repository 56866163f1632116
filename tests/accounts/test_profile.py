"""How a person is called, in which colours and zone they see the pages."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_api_token, make_user
from wallaroo_ui.accounts.models import User

pytestmark = pytest.mark.django_db
ACCOUNT = "/account/"
SUMMER = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def anns(ann: User) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def save(client: Client, **profile: str) -> int:
    data = {"first_name": "", "last_name": "", "theme": "system", "time_zone": ""} | profile
    return client.post(reverse("accounts:profile"), data).status_code


def page(client: Client) -> str:
    return client.get(ACCOUNT).content.decode()


def root(client: Client) -> str:
    """Return the first tag of a page."""
    html = page(client)
    return html[html.index("<html") : html.index(">", html.index("<html"))]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_said_by_the_server_on_every_page(anns: Client, theme: str) -> None:
    assert save(anns, theme=theme) == 302
    assert f'data-theme="{theme}"' in root(anns)
    assert f'<meta name="color-scheme"\n          content="{theme}">' in page(anns)


def test_the_theme_of_the_system_is_left_to_the_browser(anns: Client) -> None:
    save(anns, theme="dark")
    save(anns, theme="system")
    assert "data-theme" not in root(anns)
    assert 'content="light dark"' in page(anns)


def test_times_are_said_in_the_zone_that_was_chosen(ann: User, anns: Client) -> None:
    make_api_token(ann, at=SUMMER)
    assert "12:30\N{NO-BREAK SPACE}UTC" in page(anns)

    save(anns, time_zone="Europe/Berlin")

    assert "14:30\N{NO-BREAK SPACE}CEST" in page(anns)
    assert 'data-zone="Europe/Berlin"' in root(anns)
    # The next person in this thread sees their own.
    assert timezone.get_current_timezone_name() == "UTC"
    assert "data-zone" not in Client().get("/login/").content.decode()


def test_a_zone_that_is_gone_from_the_database_breaks_no_page(ann: User, anns: Client) -> None:
    User.objects.filter(pk=ann.pk).update(time_zone="Mars/Olympus")
    make_api_token(ann, at=SUMMER)
    assert "12:30\N{NO-BREAK SPACE}UTC" in page(anns)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"time_zone": "Berlin"}, "There is no time zone “Berlin”"),
        ({"time_zone": "localtime"}, "There is no time zone “localtime”"),
        ({"theme": "pink"}, "pink is not one of the available choices"),
        ({"first_name": "x" * 151}, "at most 150 characters"),
    ],
)
def test_what_is_no_profile_is_refused_and_nothing_changes(
    ann: User, anns: Client, wrong: dict[str, str], words: str
) -> None:
    data = {"theme": "dark", "time_zone": "UTC"} | wrong
    response = anns.post(reverse("accounts:profile"), data)
    assert response.status_code == 422
    assert words in response.content.decode()
    ann.refresh_from_db()
    assert (ann.theme, ann.time_zone, ann.first_name) == ("system", "", "")


def test_a_name_is_changed_and_shown(ann: User, anns: Client) -> None:
    save(anns, first_name="Ann", last_name="Example")
    assert "Ann Example" in page(anns)
    ann.refresh_from_db()
    assert ann.check_password("correct horse")
