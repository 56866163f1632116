"""Sending files of any size, a piece at a time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED

from django.core.files import File
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from zipstream import ZipStream

from wallaroo_ui.byte_ranges import ByteRange

# Set once this process has been asked to end: an answer without an end looks, and ends.
is_closing = threading.Event()

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
    return stream_pieces(
        request, _pieces(open_file), file_name=file_name, content_type=content_type
    )


def stream_range(request: HttpRequest, path: Path, wanted: ByteRange) -> StreamingHttpResponse:
    """Answer with some bytes of a file, as they are when their turn comes.

    The headers are the caller's. A file that has become shorter meanwhile ends the answer
    early, which whoever receives it notices by its length.
    """
    pieces = _pieces_between(path, wanted.start, wanted.stop)
    return StreamingHttpResponse(
        _in_threads(pieces) if isinstance(request, ASGIRequest) else pieces
    )


def stream_zip(
    request: HttpRequest, files: Iterable[tuple[str, Opener]], *, file_name: str
) -> StreamingHttpResponse:
    """Answer with a ZIP of files, packed while it is sent.

    Args:
        request: decides how the pieces are made.
        files: the name of each in the archive, and how it is opened when its turn comes; a
            file that is not there is an empty one.
        file_name: offered for saving.
    """
    packed = ZipStream(compress_type=ZIP_DEFLATED)
    for name, open_file in files:
        packed.add(_pieces(open_file), name)
    return stream_pieces(request, iter(packed), file_name=file_name, content_type="application/zip")


def stream_pieces(
    request: HttpRequest,
    pieces: Iterator[bytes],
    *,
    file_name: str,
    content_type: str = "application/octet-stream",
) -> StreamingHttpResponse:
    """Answer with what is made while it is sent, to be saved and not opened by the browser."""
    response = StreamingHttpResponse(
        _in_threads(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=content_type,
    )
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


def _pieces_between(path: Path, start: int, stop: int) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE_BYTES, stop - start))):
            start += len(piece)
            yield piece


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece in a thread, so that nobody else waits for the disk."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
