"""Searching a whole log, a block at a time: plain text, in any case.

A hit is a line that shows what is looked for; its time and stream do not count, nor do the
sequences that colour it. What lies across two parts of a line that was too long for one
entry, or across two colours, is not found.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wallaroo_ui.executions import ansi
from wallaroo_ui.executions.logstore import end_of_last_line, line_number_at, next_line_start
from wallaroo_ui.executions.spool import Spool

BLOCK_BYTES = 256 * 1024
# One search reads no more: a log that is larger takes several.
SEARCH_BYTES = 1536 * 1024 * 1024
MOST_HITS = 1000
# Nor does it look at more lines as a terminal would show them.
MOST_DRAWN = 5000
# `TIME STREAM F|P ` before each text.
PREFIXES = tuple(
    f"0000-00-00t00:00:00.000000000z {stream} {mark} ".encode()
    for stream in ("stdout", "stderr")
    for mark in "fp"
)
PREFIX_BYTES = len(PREFIXES[0])
# What a list shows of a hit.
SHOWN_BYTES = 300
SHOWN_BEFORE = 60


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A line that holds what was looked for.

    Attributes:
        line: its number, from 1.
        offset: where it begins, in bytes.
        text: of it, what lies around the hit.
    """

    line: int
    offset: int
    text: str


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What was found.

    Attributes:
        next_offset: where to go on; None when the whole log was searched.
        end: how long the log was; when it has grown, a search goes on from there.
    """

    hits: tuple[Hit, ...] = ()
    next_offset: int | None = None
    end: int = 0


def search(
    spool: Spool,
    text: str,
    *,
    start: int = 0,
    most_hits: int = MOST_HITS,
    most_bytes: int = SEARCH_BYTES,
) -> SearchResult:
    """Look for a text from a byte offset on.

    Args:
        spool: of the execution.
        text: what is looked for; nothing is found for an empty one.
        start: the `next_offset` or `end` of an earlier search, or 0.
        most_hits: the search stops after so many.
        most_bytes: and after so much.
    """
    needles = _spellings(text)
    try:
        file = spool.log.open("rb", buffering=0)
    except FileNotFoundError:
        return SearchResult()
    hits: list[Hit] = []
    drawn = 0
    with file:
        end = end_of_last_line(file)
        offset = next_line_start(file, min(max(start, 0), end)) if needles else end
        last = min(end, offset + most_bytes)
        while offset < last:
            file.seek(offset)
            block = file.read(min(BLOCK_BYTES, end - offset))
            size = block.rfind(b"\n") + 1
            if not size:  # No line of ours is as long as a block; or the log was cut meanwhile.
                offset = offset + len(block) if block else end
                continue
            found = list(_lines_with(needles, block[:size].lower()))
            if found:
                first = line_number_at(spool, file, offset)
                for index, position, at in found:
                    if len(hits) == most_hits or drawn == MOST_DRAWN:
                        return SearchResult(
                            hits=tuple(hits), next_offset=offset + position, end=end
                        )
                    line = block[position + PREFIX_BYTES : block.find(b"\n", position)]
                    line_text = line.decode("utf-8", "replace")
                    if ansi.SPECIAL.search(line_text):
                        drawn += 1
                        if not _shows(line_text, needles):
                            continue
                    hits.append(
                        Hit(
                            line=first + index,
                            offset=offset + position,
                            text=_around(block, position, at),
                        )
                    )
            offset += size
    return SearchResult(hits=tuple(hits), next_offset=offset if offset < end else None, end=end)


def _spellings(text: str) -> Sequence[bytes]:
    """Return the bytes to look for in a block in lower case, which knows A to Z only."""
    line = " ".join(text.splitlines())
    spellings = {line.lower(), line.upper(), line.title()}
    return sorted({each.encode(errors="replace").lower() for each in spellings if each})


def _lines_with(needles: Sequence[bytes], block: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield index and position of each line with a hit, and the hit's own position."""
    if any(_may_be_in_prefix(needle) for needle in needles):
        yield from _lines_with_in_text(needles, block)
        return
    index = counted = position = 0
    while (at := _first(needles, block, position)) >= 0:
        start = block.rfind(b"\n", 0, at) + 1
        if at < start + PREFIX_BYTES:  # It begins in the prefix and goes on in the text.
            position = start + PREFIX_BYTES
            continue
        index += block.count(b"\n", counted, start)
        counted = start
        yield index, start, at
        position = block.find(b"\n", at) + 1


def _lines_with_in_text(needles: Sequence[bytes], block: bytes) -> Iterator[tuple[int, int, int]]:
    """Do the same for what every prefix may hold: a part of a time, for one.

    To look at each of millions of prefixes would take too long, so they are cut off first.
    """
    rows = block.split(b"\n")
    texts = b"\n".join([row[PREFIX_BYTES:] for row in rows])
    index = start = counted = position = 0
    while (at := _first(needles, texts, position)) >= 0:
        passed = texts.count(b"\n", counted, at)
        start += sum(len(row) + 1 for row in rows[index : index + passed])
        index += passed
        line_start = texts.rfind(b"\n", 0, at) + 1
        yield index, start, start + PREFIX_BYTES + at - line_start
        counted = at
        position = texts.find(b"\n", at) + 1
        if not position:
            return


def _shows(text: str, needles: Sequence[bytes]) -> bool:
    """Tell whether a terminal shows one of the needles in a line with sequences in it."""
    shown = ansi.plain(text).encode().lower()
    return any(needle in shown for needle in needles)


def _first(needles: Sequence[bytes], block: bytes, position: int) -> int:
    found = [at for needle in needles if (at := block.find(needle, position)) >= 0]
    return min(found, default=-1)


def _may_be_in_prefix(needle: bytes) -> bool:
    like = re.sub(rb"[0-9]", b"0", needle)
    return any(like in prefix for prefix in PREFIXES)


def _around(block: bytes, position: int, at: int) -> str:
    """Return the text of a line around a hit."""
    start = max(position + PREFIX_BYTES, at - SHOWN_BEFORE)
    end = min(block.find(b"\n", at), start + SHOWN_BYTES)
    return block[start:end].decode("utf-8", "replace").replace("\0", "\\x00")
