"""Reading and writing JSON: what no database can keep is refused, and times are whole."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from wallaroo_ui.api.errors import Refused


class StrictJsonParser(Parser):
    """Takes JSON objects of real characters and finite numbers, of any sensible depth."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the request's body, or refuse it with 400."""
        return read_json_object(request.body)


class MicrosecondRenderer(BaseRenderer):
    """Writes times with their microseconds and offset, as the contract has them."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> str:
        """Return an answer as text."""
        return json.dumps(data, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def read_json_object(body: bytes | str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        Refused: with what is wrong.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Refused("The body is not UTF-8.") from error
    except ValueError as error:
        raise Refused(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise Refused("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise Refused("The body has to be a JSON object: {...}.")
    for text in _texts(value):
        if "\0" in text or not _is_encodable(text):
            raise Refused("The body holds a character that cannot be kept, such as NUL.")
    return value


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
