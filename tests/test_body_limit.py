"""The guard in front of the application."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from django.conf import settings

from wallaroo_ui.asgi import most_bytes
from wallaroo_ui.body_limit import BodyLimit, Receive, Send

LIMIT = 100


async def echo(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def ask(pieces: list[bytes], *headers: tuple[bytes, bytes]) -> tuple[int, bytes, int]:
    """Return status, body, and how many pieces were read."""
    sent: list[MutableMapping[str, Any]] = []
    left = list(pieces)

    async def receive() -> MutableMapping[str, Any]:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "headers": list(headers)}
    asyncio.run(BodyLimit(echo, most_bytes=lambda path: LIMIT)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], len(pieces) - len(left)


def test_a_body_within_the_limit_passes() -> None:
    assert ask([b"x" * 60, b"y" * 40], (b"content-length", b"100")) == (200, b"100", 2)


def test_an_announced_large_body_is_refused_unread() -> None:
    status, body, read = ask([b"x" * 101], (b"content-length", b"101"))
    assert (status, read) == (413, 0)
    assert b"too large" in body


def test_a_browser_is_told_so_on_a_page() -> None:
    accept = (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")
    status, body, _ = ask([b"x" * 101], (b"content-length", b"101"), accept)
    assert status == 413
    assert b"This is more than the server accepts" in body


def test_an_unannounced_large_body_is_cut_off() -> None:
    status, _, read = ask([b"x" * 60, b"y" * 60, b"z" * 60])
    assert (status, read) == (413, 2)


def test_a_strange_length_is_refused() -> None:
    assert ask([b""], (b"content-length", b"-1"))[0] == 413


def test_only_uploads_may_be_as_large_as_an_archive() -> None:
    for path in ("/workspaces/7/workloads/upload/", "/v1/api/orchestration/upload"):
        assert most_bytes(path) == settings.UPLOAD_MAX_BYTES
    for path in ("/v1/graphql", "/v1/api/task/run_once", "/login/"):
        assert most_bytes(path) == settings.FORM_MAX_BYTES
