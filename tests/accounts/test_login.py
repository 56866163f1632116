"""Logging in and changing the password."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from tests.factories import make_user
from wallaroo_ui.accounts.models import User

pytestmark = pytest.mark.django_db


def log_in(name: str, password: str = "correct horse") -> bool:
    client = Client()
    client.post(reverse("accounts:login"), {"username": name, "password": password})
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("name", ["ann", "ann@example.com", "ANN@Example.COM", " ann "])
def test_user_name_and_e_mail_both_log_in(name: str) -> None:
    make_user("ann")
    assert log_in(name)


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("nobody", "correct horse"), ("", ""), ("ann", "")]
)
def test_wrong_names_and_passwords_do_not(name: str, password: str) -> None:
    make_user("ann")
    assert not log_in(name, password)


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_a_refusal_takes_as_long_whether_the_name_exists_or_not(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ann")
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def spy(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", spy)
    assert not log_in(name, "wrong")
    assert hashed == ["wrong"]


def test_an_inactive_person_cannot_log_in() -> None:
    make_user("ann", is_active=False)
    assert not log_in("ann")


def test_an_e_mail_address_cannot_take_over_a_user_name() -> None:
    make_user("ann@example.com", email="real@example.com")
    make_user("thief", email="ann@example.com", password="stolen goods")
    assert log_in("ann@example.com")
    assert not log_in("ann@example.com", "stolen goods")


def test_e_mail_addresses_are_unique_whatever_their_case() -> None:
    make_user("ann")
    with pytest.raises(IntegrityError):
        make_user("other", email="ANN@example.com")


def test_a_password_is_changed_with_the_old_one() -> None:
    user = make_user("ann")
    client = Client()
    client.force_login(user)
    new = "a new and longer phrase"

    client.post(
        reverse("accounts:password-change"),
        {"old_password": "correct horse", "new_password1": new, "new_password2": new},
    )

    assert User.objects.get().check_password(new)
    assert "_auth_user_id" in client.session


def test_htmx_is_sent_to_the_login_page_as_a_page(client: Client) -> None:
    response = client.get(reverse("workspaces:list"), headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Redirect"] == reverse("accounts:login")


@pytest.mark.parametrize("other", ["\u017fam@example.com", "sam\u0131@example.com"])
def test_an_address_is_not_taken_for_one_that_looks_alike(other: str) -> None:
    own = other.replace("\u017f", "s").replace("\u0131", "i")
    User.objects.create(username="other", email=other)
    assert User.objects.by_login(own) is None
    mine = User.objects.create(username="mine", email=own)
    assert User.objects.by_login(own.upper()) == mine
