"""A guard in front of the application: whoever names a character set names UTF-8.

Django reads the fields of a multipart form in the character set that its sender names. It fails
over those that are not for text, and others let half characters in, which nothing can keep.
"""

import codecs
from collections.abc import MutableMapping
from typing import Any

from django.utils.http import parse_header_parameters

from wallaroo_ui.body_limit import Application, Receive, Send, refuse


class Utf8Only:
    """Answers 415 to requests in other character sets."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and not _is_utf8(scope["headers"]):
            await refuse(send, 415, "Content-Type: send UTF-8, and name no other character set.")
            return
        await self.application(scope, receive, send)


def _is_utf8(headers: list[tuple[bytes, bytes]]) -> bool:
    # Several are joined, as Django does it.
    text = b",".join(value for name, value in headers if name == b"content-type")
    try:
        _, parameters = parse_header_parameters(text.decode("latin-1"))
        return codecs.lookup(parameters.get("charset", "utf-8")).name == "utf-8"
    except (LookupError, ValueError):
        return False
