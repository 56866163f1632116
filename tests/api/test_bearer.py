"""Whose token is good, and how much it carries."""

from datetime import timedelta

import jwt
import pytest
from django.test import RequestFactory
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from tasks import credentials
from tasks import services as tasks
from tasks.models import TaskRun
from tests.api.forgeries import FORGERIES, forge
from tests.factories import NOON, make_run, make_task, make_user
from wallaroo_ui.accounts import services, tokens
from wallaroo_ui.accounts.models import ApiToken, Scope, User
from wallaroo_ui.api.bearer import Caller, caller_of
from wallaroo_ui.executions.models import Status

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def run() -> TaskRun:
    return make_run(status=Status.QUEUED)


def caller(token: str, kind: str = "Bearer") -> Caller | None:
    return caller_of(RequestFactory().get("/", headers={"Authorization": f"{kind} {token}"}))


def api_token(user: User, scope: Scope = Scope.READ, lifetime: timedelta | None = HOUR) -> str:
    _, text = services.create_api_token(
        user=user, name="ci", scope=scope, lifetime=lifetime, at=timezone.now()
    )
    return text


def access_token(user: User) -> str:
    return tokens.access_token(user, lifetime=HOUR)


def of_run(run: TaskRun) -> str:
    token: str = credentials.token_cache(run)["access_token"]
    return token


def test_an_access_token_carries_all_rights_of_its_person(ann: User) -> None:
    assert caller(access_token(ann)) == Caller(user=ann, scope=Scope.MANAGE)


def test_a_runs_token_acts_for_its_person_and_names_the_run(run: TaskRun) -> None:
    assert run.acts_for is not None
    assert caller(of_run(run)) == Caller(user=run.acts_for, scope=Scope.MANAGE, run=run.pk)


@pytest.mark.parametrize("scope", Scope)
def test_an_api_token_carries_its_scope(ann: User, scope: Scope) -> None:
    assert caller(api_token(ann, scope)) == Caller(user=ann, scope=scope)


def test_an_api_token_may_be_good_for_ever(ann: User) -> None:
    assert caller(api_token(ann, lifetime=None)) is not None


def test_the_kind_of_the_header_is_written_as_one_likes(ann: User) -> None:
    assert caller(access_token(ann), "bearer") is not None


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_access_token_is_nobodys(ann: User, how: str) -> None:
    assert caller(forge(access_token(ann), how)) is None


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_token_of_a_run_is_nobodys(run: TaskRun, how: str) -> None:
    assert caller(forge(of_run(run), how)) is None


def test_nobody_becomes_another_person_by_a_signed_id_that_nobody_has(ann: User) -> None:
    token = access_token(ann)
    ann.delete()
    assert caller(token) is None


@pytest.mark.parametrize("kind", ["", "Basic", "Token", "Bearer:"])
def test_other_kinds_of_header_say_nothing(ann: User, kind: str) -> None:
    assert caller(access_token(ann), kind) is None
    assert caller(api_token(ann), kind) is None


def test_no_header_says_nothing() -> None:
    assert caller_of(RequestFactory().get("/")) is None


def test_the_sdks_token_for_tests_says_nothing() -> None:
    request = RequestFactory().get("/", headers={"Authorization": "definitely_a_bearer_token_str"})
    assert caller_of(request) is None


def test_refresh_tokens_are_no_access_tokens(ann: User, run: TaskRun) -> None:
    assert caller(credentials.token_cache(run)["refresh_token"]) is None
    login = services.log_in_sdk(user=ann, user_agent="", at=timezone.now())
    assert caller(login) is None


def test_a_token_ends_with_its_run(run: TaskRun) -> None:
    token = of_run(run)
    TaskRun.objects.filter(pk=run.pk).update(status=Status.SUCCESS, ended_at=NOON)
    assert caller(token) is None


def test_a_token_ends_with_its_killed_task(queued_jobs: list[str]) -> None:
    run = make_run(make_task(), status=Status.QUEUED)
    token = of_run(run)
    tasks.kill_task(task=run.task, user=make_user(), at=timezone.now())
    assert caller(token) is None


def test_the_tokens_of_a_deactivated_person_wait_for_their_return(ann: User, run: TaskRun) -> None:
    owner = run.acts_for
    assert owner is not None
    every = [access_token(ann), api_token(ann), of_run(run)]
    User.objects.update(is_active=False)
    assert [caller(token) for token in every] == [None, None, None]

    User.objects.update(is_active=True)
    assert None not in [caller(token) for token in every]


def test_revoked_and_expired_api_tokens_are_nobodys(ann: User) -> None:
    revoked = api_token(ann)
    ApiToken.objects.get().delete()
    assert caller(revoked) is None
    assert caller(api_token(ann, lifetime=timedelta(0))) is None


def test_an_api_token_is_known_by_all_of_its_text(ann: User) -> None:
    text = api_token(ann)
    assert caller(text[:-1]) is None
    assert caller(text + "x") is None
    assert caller(ApiToken.PREFIX) is None
    assert caller(ApiToken.objects.get().hash) is None
    assert caller(ApiToken.PREFIX + ApiToken.objects.get().hash) is None


def test_access_tokens_say_what_the_sdk_reads(ann: User) -> None:
    claims = jwt.decode(access_token(ann), options={"verify_signature": False})
    assert claims["sub"] == str(ann.pk)
    assert claims["email"] == "ann@example.com"


def test_a_call_costs_two_queries_at_most(
    ann: User, run: TaskRun, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for token in (access_token(ann), of_run(run), api_token(ann)):
        with django_assert_max_num_queries(2):
            assert caller(token) is not None
