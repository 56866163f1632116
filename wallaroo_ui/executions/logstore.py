"""Reading logs: the tail, what came since, a window anywhere.

The one place that knows where a log lives: today, in the file that the supervisor
writes. No read costs more than a window, whatever the size of the log.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.executions.supervisor import INDEX_ENTRY_BYTES, OWN_MARK

BLOCK_BYTES = 64 * 1024
# No window is larger, however long its lines are, so a page stays quick.
WINDOW_BYTES = 256 * 1024
WINDOW_LINES = 500
# What a program gets at once of a log as it is kept.
ENTRIES_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line, or one part of a line that was too long for one entry.

    Attributes:
        is_partial: the line goes on in the next entry of the same stream.
    """

    number: int
    time: datetime
    stream: str
    is_partial: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class LogSize:
    """How long a log is."""

    lines: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class LogWindow:
    """Neighbouring lines of a log.

    Attributes:
        skipped: how many lines lie between what the reader had and this window.
        end_offset: the byte after the last line; where to go on reading.
    """

    lines: tuple[LogLine, ...] = ()
    skipped: int = 0
    end_offset: int = 0

    @property
    def first(self) -> int:
        """Return the number of its first line; 0 if it has none."""
        return self.lines[0].number if self.lines else 0

    @property
    def last(self) -> int:
        """Return the number of its last line; 0 if it has none."""
        return self.lines[-1].number if self.lines else 0


def read_tail(
    spool: Spool, *, lines: int = WINDOW_LINES, most_bytes: int = WINDOW_BYTES
) -> LogWindow:
    """Return the end of the log."""
    return read_after(spool, 0, lines=lines, most_bytes=most_bytes)


def read_after(
    spool: Spool, offset: int, *, lines: int = WINDOW_LINES, most_bytes: int = WINDOW_BYTES
) -> LogWindow:
    """Return what was written after a byte offset, from its end: the newest lines.

    Args:
        spool: of the execution.
        offset: the `end_offset` of an earlier window, or 0.
        lines: how many at the most; the rest counts as `skipped`.
        most_bytes: how much of the log at the most.
    """
    try:
        file = spool.log.open("rb")
    except FileNotFoundError:
        return LogWindow()
    with file:
        end = end_of_last_line(file)
        offset = next_line_start(file, min(max(offset, 0), end))
        if offset == end:
            return LogWindow(end_offset=end)
        start = max(offset, _start_of_last_lines(file, end, lines=lines, most_bytes=most_bytes))
        file.seek(start)
        data = file.read(end - start)
        first = line_number_at(spool, file, start)
        skipped = first - line_number_at(spool, file, offset) if start > offset else 0
    return LogWindow(lines=tuple(_parse(data, first)), skipped=skipped, end_offset=end)


def read_lines(spool: Spool, first: int, *, lines: int = WINDOW_LINES) -> LogWindow:
    """Return the lines from a number on, counted from 1; nothing beyond the end.

    Args:
        spool: of the execution.
        first: the number of the first line.
        lines: how many at the most; fewer where they are long.
    """
    try:
        file = spool.log.open("rb")
    except FileNotFoundError:
        return LogWindow()
    with file:
        end = end_of_last_line(file)
        first = max(first, 1)
        start = _offset_of_line(spool, file, first, end)
        file.seek(start)
        data = file.read(min(WINDOW_BYTES, end - start))
    data = data[: _after_newlines(data, lines)]
    return LogWindow(lines=tuple(_parse(data, first)), end_offset=start + len(data))


def read_lines_before(spool: Spool, line: int, *, lines: int = WINDOW_LINES) -> LogWindow:
    """Return the lines that end just before a number, as many as fit into a window."""
    try:
        file = spool.log.open("rb")
    except FileNotFoundError:
        return LogWindow()
    with file:
        end = _offset_of_line(spool, file, max(line, 1), end_of_last_line(file))
        start = _start_of_last_lines(file, end, lines=lines)
        file.seek(start)
        data = file.read(end - start)
        first = line_number_at(spool, file, start)
    return LogWindow(lines=tuple(_parse(data, first)), end_offset=end)


def tail_entries(spool: Spool, *, lines: int | None = None) -> list[str]:
    """Return the end of the log as it is kept, an entry a line: `TIME STREAM F|P TEXT`.

    Args:
        spool: of the execution.
        lines: how many at the most; None for all that fit into `ENTRIES_BYTES`.
    """
    try:
        file = spool.log.open("rb")
    except FileNotFoundError:
        return []
    with file:
        end = end_of_last_line(file)
        most = end if lines is None else lines  # No log has more lines than bytes.
        start = _start_of_last_lines(file, end, lines=most, most_bytes=ENTRIES_BYTES)
        file.seek(start)
        data = file.read(end - start)
    return [raw.decode("utf-8", "backslashreplace") for raw in data.split(b"\n")[:-1]]


def measure(spool: Spool) -> LogSize:
    """Return how much there is, by now, of a log that may still grow."""
    try:
        file = spool.log.open("rb")
    except FileNotFoundError:
        return LogSize(lines=0, bytes=0)
    with file:
        end = end_of_last_line(file)
        return LogSize(lines=line_number_at(spool, file, end) - 1, bytes=end)


def tail_text(spool: Spool, *, lines: int = 20, most_bytes: int = 4096) -> str:
    """Return the messages of the last lines, for a list or a database row."""
    window = read_tail(spool, lines=lines)
    text = "\n".join(line.text for line in window.lines).encode()
    return text[-most_bytes:].decode(errors="ignore")


def append_note(spool: Spool, text: str, *, at: datetime) -> None:
    """Write a last line of ours to a log that no supervisor writes any more."""
    try:
        file = spool.log.open("r+b")
    except FileNotFoundError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = b"" if file.read(1) in {b"", b"\n"} else b"\n"
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        words = " ".join(text.split())
        file.write(torn + f"{stamp} stdout F ".encode() + OWN_MARK + words.encode() + b"\n")


def next_line_start(file: IO[bytes], offset: int) -> int:
    """Return the offset itself where a line starts, else where the next one does."""
    if offset == 0:
        return 0
    file.seek(offset - 1)
    file.readline()
    return file.tell()


def end_of_last_line(file: IO[bytes]) -> int:
    """Return the offset after the last newline: a line that is being written is not there."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _start_of_last_lines(
    file: IO[bytes], end: int, *, lines: int, most_bytes: int = WINDOW_BYTES
) -> int:
    """Return where the last `lines` lines begin, or as many as fit into a window."""
    lowest = max(0, end - most_bytes)
    file.seek(lowest)
    data = file.read(end - lowest)
    position = len(data)
    start = len(data)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, max(0, position - 1))
        if position < 0:
            # The window's first bytes are a whole line only at the log's beginning.
            return 0 if lowest == 0 else lowest + start
        position += 1
        start = position
    return lowest + start


def _after_newlines(data: bytes, count: int) -> int:
    """Return the position after so many newlines, or after the last one there is."""
    position = 0
    for _ in range(count):
        newline = data.find(b"\n", position)
        if newline < 0:
            break
        position = newline + 1
    return position


def _offset_of_line(spool: Spool, file: IO[bytes], line: int, end: int) -> int:
    """Return where a line, counted from 1, begins; `end` if there are not so many."""
    before, start = _index_entry_before(spool, line - 1, key=0)
    missing = line - 1 - before
    while missing and start < end:
        file.seek(start)
        block = file.read(min(BLOCK_BYTES, end - start))
        if not block:  # It was deleted, or cut, meanwhile.
            break
        count = block.count(b"\n")
        if count >= missing:
            return start + _after_newlines(block, missing)
        missing -= count
        start += len(block)
    return min(start, end)


def line_number_at(spool: Spool, file: IO[bytes], offset: int) -> int:
    """Return the number, from 1, of the line that begins at a byte offset."""
    line, start = _index_entry_before(spool, offset, key=1)
    file.seek(start)
    while start < offset:
        block = file.read(min(BLOCK_BYTES, offset - start))
        if not block:
            break
        line += block.count(b"\n")
        start += len(block)
    return line + 1


def _index_entry_before(spool: Spool, value: int, *, key: int) -> tuple[int, int]:
    """Return line (from 0) and offset of the last index entry at or before a place.

    Args:
        spool: of the execution.
        value: the place: a line where `key` is 0, an offset where it is 1.
        key: which of the two is compared.
    """
    try:
        index = spool.index.open("rb")
    except FileNotFoundError:
        return 0, 0
    with index:
        low, high = 0, index.seek(0, os.SEEK_END) // INDEX_ENTRY_BYTES
        best = (0, 0)
        while low < high:
            middle = (low + high) // 2
            index.seek(middle * INDEX_ENTRY_BYTES)
            entry = index.read(INDEX_ENTRY_BYTES)
            line = int.from_bytes(entry[:8], "little")
            start = int.from_bytes(entry[8:16], "little")
            if (line, start)[key] <= value:
                best, low = (line, start), middle + 1
            else:
                high = middle
    return best


def _parse(data: bytes, first: int) -> Iterator[LogLine]:
    """Yield the lines of a piece of log: `TIME STREAM F|P TEXT`."""
    for number, raw in enumerate(data.split(b"\n")[:-1], start=first):
        try:
            stamp, stream, mark, text = raw.split(b" ", 3)
            # Nanoseconds are more than a datetime holds.
            time = datetime.fromisoformat(stamp[:26].decode()).replace(tzinfo=UTC)
        except ValueError:  # What a disk made of it as its host died.
            continue
        # Output in another encoding is shown, its strange bytes as \x..; the file keeps it.
        # So is NUL, which PostgreSQL refuses in a text.
        shown = text.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        yield LogLine(
            number=number,
            time=time,
            stream=stream.decode(errors="replace"),
            is_partial=mark == b"P",
            text=shown,
        )
