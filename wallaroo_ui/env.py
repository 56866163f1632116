"""Settings from the environment: typed, checked, and loud about mistakes.

A value that cannot be read stops the start with the variable's name and what was
expected. A quiet fallback would run a server that its operator did not ask for.
"""

import os
import re
import secrets
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def env_str(name: str, default: str = "") -> str:
    """Read a text; an empty variable counts as unset."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, *, default: bool) -> bool:
    """Read a truth value, written as one of 1/0, true/false, yes/no, on/off."""
    text = env_str(name).lower()
    if not text:
        return default
    if text in TRUE_WORDS:
        return True
    if text in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name}={text!r} is not a truth value: write true or false.")


def env_int(name: str, default: int, *, least: int = 0) -> int:
    """Read a whole number that is at least `least`."""
    text = env_str(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not a whole number.") from None
    if number < least:
        raise ImproperlyConfigured(f"{name}={number} is too small: at least {least}.")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    """Read a list, separated by commas."""
    text = env_str(name)
    return [part.strip() for part in text.split(",") if part.strip()] if text else default


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Read one word out of a few."""
    text = env_str(name, default).lower()
    if text not in choices:
        raise ImproperlyConfigured(f"{name}={text!r} is none of: {', '.join(choices)}.")
    return text


def env_url(name: str, schemes: tuple[str, ...]) -> SplitResult | None:
    """Read the address of a service; None where none is named."""
    text = env_str(name)
    if not text:
        return None
    try:
        url = urlsplit(text)
        is_good = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        is_good = False
    if not is_good:  # Not shown: it may hold a password.
        likely = f"{schemes[0]}://user:password@host:port"
        raise ImproperlyConfigured(f"{name} is no address such as {likely}.")
    return url


def env_path(name: str, default: Path) -> Path:
    """Read a path, made absolute so that a changed working directory does not move it."""
    return Path(env_str(name) or default).expanduser().absolute()


def env_secret(name: str, *, kept_in: Path | None) -> str:
    """Read a secret from `NAME`, from the file that `NAME_FILE` points at, or make one.

    `kept_in` is the file in which a generated secret is kept between starts, readable
    by its owner alone. Without it the variable is required.
    """
    if text := env_str(name):
        return text
    if file_name := env_str(f"{name}_FILE"):
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
    if kept_in is None:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set in production.")
    return _read_or_make(kept_in)


def env_secrets(name: str, *, kept_in: Path | None, least_characters: int) -> list[str]:
    """Read secrets as `env_secret` does one: several with commas, blanks or lines between."""
    found = re.split(r"[,\s]+", env_secret(name, kept_in=kept_in).strip(", \n"))
    if min(map(len, found)) < least_characters:
        raise ImproperlyConfigured(f"{name}: each needs at least {least_characters} characters.")
    return found


def _read_or_make(path: Path) -> str:
    """Return the secret in `path`; the first process to come writes it."""
    if path.exists():
        return path.read_text(encoding="utf-8").strip()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        # A hard link is made whole or not at all, and never over an existing file.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="utf-8").strip()
