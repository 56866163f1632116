"""JSON as people and programs write it: an object, within bounds that hold everywhere."""

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn, TypeAlias

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

MAX_BYTES = 1_000_000
MAX_DEPTH = 100
MAX_DIGITS = 4_300
MAX_INDENTED = 20_000

_TOKEN = re.compile(
    r"""
      (?P<string> "[^"\\]*+ (?:\\.[^"\\]*+)*+ (?:"(?P<key>\s*+:)?+ | \Z) )
    | (?P<open> [\[{] )
    | (?P<close> [\]}] )
    | (?P<number> -? [0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?[0-9]++)?+ )
    | (?P<constant> NaN | -?Infinity )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?: ud[89ab]..\\ud[c-f].. | (?P<lone>ud[89a-f]..) | (?P<nul>u0000) | . )",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_HINTS = {
    "'": "JSON wants double quotes, not single ones",
    "True": "JSON writes true, in small letters",
    "False": "JSON writes false, in small letters",
    "None": "JSON writes null, not None",
}


class JSONRefused(ValueError):
    """Text is not accepted; `line` and `column` count characters from 1."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


def parse_object(text: str) -> dict[str, JSON]:
    """Read a JSON object; blank text stands for an empty one.

    Only what every reader and every database understands alike is accepted: no NaN, no
    key given twice, no number beyond all bounds, no half characters, no NUL.

    Raises:
        JSONRefused: the text is something else; the message says where and why.
    """
    _check_size(text)
    if not text.strip():
        return {}
    _check_tokens(text)
    try:
        value: JSON = json.loads(text)
    except json.JSONDecodeError as error:
        hints = (_HINTS[start] for start in _HINTS if text.startswith(start, error.pos))
        _refuse(text, error.pos, next(hints, error.msg))
    if not isinstance(value, dict):
        start = len(text) - len(text.lstrip())
        _refuse(text, start, 'a JSON object is wanted, such as {"limit": 10}')
    return value


def write_object(value: Mapping[str, object]) -> str:
    """Write an object, in as few characters as possible, as text that `parse_object` reads.

    Raises:
        JSONRefused: it holds what `parse_object` would not accept.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        _refuse("", 0, f"more than {MAX_DEPTH} levels are inside one another")
    parse_object(text)
    return text


def show_object(value: Mapping[str, object]) -> str:
    """Write an object for people: indented, unless it is so large that this could multiply it."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, indent=2) if len(text) < MAX_INDENTED else text


def _refuse(text: str, position: int, message: str) -> NoReturn:
    raise JSONRefused(
        message,
        line=text.count("\n", 0, position) + 1,
        column=position - text.rfind("\n", 0, position),
    )


def _check_size(text: str) -> None:
    try:
        encoded = text[: MAX_BYTES + 1].encode()
    except UnicodeEncodeError as error:
        _refuse(text, error.start, "half of a surrogate pair is no character")
    if len(encoded) > MAX_BYTES:
        position = len(encoded[:MAX_BYTES].decode(errors="ignore"))
        _refuse(text, position, f"more than {MAX_BYTES:,} bytes are not taken")


def _check_tokens(text: str) -> None:
    """Check what the reader of the standard library would let pass, or would fall over."""
    keys: list[set[str]] = []  # of each object or list which is open
    for token in _TOKEN.finditer(text):
        start = token.start()
        match token.lastgroup:
            case "open":
                if len(keys) == MAX_DEPTH:
                    _refuse(text, start, f"more than {MAX_DEPTH} levels are inside one another")
                keys.append(set())
            case "close":
                del keys[-1:]
            case "number":
                _check_number(text, token)
            case "constant":
                _refuse(text, start, f"{token[0]} is not JSON")
            case _:
                _check_string(text, token)
                if token["key"] and keys:
                    _add_key(text, token, keys[-1])


def _add_key(text: str, token: re.Match[str], keys: set[str]) -> None:
    raw = token["string"].removesuffix(token["key"])
    with suppress(json.JSONDecodeError):  # the whole text will fail there, and say why
        key = json.loads(raw)
        if key in keys:
            _refuse(text, token.start(), f"the key {raw[:80]} is given twice")
        keys.add(key)


def _check_number(text: str, token: re.Match[str]) -> None:
    number = token["number"]
    if number.removeprefix("-").isdigit():
        if len(number.removeprefix("-")) > MAX_DIGITS:
            _refuse(text, token.start(), f"an integer has more than {MAX_DIGITS:,} digits")
    elif math.isinf(float(number)):
        _refuse(text, token.start(), "a number is too large")


def _check_string(text: str, token: re.Match[str]) -> None:
    if "\\u" not in token["string"]:
        return
    for escape in _ESCAPE.finditer(text, token.start("string"), token.end("string")):
        if escape["nul"]:
            _refuse(text, escape.start(), r"the character \u0000 cannot be kept")
        if escape["lone"]:
            _refuse(text, escape.start(), "half of a surrogate pair is no character")
