"""The settings as a whole, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

PRODUCTION = {
    "PRODUCTION": "true",
    "SECRET_KEY": "an example, long and of many letters, for this test alone",
    "ENCRYPTION_KEYS": "an-example-long-enough-for-this-test",
    "ALLOWED_HOSTS": "w.example.com",
}


def manage(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "DATA_DIR": os.environ["DATA_DIR"]}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_environment_starts_on_sqlite(tmp_path: Path) -> None:
    result = manage("check", DATA_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr
    for made in ("secret_key", "encryption_key"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o600


def test_production_is_safe_by_djangos_own_checklist() -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ENCRYPTION_KEYS", "ALLOWED_HOSTS"])
def test_production_refuses_to_start_without(missing: str) -> None:
    variables = {name: value for name, value in PRODUCTION.items() if name != missing}
    result = manage("check", **variables)
    assert result.returncode != 0
    assert missing in result.stderr


def test_production_refuses_debug() -> None:
    assert "DEBUG" in manage("check", **PRODUCTION, DEBUG="true").stderr


def test_prepare_makes_the_first_admin_and_the_quickstart_once(tmp_path: Path) -> None:
    first = manage("prepare", DATA_DIR=str(tmp_path), DJANGO_SUPERUSER_USERNAME="ann")
    second = manage("prepare", DATA_DIR=str(tmp_path), DJANGO_SUPERUSER_USERNAME="bob")

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "user name  ann" in first.stdout
    assert "password" in first.stdout
    assert second.stdout == ""
    assert len(list((tmp_path / "storage" / "archives").glob("*.zip"))) == 1


def test_prepare_does_not_show_a_password_that_was_given(tmp_path: Path) -> None:
    result = manage("prepare", DATA_DIR=str(tmp_path), DJANGO_SUPERUSER_PASSWORD="given-secret")
    assert "given-secret" not in result.stdout + result.stderr


def test_every_variable_is_in_the_example() -> None:
    import re

    source = (settings.BASE_DIR / "wallaroo_ui" / "settings.py").read_text()
    example = (settings.BASE_DIR / ".env.example").read_text()
    names = set(re.findall(r'env_[a-z]+\(\s*"([A-Z_]+)"', source))
    assert len(names) > 15
    assert [name for name in sorted(names) if f"{name}=" not in example] == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("smtp://mail.example.com", "True mail.example.com 587 '' '' False False"),
        ("smtp://ann:a%40b@mail.example.com:25", "True mail.example.com 25 'ann' 'a@b' True False"),
        ("smtps://ann:b@mail.example.com", "True mail.example.com 465 'ann' 'b' False True"),
    ],
)
def test_mail_goes_through_the_server_that_is_named(address: str, expected: str) -> None:
    script = (
        "from django.conf import settings as s; print(s.SENDS_EMAIL, s.EMAIL_HOST, s.EMAIL_PORT, "
        "repr(s.EMAIL_HOST_USER), repr(s.EMAIL_HOST_PASSWORD), s.EMAIL_USE_TLS, s.EMAIL_USE_SSL)"
    )
    result = manage("shell", "--no-imports", "--command", script, EMAIL_URL=address)
    assert result.stdout.strip() == expected, result.stderr
