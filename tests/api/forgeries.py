"""Signed tokens with one thing wrong, for whoever has to refuse them."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from wallaroo_ui.accounts import tokens


def sign(claims: dict[str, Any], key: bytes | str | None = None, algorithm: str = "HS256") -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)  # A forger does not care.
        return jwt.encode(claims, tokens._key() if key is None else key, algorithm=algorithm)


def splice(good: str, claims: dict[str, Any]) -> str:
    """Put another payload under a good signature."""
    header, _, signature = good.split(".")
    return f"{header}.{sign(claims).split('.')[1]}.{signature}"


# Each makes a bad token of a good one and what the good one says.
FORGERIES: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "no algorithm": lambda good, claims: sign(claims, "", "none"),
    "no algorithm, signature kept": lambda good, claims: (
        sign(claims, "", "none") + good.rpartition(".")[2]
    ),
    "another algorithm": lambda good, claims: sign(claims, algorithm="HS512"),
    "another key": lambda good, claims: sign(claims, "another key, of at least 32 bytes ....."),
    "the secret key itself": lambda good, claims: sign(claims, "tests-only"),
    "changed payload": lambda good, claims: splice(good, claims | {"email": "root@example.com"}),
    "no signature": lambda good, claims: good.rpartition(".")[0] + ".",
    "expired": lambda good, claims: sign(claims | {"exp": int(time.time()) - 1}),
    "without an end": lambda good, claims: sign(
        {name: value for name, value in claims.items() if name != "exp"}
    ),
    "another audience": lambda good, claims: sign(claims | {"aud": "somebody else"}),
    "another kind": lambda good, claims: sign(claims | {"typ": "id"}),
    "another person": lambda good, claims: sign(
        claims | {"sub": "00000000-0000-4000-8000-000000000000"}
    ),
    "no person": lambda good, claims: sign(claims | {"sub": "admin"}),
    "another run": lambda good, claims: sign(
        claims | {"run": "00000000-0000-4000-8000-000000000000"}
    ),
    "no run": lambda good, claims: sign(claims | {"run": "x"}),
    "garbage": lambda good, claims: "not.a.token",
    "nothing": lambda good, claims: "",
}


def forge(good: str, how: str) -> str:
    claims = jwt.decode(good, options={"verify_signature": False})
    return FORGERIES[how](good, claims)
