"""What htmx gets: regions, 304 where nothing changed, and the way to the login."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_orchestration, make_run, make_task, make_workspace
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def poll(client: Client, url: str, **headers: str) -> Any:
    return client.get(url, headers={"HX-Request": "true"} | headers)


@pytest.fixture
def url(workspace: Workspace) -> str:
    make_orchestration(workspace)
    return workspace.get_absolute_url()


def test_a_region_that_has_not_changed_is_not_sent_again(owner_client: Client, url: str) -> None:
    etag = poll(owner_client, url)["ETag"]
    again = poll(owner_client, url, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_a_region_that_has_changed_is_sent(
    owner_client: Client, url: str, workspace: Workspace
) -> None:
    etag = poll(owner_client, url)["ETag"]
    make_orchestration(workspace)
    assert poll(owner_client, url, **{"If-None-Match": etag}).status_code == 200


def test_the_tokens_of_forms_are_no_change(owner_client: Client, orchestration: Any) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING)
    url = reverse("tasks:run-summary", args=[run.pk])
    first, second = poll(owner_client, url), poll(owner_client, url)
    assert b"csrfmiddlewaretoken" in first.content
    assert first.content != second.content
    assert first["ETag"] == second["ETag"]


def test_no_cache_keeps_a_region_for_others_or_unasked(owner_client: Client, url: str) -> None:
    assert poll(owner_client, url)["Cache-Control"] == "private, no-store"


def test_pages_and_refused_forms_have_no_tag(owner_client: Client, url: str) -> None:
    upload = reverse("orchestrations:upload", args=[make_workspace().pk])
    assert not owner_client.get(url).has_header("ETag")
    assert not poll(owner_client, upload).has_header("ETag")


def test_pages_are_compressed_for_who_can_read_it(owner_client: Client, url: str) -> None:
    assert owner_client.get(url, headers={"Accept-Encoding": "gzip"})["Content-Encoding"] == "gzip"


def test_the_login_leads_back_to_the_page_that_asked(client: Client, url: str) -> None:
    answer = poll(client, url, **{"HX-Current-URL": f"http://testserver{url}?q=a%26b"})
    assert answer["HX-Redirect"] == f"/login/?next={url.replace('/', '%2F')}%3Fq%3Da%2526b"


def test_the_login_leads_nowhere_else(client: Client, url: str) -> None:
    answer = poll(client, url, **{"HX-Current-URL": "https://evil.example/x"})
    assert answer["HX-Redirect"] == "/login/"


def test_a_redirect_is_followed_as_a_whole_page(owner_client: Client, workspace: Workspace) -> None:
    url = reverse("tasks:bulk", args=[workspace.pk])
    answer: Any = owner_client.post(url, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, workspace.get_absolute_url())


def test_a_redirect_to_the_page_that_is_open_loads_it_again(
    owner_client: Client, workspace: Workspace
) -> None:
    here = workspace.get_absolute_url()
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{here}"}
    answer: Any = owner_client.post(reverse("tasks:bulk", args=[workspace.pk]), headers=headers)
    assert answer["HX-Refresh"] == "true"
    assert [str(each) for each in answer.wsgi_request._messages]


def test_a_form_that_is_out_of_date_says_so() -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()


@pytest.mark.parametrize(
    ("came_from", "leads_to"),
    [
        ("http://testserver/account/?a=1", "/login/?next=%2Faccount%2F%3Fa%3D1"),
        ("https://evil.example/account/", "/login/"),
        (None, "/login/"),
    ],
)
def test_who_sends_a_form_after_the_login_has_ended_comes_back_to_its_page(
    client: Client, came_from: str | None, leads_to: str
) -> None:
    headers = {"Referer": came_from} if came_from else {}

    answer = client.post(reverse("accounts:profile"), {"theme": "dark"}, headers=headers)

    # What it was sent to is no page: after the login it would be an empty 405.
    assert answer["Location"] == leads_to
    assert "so nothing was done" in client.get("/login/").content.decode()
