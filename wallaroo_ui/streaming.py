"""Sending files of any size, a piece at a time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any

from django.core.files import File
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

PIECE_BYTES = 256 * 1024


def stream_file(
    request: HttpRequest,
    file: IO[bytes] | File[Any] | None,
    *,
    file_name: str,
    content_type: str = "application/octet-stream",
) -> StreamingHttpResponse:
    """Answer with a file, to be saved and not opened by the browser.

    Under ASGI Django would read a plain iterator to its end before it sends a byte:
    a log of a gigabyte would be in memory as a whole.

    Args:
        request: decides how the pieces are made.
        file: open for reading; closed at the end. None is an empty file.
        file_name: offered for saving.
        content_type: what the browser is told.
    """
    pieces: Iterator[bytes] | AsyncIterator[bytes]
    pieces = _async_pieces(file) if isinstance(request, ASGIRequest) else _pieces(file)
    response = StreamingHttpResponse(pieces, content_type=content_type)
    disposition = content_disposition_header(as_attachment=True, filename=file_name)
    response["Content-Disposition"] = disposition or "attachment"
    return response


def _pieces(file: IO[bytes] | File[Any] | None) -> Iterator[bytes]:
    if file is None:
        return
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def _async_pieces(file: IO[bytes] | File[Any] | None) -> AsyncIterator[bytes]:
    if file is None:
        return
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
