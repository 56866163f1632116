"""Which bytes of a file a request asks for. Pure."""

import re
from dataclasses import dataclass

RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


class RangeRefused(Exception):
    """The file has no such bytes."""


@dataclass(frozen=True)
class ByteRange:
    """Neighbouring bytes: from `start` up to, and without, `stop`."""

    start: int
    stop: int

    def header(self, size: int) -> str:
        """Return what `Content-Range` says of it."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def asked_range(header: str, *, size: int) -> ByteRange | None:
    """Return the one range that a `Range` header asks for.

    Args:
        header: as it came.
        size: of the file.

    Returns:
        None for the whole file: what is not understood, or asks for several ranges, is
        ignored, as HTTP has it.

    Raises:
        RangeRefused: it is understood, and lies beyond the end.
    """
    match = RANGE.fullmatch(header)
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":  # The last so many.
        length = min(int(match[2]), size)
        if length == 0:
            raise RangeRefused
        return ByteRange(size - length, size)
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise RangeRefused
    stop = min(int(match[2]) + 1, size) if match[2] else size
    return ByteRange(start, stop)
