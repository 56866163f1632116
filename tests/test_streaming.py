"""Files and archives, sent a piece at a time, in the way of either kind of server."""

import asyncio
import io
import threading
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from wallaroo_ui.streaming import PIECE_BYTES, stream_file, stream_zip


def read_async(response: StreamingHttpResponse) -> list[bytes]:
    async def read() -> list[bytes]:
        pieces = cast("AsyncIterator[bytes]", response.streaming_content)
        return [piece async for piece in pieces]

    assert response.is_async
    return asyncio.run(read())


def test_a_file_comes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (PIECE_BYTES + 1))
    sizes = [PIECE_BYTES, 1]

    response = stream_file(RequestFactory().get("/"), lambda: path.open("rb"), file_name="log")
    assert [len(piece) for piece in list(response)] == sizes
    request = AsyncRequestFactory().get("/")
    response = stream_file(request, lambda: path.open("rb"), file_name="log")
    assert [len(piece) for piece in read_async(response)] == sizes


def test_under_asgi_the_disk_is_read_in_threads(tmp_path: Path) -> None:
    readers = []

    def open_file() -> io.BytesIO:
        readers.append(threading.current_thread())
        return io.BytesIO(b"x")

    read_async(stream_file(AsyncRequestFactory().get("/"), open_file, file_name="log"))

    assert readers != [threading.main_thread()]


def test_an_archive_is_packed_while_it_is_sent(tmp_path: Path) -> None:
    opened = []

    def opener(name: str) -> io.BytesIO:
        opened.append(name)
        return io.BytesIO(name.encode() * 1000)

    request = AsyncRequestFactory().get("/")
    files = [(name, lambda name=name: opener(name)) for name in ("a.log", "b.log")]
    missing = ("c.log", lambda: (tmp_path / "gone").open("rb"))

    response = stream_zip(request, [*files, missing], file_name="logs.zip")

    assert opened == []
    assert response["Content-Type"] == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(b"".join(read_async(response))))
    assert packed.testzip() is None
    assert {name: packed.read(name) for name in packed.namelist()} == {
        "a.log": b"a.log" * 1000,
        "b.log": b"b.log" * 1000,
        "c.log": b"",
    }
