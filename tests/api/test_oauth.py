"""How the SDK logs in, over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone

from tasks import credentials
from tasks import services as tasks
from tasks.models import TaskRun
from tests.api.forgeries import FORGERIES, forge
from tests.factories import NOON, make_run, make_task, make_user
from wallaroo_ui.accounts import services, tokens
from wallaroo_ui.accounts.models import DeviceAuthorization, RefreshToken, Scope, User
from wallaroo_ui.api.bearer import caller_with
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db
URL = "/auth/realms/master/protocol/openid-connect/token"
DEVICE_URL = "/auth/realms/master/protocol/openid-connect/auth/device"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
HOUR = timedelta(hours=1)
PASSWORD = "correct horse"


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def run() -> TaskRun:
    return make_run(status=Status.QUEUED)


def post(url: str, **data: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(url, {"client_id": "sdk-client", **data}, headers={"User-Agent": "SDK/1"})


def by_password(username: str, password: str = PASSWORD) -> Any:
    return post(URL, grant_type="password", username=username, password=password)


def by_refresh(token: str) -> Any:
    return post(URL, grant_type="refresh_token", refresh_token=token)


def by_device(code: str) -> Any:
    return post(URL, grant_type=DEVICE_GRANT, device_code=code)


def refused(response: Any, status: int, error: str) -> bool:
    """Tell whether the answer refuses in OAuth's words and in those of the API."""
    body = response.json()
    assert body["msg"] == body["error_description"] != ""
    assert body["code"] == response.status_code
    return (response.status_code, body["error"]) == (status, error)


def refresh_of_run(run: TaskRun) -> str:
    token: str = credentials.token_cache(run)["refresh_token"]
    return token


# -- Whatever the grant -----------------------------------------------------------------


def test_configuration_is_public() -> None:
    assert Client().get("/v1/api/config").json()["default_arch"] == "x86"


@pytest.mark.parametrize("url", [URL, DEVICE_URL])
@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options"])
def test_other_methods_are_refused_in_json(url: str, method: str) -> None:
    response = getattr(Client(), method)(url)
    assert refused(response, 405, "invalid_request")
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("grant_type", ["client_credentials", "", "Password"])
def test_unknown_grants_are_refused(grant_type: str) -> None:
    assert refused(post(URL, grant_type=grant_type), 400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"grant_type": "password"},
        {"grant_type": "password", "username": "ann"},
        {"grant_type": "password", "username": "", "password": "x"},
        {"grant_type": "password", "username": "a\0b", "password": "x"},
        {"grant_type": "password", "username": "a" * 255, "password": "x"},
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": ""},
        {"grant_type": DEVICE_GRANT},
    ],
)
def test_missing_or_impossible_fields_are_refused(data: dict[str, str]) -> None:
    assert refused(post(URL, **data), 400, "invalid_request")


# -- Password ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ann", "ann@example.com", "ANN@example.com"])
def test_a_password_gives_tokens(ann: User, name: str) -> None:
    response = by_password(name)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    answer = response.json()
    caller = caller_with(answer["access_token"])
    assert caller is not None
    assert (caller.user, caller.scope, caller.run) == (ann, Scope.MANAGE, None)
    assert 60 <= answer["expires_in"] <= 3600
    assert answer["refresh_expires_in"] == 30 * 24 * 3600
    assert by_refresh(answer["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("ann", PASSWORD + " "), ("nobody", PASSWORD)]
)
def test_a_wrong_name_or_password_gives_none(ann: User, name: str, password: str) -> None:
    assert refused(by_password(name, password), 401, "invalid_grant")
    assert not RefreshToken.objects.exists()


def test_a_deactivated_person_gets_none() -> None:
    make_user("ann", is_active=False)
    assert refused(by_password("ann"), 401, "invalid_grant")


def test_a_login_notes_what_it_came_from(ann: User) -> None:
    by_password("ann")
    ann.refresh_from_db()
    assert ann.last_login is not None
    assert ann.refresh_tokens.get().user_agent == "SDK/1"


def test_a_password_that_is_changed_meanwhile_gives_none(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def authenticate(*_: Any, **__: Any) -> User:
        old = User.objects.get()
        ann.set_password("a new and longer phrase")
        ann.save()
        return old

    monkeypatch.setattr("wallaroo_ui.api.oauth.authenticate", authenticate)
    assert refused(by_password("ann"), 401, "invalid_grant")
    assert not RefreshToken.objects.exists()


# -- Too many passwords -----------------------------------------------------------------


def guess(times: int, *names: str) -> None:
    for number in range(times):
        by_password(names[number % len(names)], "wrong")


def test_who_guesses_has_to_wait(ann: User) -> None:
    guess(9, "ann")
    last = by_password("ann", "wrong")
    assert refused(last, 429, "slow_down")
    assert last["Retry-After"] == "900"
    assert refused(by_password("ann"), 429, "slow_down")


def test_the_answer_is_the_same_behind_an_asgi_server(ann: User) -> None:
    guess(10, "ann")
    data = {"grant_type": "password", "username": "ann", "password": PASSWORD}
    response = async_to_sync(AsyncClient().post)(URL, data)
    assert refused(response, 429, "slow_down")
    assert response["Retry-After"] == "900"


def test_user_name_and_e_mail_count_together(ann: User) -> None:
    guess(10, "ann", "Ann@example.com")
    assert refused(by_password("ann"), 429, "slow_down")
    assert refused(by_password("ann@example.com"), 429, "slow_down")


def test_a_good_password_is_a_new_beginning(ann: User) -> None:
    guess(9, "ann@example.com")
    assert by_password("ann").status_code == 200
    guess(9, "ann")
    assert by_password("ann@example.com").status_code == 200


def test_other_names_and_other_addresses_go_on(ann: User) -> None:
    make_user("bob")
    guess(10, "ann")
    assert by_password("bob").status_code == 200
    data = {"grant_type": "password", "username": "ann", "password": PASSWORD}
    elsewhere = Client().post(URL, data, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 200


def test_names_that_nobody_has_are_counted_too() -> None:
    guess(10, "nobody")
    assert refused(by_password("nobody"), 429, "slow_down")


def test_refreshing_goes_on_while_passwords_have_to_wait(ann: User) -> None:
    token = by_password("ann").json()["refresh_token"]
    guess(10, "ann")
    assert by_refresh(token).status_code == 200


# -- Refresh, of a person ---------------------------------------------------------------


@pytest.fixture
def login(ann: User) -> str:
    return services.log_in_sdk(user=ann, user_agent="", at=timezone.now())


def test_a_refresh_token_is_good_again_and_again(ann: User, login: str) -> None:
    for _ in range(3):
        answer = by_refresh(login).json()
        assert tokens.read_token(answer["access_token"], kind="access").user == ann.pk
        assert answer["refresh_token"] == login


def test_a_login_ends_when_it_is_ended(login: str) -> None:
    RefreshToken.objects.get().delete()
    assert refused(by_refresh(login), 401, "invalid_grant")


def test_a_login_ends_when_it_is_not_used(ann: User) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    login = services.log_in_sdk(user=ann, user_agent="", at=long_ago)
    assert refused(by_refresh(login), 401, "invalid_grant")


def test_a_login_ends_with_the_account(ann: User, login: str) -> None:
    User.objects.update(is_active=False)
    assert refused(by_refresh(login), 401, "invalid_grant")


@pytest.mark.parametrize("text", ["", "x", RefreshToken.PREFIX[:-1] + "x"])
def test_an_unknown_login_is_refused(login: str, text: str) -> None:
    assert refused(by_refresh(RefreshToken.PREFIX + text), 401, "invalid_grant")
    assert refused(by_refresh(login + "x"), 401, "invalid_grant")


def test_other_tokens_of_a_person_do_not_refresh(ann: User) -> None:
    _, api_token = services.create_api_token(
        user=ann, name="ci", scope=Scope.MANAGE, lifetime=HOUR, at=timezone.now()
    )
    for token in (tokens.access_token(ann, lifetime=HOUR), api_token):
        assert refused(by_refresh(token), 401, "invalid_grant")


# -- Refresh, of a run ------------------------------------------------------------------


def test_a_runs_refresh_token_is_good_again_and_again(run: TaskRun) -> None:
    token = refresh_of_run(run)
    for _ in range(3):
        answer = by_refresh(token).json()
        assert tokens.read_token(answer["access_token"], kind="access").run == run.pk
        assert answer["refresh_token"] == token
        assert answer["expires_in"] > 60
        assert isinstance(answer["refresh_expires_in"], int)


def test_a_refresh_token_dies_with_its_run(run: TaskRun) -> None:
    token = refresh_of_run(run)
    TaskRun.objects.filter(pk=run.pk).update(status=Status.KILLED, ended_at=NOON)
    assert refused(by_refresh(token), 401, "invalid_grant")


def test_a_refresh_token_dies_with_its_killed_task(queued_jobs: list[str]) -> None:
    run = make_run(make_task(), status=Status.QUEUED)
    token = refresh_of_run(run)
    tasks.kill_task(task=run.task, user=make_user(), at=timezone.now())
    assert refused(by_refresh(token), 401, "invalid_grant")


def test_a_refresh_token_of_a_run_dies_with_its_persons_account(run: TaskRun) -> None:
    token = refresh_of_run(run)
    User.objects.update(is_active=False)
    assert refused(by_refresh(token), 401, "invalid_grant")


@pytest.mark.parametrize("how", [how for how in FORGERIES if how != "nothing"])
def test_a_forged_refresh_token_is_refused(run: TaskRun, how: str) -> None:
    assert refused(by_refresh(forge(refresh_of_run(run), how)), 401, "invalid_grant")


def test_an_access_token_of_a_run_does_not_refresh(run: TaskRun) -> None:
    access = credentials.token_cache(run)["access_token"]
    assert refused(by_refresh(access), 401, "invalid_grant")


def test_a_signed_refresh_token_without_a_run_is_nobodys(run: TaskRun) -> None:
    user = run.acts_for
    assert user is not None
    token = tokens._encode(user, "refresh", HOUR, None)
    assert refused(by_refresh(token), 401, "invalid_grant")


# -- Device flow ------------------------------------------------------------------------


@pytest.fixture
def asked() -> dict[str, Any]:
    answer: dict[str, Any] = post(DEVICE_URL).json()
    return answer


def answer(user: User, code: str, decision: str) -> None:
    client = Client()
    client.force_login(user)
    client.post("/auth/device", {"user_code": code, "decision": decision})


def test_the_flow_begins_with_two_codes_and_an_address_below_the_servers() -> None:
    request = Client(enforce_csrf_checks=True)
    response = request.post(DEVICE_URL, {"client_id": "sdk-client"}, headers={"Host": "localhost"})

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body["verification_uri"] == "http://localhost/auth/device"
    expected = f"http://localhost/auth/device?user_code={body['user_code']}"
    assert body["verification_uri_complete"] == expected
    assert (body["expires_in"], body["interval"]) == (600, 5)
    assert len(body["device_code"]) >= 40


def test_what_is_approved_gets_tokens_once(ann: User, asked: dict[str, Any]) -> None:
    assert refused(by_device(asked["device_code"]), 400, "authorization_pending")
    answer(ann, asked["user_code"], "approve")

    response = by_device(asked["device_code"])

    assert response.status_code == 200
    caller = caller_with(response.json()["access_token"])
    assert caller is not None
    assert caller.user == ann
    assert by_refresh(response.json()["refresh_token"]).status_code == 200
    assert refused(by_device(asked["device_code"]), 400, "invalid_grant")


def test_who_asks_too_often_is_told_so(asked: dict[str, Any]) -> None:
    by_device(asked["device_code"])
    assert refused(by_device(asked["device_code"]), 400, "slow_down")


def test_what_is_denied_stays_so(ann: User, asked: dict[str, Any]) -> None:
    answer(ann, asked["user_code"], "deny")
    answer(ann, asked["user_code"], "approve")
    assert refused(by_device(asked["device_code"]), 400, "access_denied")


def test_codes_run_out(ann: User, asked: dict[str, Any]) -> None:
    answer(ann, asked["user_code"], "approve")
    DeviceAuthorization.objects.update(expires_at=timezone.now())
    assert refused(by_device(asked["device_code"]), 400, "expired_token")


@pytest.mark.parametrize("field", ["user_code", "verification_uri"])
def test_only_the_device_code_is_a_grant(ann: User, asked: dict[str, Any], field: str) -> None:
    answer(ann, asked["user_code"], "approve")
    assert refused(by_device(asked[field]), 400, "invalid_grant")


def test_nobody_fills_the_table(asked: dict[str, Any]) -> None:
    for _ in range(99):
        post(DEVICE_URL)
    response = post(DEVICE_URL)
    assert refused(response, 429, "slow_down")
    elsewhere = Client().post(DEVICE_URL, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 200
