"""A guard in front of the application: no request body is larger than a limit.

Django writes a body to disk before any view sees it, however long it is. The guard
refuses what announces too much, and cuts off what sends too much without announcing.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.template.loader import render_to_string

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyTooLarge(Exception):
    """More bytes came than the limit."""


class BodyLimit:
    """Answers 413 to requests whose body is larger than `most_bytes` of their path."""

    def __init__(self, application: Application, *, most_bytes: Callable[[str], int]) -> None:
        self.application = application
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most_bytes = self.most_bytes(scope["path"])
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most_bytes:
            await self._refuse(scope, send, most_bytes)
            return
        taken = 0

        async def limited_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most_bytes:
                raise BodyTooLarge
            return message

        try:
            await self.application(scope, limited_receive, send)
        except BodyTooLarge:
            # Raised while the body is read, so before any answer has begun.
            await self._refuse(scope, send, most_bytes)

    async def _refuse(self, scope: Scope, send: Send, most_bytes: int) -> None:
        megabytes = most_bytes // (1024 * 1024)
        words = f"The request is too large: this server takes at most {megabytes} MB."
        # A browser without scripts shows what it gets.
        is_page = b"text/html" in dict(scope["headers"]).get(b"accept", b"")
        page = render_to_string("413.html", {"words": words}) if is_page else ""
        await refuse(send, 413, words, page=page)


async def refuse(send: Send, status: int, words: str, *, page: str = "") -> None:
    """Answer with a page, or in the form of the API's errors, and hang up."""
    body = (page or json.dumps({"code": status, "msg": words})).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8" if page else b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
