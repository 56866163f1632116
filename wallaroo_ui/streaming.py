"""Sending files of any size, a piece at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import IO, Any

from django.core.files import File
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

PIECE_BYTES = 256 * 1024

Opener = Callable[[], IO[bytes] | File[Any]]


def stream_file(
    request: HttpRequest,
    open_file: Opener,
    *,
    file_name: str,
    content_type: str = "application/octet-stream",
) -> StreamingHttpResponse:
    """Answer with a file, to be saved and not opened by the browser.

    Under ASGI Django would read a plain iterator to its end before it sends a byte:
    a log of a gigabyte would be in memory as a whole.

    Args:
        request: decides how the pieces are made.
        open_file: called once the answer is on its way, so that a reader who leaves
            before leaves no open file; a file that is not there is an empty one.
        file_name: offered for saving.
        content_type: what the browser is told.
    """
    pieces: Iterator[bytes] | AsyncIterator[bytes]
    pieces = _async_pieces(open_file) if isinstance(request, ASGIRequest) else _pieces(open_file)
    response = StreamingHttpResponse(pieces, content_type=content_type)
    disposition = content_disposition_header(as_attachment=True, filename=file_name)
    response["Content-Disposition"] = disposition or "attachment"
    return response


def _pieces(open_file: Opener) -> Iterator[bytes]:
    try:
        file = open_file()
    except FileNotFoundError:
        return
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def _async_pieces(open_file: Opener) -> AsyncIterator[bytes]:
    try:
        file = await asyncio.to_thread(open_file)
    except FileNotFoundError:
        return
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
