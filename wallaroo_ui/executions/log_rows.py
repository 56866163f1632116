"""The rows of a log as HTML.

Not a template: a window has hundreds of them, a stream writes them many times a second, and
a template takes ten times as long.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from wallaroo_ui.executions import ansi
from wallaroo_ui.executions.logstore import LogLine
from wallaroo_ui.executions.supervisor import OWN_MARK

FRAME: Final = OWN_MARK.decode()
STDERR: Final = '<span class="log-stream">stderr </span>'


def rows(
    lines: Iterable[LogLine], *, marked: str = "", chosen: Collection[int] = (), link: str = ""
) -> SafeString:
    """Return lines as rows, without white space between them.

    Args:
        lines: of one window.
        marked: what was looked for.
        chosen: the numbers of the lines that the reader was sent to.
        link: the beginning of the address of a line; its number is added, twice.
    """
    html = "".join(
        _row(line, marked=marked, is_chosen=line.number in chosen, link=link) for line in lines
    )
    return mark_safe(html)  # noqa: S308 (each row escapes what it shows)


def _row(line: LogLine, *, marked: str, is_chosen: bool, link: str) -> str:
    number = line.number
    flags = "".join(
        name
        for name, is_on in (
            (" data-partial", line.is_partial),
            (" data-frame", line.text.startswith(FRAME)),
            (" data-chosen", is_chosen),
        )
        if is_on
    )
    href = escape(f"{link}{number}#L{number}" if link else f"#L{number}")
    return (
        f'<div class="log-row" id="L{number}" data-stream="{escape(line.stream)}"{flags}>'
        f'<a class="log-number" href="{href}" tabindex="-1">{number}</a>'
        f"{_time(line.time)}"
        f'<span class="log-text">{STDERR if line.stream == "stderr" else ""}'
        f"{ansi.to_html(line.text, marked=marked)}</span></div>"
    )


def _time(value: datetime) -> str:
    """Show the time of day to the millisecond, in UTC; log.js turns it into the reader's own."""
    stamp = value.isoformat(timespec="milliseconds")
    return f'<time class="log-time" datetime="{stamp}">{stamp[11:23]}</time>'
