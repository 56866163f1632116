"""What proves to the API who calls: how long, and how little of it is kept."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.factories import NOON, make_api_token, make_login, make_user
from wallaroo_ui.accounts import devices, services
from wallaroo_ui.accounts.models import ApiToken, RefreshToken, Scope, User

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def ann() -> User:
    return make_user("ann")


def new_token(user: User, lifetime: timedelta | None = None) -> str:
    return services.create_api_token(
        user=user, name="ci", scope=Scope.RUN, lifetime=lifetime, at=NOON
    )[1]


def log_in(user: User) -> str:
    return services.log_in_sdk(user=user, user_agent="", at=NOON)


@pytest.mark.parametrize("make", [new_token, log_in])
def test_no_column_holds_the_text(ann: User, make: Callable[[User], str]) -> None:
    text = make(ann)
    for model in (ApiToken, RefreshToken):
        for row in model.objects.values():
            kept = " ".join(str(value) for value in row.values())
            assert text not in kept
            assert text[-8:] not in kept


def test_a_token_is_recognised_by_its_first_characters(ann: User) -> None:
    text = new_token(ann)
    token = ApiToken.objects.get()
    assert text.startswith(token.start)
    assert token.start.startswith("wallaroo_api_")
    assert len(text) - len(token.start) > 32


def test_no_two_are_the_same(ann: User) -> None:
    assert len({new_token(ann) for _ in range(20)}) == 20


def test_a_token_is_good_until_it_expires(ann: User) -> None:
    text = new_token(ann, DAY)
    assert services.use_api_token(text=text, at=NOON + DAY - SECOND) is not None
    assert services.use_api_token(text=text, at=NOON + DAY) is None


def test_a_token_without_an_end_has_none(ann: User) -> None:
    text = new_token(ann, None)
    assert services.use_api_token(text=text, at=NOON + 10_000 * DAY) is not None


def test_a_use_is_noted_once_a_minute(ann: User) -> None:
    text = new_token(ann)
    noted = []
    for seconds in (0, 59, 60, 61):
        services.use_api_token(text=text, at=NOON + seconds * SECOND)
        noted.append(ApiToken.objects.get().last_used_at)
    assert noted == [NOON, NOON, NOON + 60 * SECOND, NOON + 60 * SECOND]


def test_a_login_lives_as_long_as_it_is_used(ann: User) -> None:
    text = log_in(ann)
    at = NOON
    for _ in range(4):
        at += 29 * DAY
        assert services.use_refresh_token(text=text, at=at) is not None
    assert services.use_refresh_token(text=text, at=at + 30 * DAY) is None


def test_the_longest_unused_logins_give_way(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_LOGINS", 3)
    others = make_login(make_user("bob"), at=NOON - DAY)
    texts = [services.log_in_sdk(user=ann, user_agent="", at=NOON + n * SECOND) for n in range(3)]
    services.use_refresh_token(text=texts[0], at=NOON + DAY)

    services.log_in_sdk(user=ann, user_agent="", at=NOON + 2 * DAY)

    good = [services.use_refresh_token(text=text, at=NOON + 2 * DAY) for text in texts]
    assert [login is not None for login in good] == [True, False, True]
    assert RefreshToken.objects.filter(pk=others.pk).exists()


def test_a_new_password_ends_logins_and_approvals_but_no_api_tokens(ann: User) -> None:
    login, token = log_in(ann), new_token(ann)
    authorization, _ = devices.ask(address=None, user_agent="", at=NOON)
    devices.decide(authorization=authorization, user=ann, approve=True, at=NOON)
    others = make_login(make_user("bob"))

    ann.set_password("a new and longer phrase")
    ann.save()

    assert services.use_refresh_token(text=login, at=NOON) is None
    assert list(RefreshToken.objects.all()) == [others]
    assert not ann.device_authorizations.exists()
    assert services.use_api_token(text=token, at=NOON) is not None


def test_logins_end_where_the_password_is_taken_away(ann: User) -> None:
    login = log_in(ann)
    authorization, _ = devices.ask(address=None, user_agent="", at=NOON)
    devices.decide(authorization=authorization, user=ann, approve=True, at=NOON)

    ann.set_unusable_password()  # As the admin does to disable it.
    ann.save()

    assert services.use_refresh_token(text=login, at=NOON) is None
    assert not ann.device_authorizations.exists()


def test_logins_do_not_come_back_with_a_deactivated_person(ann: User) -> None:
    login, token = log_in(ann), new_token(ann)

    ann.is_active = False
    ann.save(update_fields=["is_active"])
    assert services.use_api_token(text=token, at=NOON) is None
    ann.is_active = True
    ann.save()

    assert services.use_refresh_token(text=login, at=NOON) is None
    assert services.use_api_token(text=token, at=NOON) is not None


def test_other_changes_of_a_person_end_nothing(ann: User) -> None:
    make_login(ann)
    ann.first_name = "Ann"
    ann.save()
    assert ann.refresh_tokens.exists()


def test_a_renewed_hash_of_the_same_password_ends_nothing(ann: User, settings: object) -> None:
    make_login(ann)
    settings.PASSWORD_HASHERS = [  # type: ignore[attr-defined]
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    assert ann.check_password("correct horse")
    ann.refresh_from_db()
    assert ann.password.startswith("scrypt")
    assert ann.refresh_tokens.exists()


def test_nobody_logs_in_to_an_account_that_has_changed_meanwhile(ann: User) -> None:
    before = User.objects.get()
    ann.set_password("a new and longer phrase")
    ann.save()
    with pytest.raises(services.LoginRefused):
        log_in(before)

    ann.is_active = False
    ann.save()
    with pytest.raises(services.LoginRefused):
        log_in(ann)
    assert not RefreshToken.objects.exists()


def test_scopes_include_those_before_them() -> None:
    allowed = [[scope.allows(needed) for needed in Scope] for scope in Scope]
    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


def test_secrets_go_with_their_person(ann: User) -> None:
    make_login(ann)
    make_api_token(ann)
    ann.delete()
    assert not RefreshToken.objects.exists()
    assert not ApiToken.objects.exists()
