"""Settings from the environment: right values in, wrong values loudly out."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from wallaroo_ui import env


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("ON", True), ("0", False), ("no", False), ("", True)]
)
def test_truth_values(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAG", text)
    assert env.env_bool("FLAG", default=True) is value


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (lambda: env.env_bool("X", default=True), "maybe", "true or false"),
        (lambda: env.env_int("X", 1), "many", "whole number"),
        (lambda: env.env_int("X", 1, least=1), "0", "at least 1"),
        (lambda: env.env_choice("X", "a", ("a", "b")), "c", "none of: a, b"),
        (lambda: env.env_secret("X", kept_in=None), "", "must be set in production"),
        (
            lambda: env.env_secrets("X", kept_in=None, least_characters=4),
            "long enough, odd",
            "at least 4 characters",
        ),
        (lambda: env.env_secrets("X", kept_in=None, least_characters=4), ",", "at least 4"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_the_variable(
    read: object, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match=words) as error:
        read()  # type: ignore[operator]
    assert "X" in str(error.value)


def test_a_secret_comes_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("X_FILE", str(tmp_path / "secret"))
    assert env.env_secret("X", kept_in=None) == "from the file"


def test_a_secret_file_that_cannot_be_read_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("X_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match="X_FILE"):
        env.env_secret("X", kept_in=None)


def test_a_made_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    first = env.env_secret("X", kept_in=path)

    assert env.env_secret("X", kept_in=path) == first
    assert len(first) > 40
    assert path.stat().st_mode & 0o777 == 0o600


def test_several_secrets_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "newest,older\n oldest,\n")
    found = env.env_secrets("X", kept_in=None, least_characters=4)
    assert found == ["newest", "older", "oldest"]


def test_a_secret_that_is_too_short_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "abc")
    with pytest.raises(ImproperlyConfigured) as error:
        env.env_secrets("X", kept_in=None, least_characters=4)
    assert "abc" not in str(error.value)


def test_a_made_secret_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    found = env.env_secrets("X", kept_in=path, least_characters=32)
    assert found == [path.read_text()]


@pytest.mark.parametrize(
    "text",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://user:secret@host:many"],
)
def test_an_address_that_is_none_is_refused_without_showing_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL", text)
    with pytest.raises(ImproperlyConfigured, match="MAIL is no address such as smtp://") as refusal:
        env.env_url("MAIL", ("smtp", "smtps"))
    assert "secret" not in str(refusal.value)


def test_an_address_is_read_and_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL", "smtps://ann:pass%40word@mail.example.com")
    url = env.env_url("MAIL", ("smtp", "smtps"))
    assert url is not None
    assert (url.scheme, url.hostname, url.port) == ("smtps", "mail.example.com", None)
    monkeypatch.setenv("MAIL", "")
    assert env.env_url("MAIL", ("smtp",)) is None
