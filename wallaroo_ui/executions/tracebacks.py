"""Finding the last Python traceback near the end of a log."""

import re
from collections.abc import Sequence

from wallaroo_ui.executions import ansi
from wallaroo_ui.executions.logstore import LogLine, read_tail
from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.executions.supervisor import OWN_MARK

# No more of a log is looked at.
MOST_BYTES = 1024 * 1024
MOST_LINES = 5000
# A message of many lines is shown up to here.
MOST_MESSAGE_LINES = 40

HEADER = re.compile(r"\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):\s*$")
# Of a script that is no Python, there is no header.
SYNTAX_ERROR_FRAME = re.compile(r'  File ".*", line \d+$')
ERROR = re.compile(r"[A-Za-z_][\w.]*(?::\s|:?$)")
CHAIN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
# Begins a line of a frame, of an exception group, or what is between two tracebacks.
INNER = (" ", "\t", "|", "+")


def last_traceback(spool: Spool) -> tuple[LogLine, ...]:
    """Return the lines of the last traceback near the end of a log; none if there is none."""
    return find_last(read_tail(spool, lines=MOST_LINES, most_bytes=MOST_BYTES).lines)


def error_of(lines: Sequence[LogLine]) -> str:
    """Return the line of a traceback that names the exception; empty for none."""
    texts = [ansi.plain(line.text) for line in lines]
    errors = [text for text in texts if not text.startswith(INNER) and ERROR.match(text)]
    return next((text for text in reversed(errors) if not HEADER.match(text)), "")


def find_last(lines: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """Return the lines of the last traceback, with those that led to it.

    What another stream wrote in between is left out.
    """
    for stream in _streams_latest_first(lines):
        own = [line for line in lines if line.stream == stream and not _is_frame_of_ours(line)]
        texts = [ansi.plain(line.text) for line in own]
        start = _last_start(texts)
        if start is not None:
            return tuple(own[_chain_start(texts, start) : _end(texts, start)])
    return ()


def _streams_latest_first(lines: Sequence[LogLine]) -> list[str]:
    """Return the streams with a traceback, the one whose traceback begins last first."""
    latest: dict[str, int] = {}
    for position, line in enumerate(lines):
        text = ansi.plain(line.text)
        if HEADER.match(text) or SYNTAX_ERROR_FRAME.match(text):
            latest[line.stream] = position
    return sorted(latest, key=lambda stream: latest[stream], reverse=True)


def _is_frame_of_ours(line: LogLine) -> bool:
    return line.text.startswith(OWN_MARK.decode())


def _last_start(texts: Sequence[str]) -> int | None:
    """Return where the last traceback begins: at its header, or at the place of a syntax error."""
    for opening in (HEADER, SYNTAX_ERROR_FRAME):
        for position in range(len(texts) - 1, -1, -1):
            if opening.match(texts[position]):
                return position
    return None


def _chain_start(texts: Sequence[str], start: int) -> int:
    """Go back over the tracebacks that a last one followed from."""
    position = start - 1
    while position > 0:
        while position > 0 and not texts[position].strip():
            position -= 1
        if texts[position].strip() not in CHAIN:
            break
        while position > 0 and not HEADER.match(texts[position]):
            position -= 1
        if not HEADER.match(texts[position]):
            break
        start = position
        position -= 1
    return start


def _end(texts: Sequence[str], start: int) -> int:
    """Return the position after the last line of the exception's message."""
    position = start + 1
    while position < len(texts) and (not texts[position] or texts[position].startswith(INNER)):
        position += 1
    is_group = texts[start].startswith(INNER) and "+" in texts[start]
    if is_group or position == len(texts) or not ERROR.match(texts[position]):
        return position  # Indented up to its end; or it was cut off.
    most = min(len(texts), position + MOST_MESSAGE_LINES)
    position += 1
    # A message may have more lines; an empty one ends it.
    while position < most and texts[position].strip():
        position += 1
    return position
