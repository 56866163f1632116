"""The device flow, by the clock."""

from datetime import datetime, timedelta

import pytest

from tests.factories import NOON, make_user
from wallaroo_ui.accounts import devices
from wallaroo_ui.accounts.models import DeviceAuthorization, RefreshToken, User

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def code() -> str:
    return devices.ask(address="192.0.2.7", user_agent="SDK", at=NOON)[1]


def decide(user: User, *, approve: bool = True, at: datetime = NOON) -> bool:
    authorization = DeviceAuthorization.objects.get()
    return devices.decide(authorization=authorization, user=user, approve=approve, at=at)


def error(code: str, *, at: datetime = NOON) -> str:
    with pytest.raises(devices.NotGranted) as refusal:
        devices.redeem(device_code=code, at=at)
    return refusal.value.error


def state(user: User, *, at: datetime = NOON) -> str:
    return devices.state_for(DeviceAuthorization.objects.get(), user, at=at)


def test_the_codes_are_long_enough_and_the_programs_is_not_kept(code: str) -> None:
    kept = DeviceAuthorization.objects.values().get()
    assert code not in map(str, kept.values())
    assert len(code) >= 43
    assert len(kept["user_code"]) == 8  # Of 20 letters: 34 bits, and ten guesses in 15 minutes.


@pytest.mark.parametrize("typed", ["{}", " {} ", "{}.", "{}\0"])
def test_a_code_is_found_however_it_is_typed(code: str, typed: str) -> None:
    authorization = DeviceAuthorization.objects.get()
    for form in (authorization.shown_code, authorization.user_code, str(authorization).lower()):
        assert devices.find(typed.format(form)) == authorization


@pytest.mark.parametrize("typed", ["", "x", "BCDF-GHJ", "' or 1=1", "🦘"])
def test_what_is_no_code_is_not_found(code: str, typed: str) -> None:
    assert devices.find(typed) is None


def test_polling_at_the_given_pace_is_never_too_often(code: str) -> None:
    seconds = (0, 5, 9.5, 14.5)
    answers = [error(code, at=NOON + second * SECOND) for second in seconds]
    assert set(answers) == {"authorization_pending"}


def test_polling_faster_is(code: str) -> None:
    answers = [error(code, at=NOON + second * SECOND) for second in (0, 1, 2, 7)]
    assert answers == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]


def test_approval_logs_the_program_in_once(ann: User, code: str) -> None:
    assert decide(ann)
    user, _ = devices.redeem(device_code=code, at=NOON)
    assert user == ann
    assert ann.refresh_tokens.get().user_agent == "SDK"
    assert error(code) == "invalid_grant"
    assert RefreshToken.objects.count() == 1


def test_the_first_who_decides_has_decided(ann: User, code: str) -> None:
    bob = make_user("bob")
    assert decide(bob, approve=False)
    assert not decide(ann)
    assert error(code) == "access_denied"
    assert (state(bob), state(ann)) == ("denied", "taken")


def test_a_program_acts_for_who_approved_it_and_nobody_else(ann: User, code: str) -> None:
    bob = make_user("bob")
    decide(ann)
    assert not decide(bob)
    assert devices.redeem(device_code=code, at=NOON)[0] == ann
    assert (state(ann), state(bob)) == ("approved", "taken")


def test_what_was_asked_long_ago_can_neither_be_approved_nor_used(ann: User, code: str) -> None:
    assert state(ann, at=NOON + TEN_MINUTES - SECOND) == "asks"
    assert state(ann, at=NOON + TEN_MINUTES) == "expired"
    assert not decide(ann, at=NOON + TEN_MINUTES)
    assert error(code, at=NOON + TEN_MINUTES) == "expired_token"


def test_an_approval_runs_out_too(ann: User, code: str) -> None:
    decide(ann)
    assert error(code, at=NOON + TEN_MINUTES) == "expired_token"


def test_an_approval_by_somebody_who_was_deactivated_is_worth_nothing(ann: User, code: str) -> None:
    decide(ann)
    User.objects.update(is_active=False)
    assert error(code) == "access_denied"

    ann.is_active = False
    ann.save()
    assert error(code) == "invalid_grant"  # It went with the account.


@pytest.mark.parametrize("code_of_nobody", ["", "x", "\0"])
def test_unknown_codes_are_refused(code: str, code_of_nobody: str) -> None:
    assert error(code_of_nobody) == "invalid_grant"


def test_of_each_address_so_many_may_wait() -> None:
    for _ in range(devices.MOST_WAITING):
        devices.ask(address="192.0.2.7", user_agent="", at=NOON)
    with pytest.raises(devices.TooManyWaiting):
        devices.ask(address="192.0.2.7", user_agent="", at=NOON)
    devices.ask(address="192.0.2.8", user_agent="", at=NOON)
    devices.ask(address="192.0.2.7", user_agent="", at=NOON + TEN_MINUTES)
