"""A guard in front of the application: no request body is larger than a limit.

Django writes a body to disk before any view sees it, however long it is. The guard
refuses what announces too much, and cuts off what sends too much without announcing.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class BodyTooLarge(Exception):
    """More bytes came than the limit."""


class BodyLimit:
    """Answers 413 to requests whose body is larger than `most_bytes` of their path."""

    def __init__(self, application: Application, *, most_bytes: Callable[[str], int]) -> None:
        self.application = application
        self.most_bytes = most_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most_bytes = self.most_bytes(scope["path"])
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most_bytes:
            await self._refuse(send, most_bytes)
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
            await self._refuse(send, most_bytes)

    async def _refuse(self, send: Send, most_bytes: int) -> None:
        megabytes = most_bytes // (1024 * 1024)
        words = f"The request is too large: this server takes at most {megabytes} MB."
        await refuse(send, 413, words)


async def refuse(send: Send, status: int, words: str) -> None:
    """Answer in the form of the API's errors, and hang up."""
    body = json.dumps({"code": status, "msg": words}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
