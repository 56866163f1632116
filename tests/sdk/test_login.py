"""Every way in which the SDK logs in, and what becomes of a login."""

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from orchestrations.environments import Environment
from tests.factories import make_zip
from tests.sdk.conftest import PASSWORD, Sdk
from tests.sdk.remote import Raised

pytestmark = pytest.mark.engine


class WebSession:
    """Somebody who is logged in to the pages, without a browser."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(cookies)
        self.submit("/login/", username=name, password=PASSWORD)

    def open(self, address: str, data: bytes | None = None) -> str:
        url = urllib.parse.urljoin(self.url, address)
        with self.opener.open(url, data=data, timeout=30) as response:
            return unescape(response.read().decode())

    def submit(self, address: str, **fields: str) -> str:
        """Fill in the form on a page and send it; return the page that follows."""
        page = self.open(address)
        hidden = re.findall(r'type="hidden"\s+name="(\w+)"\s+value="([^"]*)"', page)
        return self.open(address, urllib.parse.urlencode(dict(hidden) | fields).encode())


@pytest.fixture
def pages(sdk: Sdk, ann: Any) -> WebSession:
    """Ann in front of the pages."""
    return WebSession(sdk.url, "ann@example.com")


def cache_of(home: Path) -> Path:
    return home / ".cache" / "wallaroo_sdk" / "auth" / "keycloak.json"


# -- By password -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["admin", "admin@example.com", "ADMIN@example.com"])
def test_a_person_logs_in_by_user_name_or_e_mail(sdk: Sdk, name: str) -> None:
    client = sdk.log_in(name)

    assert client.auth.user_email() == "admin@example.com"
    assert client.auth.user_id() == client.get_user_by_email("admin@example.com").id()


def test_a_password_may_come_from_a_file(sdk: Sdk, ann: Any, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"username": "ann@example.com", "password": PASSWORD}))

    client = sdk.client(
        WALLAROO_SDK_AUTH_TYPE="user_password", WALLAROO_SDK_CREDENTIALS=str(credentials)
    )

    assert client.auth.user_id() == ann.auth.user_id()


@pytest.mark.parametrize("name", ["ann@example.com", "nobody@example.com"])
def test_a_wrong_password_is_refused_as_an_unknown_name_is(sdk: Sdk, ann: Any, name: str) -> None:
    with pytest.raises(Raised, match=r"TokenFetchError: \[HTTP 401\].*invalid_grant") as refused:
        sdk.client(
            WALLAROO_SDK_AUTH_TYPE="user_password",
            WALLAROO_USER=name,
            WALLAROO_PASSWORD="wrong",
        )
    assert "User name or password are wrong." in str(refused.value)


# -- The token cache -------------------------------------------------------------------


def test_a_login_goes_on_when_its_access_token_has_run_out(sdk: Sdk, ann: Any) -> None:
    home = sdk.new_home()
    client = sdk.log_in("ann@example.com", home)
    login = json.loads(cache_of(home).read_text())
    worn_out = login | {"expiry": 0, "access_token": "worn out"}
    cache_of(home).write_text(json.dumps(worn_out))

    assert client.list_workspaces() is not None

    after = json.loads(cache_of(home).read_text())
    assert after["refresh_token"] == login["refresh_token"]
    assert after["access_token"] != "worn out"


def test_a_login_that_cannot_go_on_begins_anew(sdk: Sdk, ann: Any) -> None:
    home = sdk.new_home()
    client = sdk.log_in("ann@example.com", home)
    login = json.loads(cache_of(home).read_text())
    dead = login | {"expiry": 0, "access_token": "worn out", "refresh_token": "dead"}
    cache_of(home).write_text(json.dumps(dead))

    assert client.list_workspaces() is not None

    after = json.loads(cache_of(home).read_text())
    assert after["refresh_token"] not in {"dead", login["refresh_token"]}


def test_a_home_goes_on_as_the_person_who_logged_in_first_until_logout(
    sdk: Sdk, ann: Any, ben: Any
) -> None:
    home = sdk.new_home()
    sdk.log_in("ann@example.com", home)
    # The SDK's own way, which docs/sdk.md warns of.
    assert sdk.log_in("ben@example.com", home).auth.user_email() == "ann@example.com"

    sdk.interpreter.call("wallaroo.auth.logout")

    assert sdk.log_in("ben@example.com", home).auth.user_email() == "ben@example.com"


# -- By a page in a browser ------------------------------------------------------------

LOG_IN_TWICE = """
import wallaroo
try:
    wallaroo.Client()
except wallaroo.auth.TokenFetchError as error:
    print("refused:", error)
print("logged in as", wallaroo.Client().auth.user_email())
"""


def test_a_person_answers_on_the_page_that_the_sdk_names(
    sdk: Sdk, environment: Environment, pages: WebSession
) -> None:
    variables = sdk.variables(sdk.new_home(), WALLAROO_SDK_AUTH_TYPE="sso")
    with subprocess.Popen(
        [str(environment.python), "-u", "-c", LOG_IN_TWICE],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        lines = map(str.strip, program.stdout)

        address = next(line for line in lines if line.startswith("http"))
        assert address.startswith(f"{sdk.url}/auth/")
        pages.submit(address, decision="deny")
        assert "access_denied" in next(line for line in lines if line.startswith("refused:"))

        address = next(line for line in lines if line.startswith("http"))
        pages.submit(address, decision="approve")
        assert "logged in as ann@example.com" in list(lines)


# -- By a personal API token -----------------------------------------------------------


def log_in_by_token(sdk: Sdk, pages: WebSession, folder: Path, scope: str) -> Any:
    """Make a token on the account's page, and use what the page says to put into a file."""
    page = pages.submit("/account/tokens/new/", name="tests", scope=scope, days="7")
    shown = re.search(r'\{[^{}]*"token"[^{}]*\}', page)
    assert shown is not None
    credentials = folder / "token.json"
    credentials.write_text(shown[0])
    return sdk.client(WALLAROO_SDK_AUTH_TYPE="token", WALLAROO_SDK_CREDENTIALS=str(credentials))


def test_an_api_token_logs_its_person_in(
    sdk: Sdk, ann: Any, pages: WebSession, tmp_path: Path
) -> None:
    client = log_in_by_token(sdk, pages, tmp_path, "manage")

    assert client.auth.user_id() == ann.auth.user_id()
    assert client.get_current_workspace().name() == "ann@example.com - Default Workspace"
    assert client.upload_orchestration(bytes_buffer=make_zip({"main.py": ""})).id()


def test_an_api_token_allows_what_it_was_made_for(
    sdk: Sdk, ann: Any, pages: WebSession, tmp_path: Path
) -> None:
    ann.get_current_workspace()
    client = log_in_by_token(sdk, pages, tmp_path, "read")

    assert client.list_workspaces()
    with pytest.raises(Raised, match=r"OrchestrationUploadFailed.*may only read"):
        client.upload_orchestration(bytes_buffer=make_zip({"main.py": ""}))


def test_without_a_good_token_nothing_is_answered(sdk: Sdk, tmp_path: Path) -> None:
    credentials = tmp_path / "token.json"
    nobody = {"token": "no token of ours", "user_email": "ann@example.com", "user_id": "ann"}
    credentials.write_text(json.dumps(nobody))
    client = sdk.client(WALLAROO_SDK_AUTH_TYPE="token", WALLAROO_SDK_CREDENTIALS=str(credentials))

    with pytest.raises(Raised, match="Log in first"):
        client.list_workspaces()
    with pytest.raises(Raised, match="401"):
        client.get_current_workspace()
    with pytest.raises(Raised, match="Failed to list orchestrations"):
        client.list_orchestrations()
    with pytest.raises(Raised, match="Log in first"):
        sdk.client(WALLAROO_SDK_AUTH_TYPE="test_auth").list_workspaces()
