"""The in-task part of the SDK's contract."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.test import Client

from tasks.models import TaskRun
from tests.factories import NOON, make_run, make_user
from wallaroo_ui.accounts import tokens
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db
URL = "/auth/realms/master/protocol/openid-connect/token"
HOUR = timedelta(hours=1)


@pytest.fixture
def run() -> TaskRun:
    return make_run(status=Status.QUEUED)


def refresh_token(run: TaskRun, lifetime: timedelta = HOUR) -> str:
    user = run.task.created_by
    assert user is not None
    return tokens.refresh_token(user, lifetime=lifetime, run=run.pk)


def grant(token: str, grant_type: str = "refresh_token") -> Any:
    data = {"grant_type": grant_type, "refresh_token": token, "client_id": "sdk-client"}
    return Client(enforce_csrf_checks=True).post(URL, data)


def test_configuration_is_public() -> None:
    assert Client().get("/v1/api/config").json()["default_arch"] == "x86"


def test_a_refresh_token_is_good_again_and_again(run: TaskRun) -> None:
    token = refresh_token(run)
    for _ in range(3):
        answer = grant(token).json()
        assert tokens.read_token(answer["access_token"], kind="access").run == run.pk
        assert answer["refresh_token"] == token
        assert answer["expires_in"] > 60
        assert isinstance(answer["refresh_expires_in"], int)


def refused(response: Any) -> bool:
    error: str = response.json()["error"]
    return (response.status_code, error) == (400, "invalid_grant")


def test_a_refresh_token_dies_with_its_run(run: TaskRun) -> None:
    token = refresh_token(run)
    TaskRun.objects.filter(pk=run.pk).update(status=Status.KILLED, ended_at=NOON)
    assert refused(grant(token))


def test_a_refresh_token_dies_with_its_persons_account(run: TaskRun) -> None:
    token = refresh_token(run)
    User.objects.update(is_active=False)
    assert refused(grant(token))


def test_an_expired_or_forged_or_foreign_token_is_refused(run: TaskRun) -> None:
    user = run.task.created_by
    assert user is not None
    good = refresh_token(run)
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    for token in (
        refresh_token(run, lifetime=-HOUR),
        f"{header}.{payload[:-2]}xx.{signature}",
        jwt.encode(claims, "another key of at least 32 bytes.....", algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        tokens.access_token(user, lifetime=HOUR, run=run.pk),
        tokens.refresh_token(make_user(), lifetime=HOUR, run=run.pk),
        "",
        "not.a.token",
    ):
        assert refused(grant(token)), token


def test_other_grants_are_refused_in_json(run: TaskRun) -> None:
    response = grant(refresh_token(run), grant_type="password")
    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_grant_type"
