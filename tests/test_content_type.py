"""The guard against character sets that Django fails over."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from wallaroo_ui.asgi import application

# Views run in a thread of their own.
pytestmark = pytest.mark.django_db(transaction=True)

FORM = b"multipart/form-data; boundary=B"
BODY = b"""--B\r
Content-Disposition: form-data; name="grant_type"\r
\r
refresh_token\r
--B\r
Content-Disposition: form-data; name="refresh_token"\r
\r
wallaroo_refresh_\\ud800\r
--B--\r
"""


def ask(*content_types: bytes) -> tuple[int, dict[str, Any]]:
    """Ask the whole application for a token; return status and body."""
    sent: list[MutableMapping[str, Any]] = []
    messages = [{"type": "http.request", "body": BODY, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/auth/realms/master/protocol/openid-connect/token",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"content-length", str(len(BODY)).encode()),
            *((b"content-type", each) for each in content_types),
        ],
    }
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("suffix", [b"", b"; charset=UTF8", b'; charset="utf-8"'])
def test_utf8_is_read(suffix: bytes) -> None:
    status, body = ask(FORM + suffix)
    assert (status, body["error"]) == (401, "invalid_grant")


@pytest.mark.parametrize(
    "content_types",
    [
        (FORM + b"; charset=hex",),
        (FORM + b"; charset=idna",),
        (FORM + b"; charset=unicode_escape",),
        (FORM + b"; charset=latin-1",),
        (FORM + b"; charset=nothing",),
        (FORM + b"; charset=a\x00b",),
        (FORM, b"; charset=hex"),
    ],
    ids=lambda types: types[-1].rpartition(b"=")[2],
)
def test_other_character_sets_are_refused_in_words(content_types: tuple[bytes, ...]) -> None:
    status, body = ask(*content_types)
    assert (status, body["code"]) == (415, 415)
    assert body["msg"]
