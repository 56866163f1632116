"""How times, durations, statuses and icons look. Built in to every template."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from wallaroo_ui.executions import ansi
from wallaroo_ui.executions.log_rows import rows
from wallaroo_ui.executions.logstore import LogWindow
from wallaroo_ui.executions.models import Status

if TYPE_CHECKING:
    from tasks.models import TaskRun

register = template.Library()

NOTHING: Final = "—"
NO_RUNS: Final = mark_safe('<span class="soft">No runs yet</span>')
# A date so near needs no year: nobody takes it for the one before or after. Also in app.js.
YEAR_UNSAID: Final = timedelta(days=300)

# Drawn on a 16 by 16 grid with a line of 1.5, so that they sit well beside text.
ICONS: Final[dict[str, str]] = {
    "archive": '<path d="M2.5 5.5h11v7a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1z"/>'
    '<path d="M2 2.5h12v3H2zM6.5 8.5h3"/>',
    "bolt": '<path d="M9 1.75 3.5 9H8l-1 5.25L12.5 7H8z"/>',
    "box": '<path d="M8 1.75 13.5 5v6L8 14.25 2.5 11V5z"/>'
    '<path d="M2.5 5 8 8.25 13.5 5M8 8.25v6"/>',
    "check": '<path d="m3 8.5 3.25 3.25L13 4.75"/>',
    "check-circle": '<circle cx="8" cy="8" r="6.25"/><path d="m5.25 8.25 2 2 3.5-4.25"/>',
    "chevron": '<path d="m4 6 4 4 4-4"/>',
    "chevron-left": '<path d="m10 4-4 4 4 4"/>',
    "chevron-right": '<path d="m6 4 4 4-4 4"/>',
    "clock": '<circle cx="8" cy="8" r="6.25"/><path d="M8 4.5V8l2.25 1.75"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/>'
    '<path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5"/>',
    "cross": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "cross-circle": '<circle cx="8" cy="8" r="6.25"/><path d="m5.75 5.75 4.5 4.5m0-4.5-4.5 4.5"/>',
    "dot": '<circle cx="8" cy="8" r="3.5" fill="currentColor" stroke="none"/>',
    "down": '<path d="M8 2.75v10.5M3.75 9 8 13.25 12.25 9"/>',
    "download": '<path d="M8 2.25v8M4.75 7.25 8 10.5l3.25-3.25M2.5 13.5h11"/>',
    "external": '<path d="M9.5 2.5h4v4M13.5 2.5l-6 6"/>'
    '<path d="M6.5 3.5H4A1.5 1.5 0 0 0 2.5 5v7A1.5 1.5 0 0 0 4 13.5h7a1.5 1.5 0 0 0 1.5-1.5V9.5"/>',
    "eye": '<path d="M1.75 8C3 5.25 5.25 3.75 8 3.75S13 5.25 14.25 8'
    'C13 10.75 10.75 12.25 8 12.25S3 10.75 1.75 8z"/>'
    '<circle cx="8" cy="8" r="2"/>',
    "eye-closed": '<path d="M1.75 6.25C3 8.75 5.25 10 8 10s5-1.25 6.25-3.75"/>'
    '<path d="M8 10v2.5M4.25 9.25 3 11.25M11.75 9.25 13 11.25"/>',
    "infinity": '<path d="M8 8C6.7 6 5.6 5 4.3 5a3 3 0 0 0 0 6C5.6 11 6.7 10 8 8'
    's2.4-3 3.7-3a3 3 0 0 1 0 6C10.4 11 9.3 10 8 8z"/>',
    "key": '<circle cx="5" cy="11" r="2.75"/><path d="m7 9 6-6M10.5 5.5l2 2M13 3l.75.75"/>',
    "pause": '<path d="M5.75 3.5v9M10.25 3.5v9"/>',
    "pencil": '<path d="m10.5 3 2.5 2.5-7.25 7.25-3 .5.5-3z"/>',
    "person": '<circle cx="8" cy="5.25" r="2.75"/><path d="M2.75 13.75a5.25 5.25 0 0 1 10.5 0"/>',
    "play": '<path d="M5 3.25v9.5L12.75 8z"/>',
    "plug": '<path d="M5.75 1.75v3.5M10.25 1.75v3.5M3.75 5.25h8.5v2a4.25 4.25 0 0 1-8.5 0z"/>'
    '<path d="M8 11.5v2.75"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "question": '<circle cx="8" cy="8" r="6.25"/>'
    '<path d="M6.25 6.25A1.75 1.75 0 1 1 8.6 7.9c-.4.15-.6.45-.6.85v.25M8 11.25v.01"/>',
    "repeat": '<path d="M13.25 8A5.25 5.25 0 1 1 11.4 4l1.85 1.6"/><path d="M13.25 2.25V5.6H9.9"/>',
    "ring": '<circle cx="8" cy="8" r="4.25"/>',
    "search": '<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.25 3.25"/>',
    "sort-down": '<path d="m4.5 6.5 3.5 3.5 3.5-3.5"/>',
    "sort-up": '<path d="m4.5 9.5 3.5-3.5 3.5 3.5"/>',
    "spinner": '<circle cx="8" cy="8" r="6.25" opacity=".25"/>'
    '<path d="M8 1.75A6.25 6.25 0 0 1 14.25 8"/>',
    "stop": '<circle cx="8" cy="8" r="6.25"/>'
    '<rect x="5.75" y="5.75" width="4.5" height="4.5" rx=".5" fill="currentColor" stroke="none"/>',
    "timer": '<circle cx="8" cy="9" r="5.25"/><path d="M6.25 1.25h3.5M8 6v3M12 4l1-1"/>',
    "trash": '<path d="M2.5 4.25h11M6 4.25v-2h4v2M4 4.25l.6 9.5h6.8l.6-9.5M6.75 7v4M9.25 7v4"/>',
    "up": '<path d="M8 13.25V2.75M3.75 7 8 2.75 12.25 7"/>',
    "upload": '<path d="M8 10.75v-8M4.75 5.5 8 2.25l3.25 3.25M2.5 13.5h11"/>',
    "warning": '<path d="M8 2 14.5 13.5h-13z"/><path d="M8 6.5v3M8 11.5v.01"/>',
}

STATUS_ICONS: Final = {
    "queued": "clock",
    "starting": "spinner",
    "running": "spinner",
    "success": "check-circle",
    "failure": "cross-circle",
    "timed_out": "timer",
    "killed": "stop",
    "lost": "question",
    "pending_packaging": "clock",
    "packaging": "spinner",
    "ready": "check-circle",
    "error": "cross-circle",
    "active": "dot",
    "inactive": "ring",
    "paused": "pause",
    "pending_kill": "spinner",
    "crash_loop": "warning",
    "broken": "warning",
    "finished": "check",
}

# Of a tab, where there is room for little more than a colour.
FAVICONS: Final = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "lost": "failure",
    "killed": "stopped",
}

KIND_ICONS: Final = {"once": "bolt", "scheduled": "repeat", "continuous": "infinity"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of our own. It is decoration: a word always stands beside it."""
    return format_html(
        '<svg class="icon" data-icon="{}" viewBox="0 0 16 16" width="16" height="16" fill="none"'
        ' stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"'
        ' aria-hidden="true" focusable="false">{}</svg>',
        name,
        mark_safe(ICONS[name]),  # noqa: S308 (the fixed table above)
    )


@register.filter
def kind_icon(kind: object) -> str:
    """Return the icon of a kind of task, for forms, where there is no task to ask."""
    return KIND_ICONS.get(str(kind), "dot")


@register.simple_tag
def status_badge(status: str, label: str) -> SafeString:
    """Show a status as icon and word; its colour only helps."""
    return format_html(
        '<span class="status" data-status="{}">{}{}</span>',
        status,
        icon(STATUS_ICONS.get(status, "dot")),
        label,
    )


@register.simple_tag
def run_strip(runs: "Sequence[TaskRun]") -> SafeString:
    """Show the newest runs, the latest last, as marks to look at and click; and say them in words.

    Made here and not in a template: a list has hundreds of marks.

    Args:
        runs: the newest first.
    """
    if not runs:
        return NO_RUNS
    marks = "".join(map(_mark, reversed(runs)))
    return format_html(
        '<span class="strip" aria-hidden="true">{}</span><span class="visually-hidden">{}</span>',
        mark_safe(marks),  # noqa: S308 (nothing in them is anybody's text)
        _strip_words(runs),
    )


def _mark(run: "TaskRun") -> str:
    moment = (run.started_at or run.queued_at).astimezone(UTC)
    took = "" if run.duration is None else f", {duration(run.duration)}"
    title = f"{_status_word(run)}, {moment.day} {moment:%b %H:%M} UTC{took}"
    return (
        f'<a class="mark-of-run" tabindex="-1" href="{run.get_absolute_url()}"'
        f' data-status="{run.status}" title="{title}"></a>'
    )


def _status_word(run: "TaskRun") -> str:
    # Django's own way goes through all choices each time: a tenth of a list's whole cost.
    return Status(run.status).label


def _strip_words(runs: "Sequence[TaskRun]") -> str:
    counts = Counter(map(_status_word, runs))
    each = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    latest = _status_word(runs[0])
    return (
        f"{len(runs)} runs: {each}. The latest: {latest}." if len(runs) > 1 else f"1 run: {each}."
    )


@register.simple_tag
def local_time(value: datetime | None) -> SafeString | str:
    """Show a moment in the active time zone; app.js turns it into the reader's own."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        _full_utc(value),
        f"{local.day} {local:%b %Y, %H:%M:%S %Z}",
    )


@register.simple_tag
def wall_time(value: datetime | None, zone: tzinfo | None = None) -> SafeString | str:
    """Show what the clock of a zone says at a moment, to the minute; of UTC if none is given."""
    if value is None:
        return NOTHING
    wall = value.astimezone(zone or UTC)
    return format_html('<time datetime="{}">{}</time>', wall.isoformat(), _to_the_minute(wall))


@register.simple_tag
def reader_time(value: datetime) -> SafeString:
    """Show a moment to the minute in the active zone; app.js turns it into the reader's own."""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}" data-short>{}</time>',
        local.isoformat(),
        _full_utc(value),
        f"{_to_the_minute(local)}\N{NO-BREAK SPACE}{local:%Z}",
    )


def _to_the_minute(wall: datetime) -> str:
    """Say a moment so that a line breaks between its date and its time only."""
    year = f" {wall.year}" if abs(wall - timezone.now()) > YEAR_UNSAID else ""
    date = f"{wall:%a} {wall.day} {wall:%b}{year}".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{date}, {wall:%H:%M}"


@register.filter
def place(zone_name: str) -> str:
    """Say in short which zone it is: Berlin for Europe/Berlin."""
    return zone_name.rpartition("/")[2].replace("_", " ")


@register.simple_tag
def log_rows(
    window: LogWindow, link: str = "", marked: str = "", chosen: Collection[int] = ()
) -> SafeString:
    """Show the lines of a window of a log."""
    return rows(window.lines, link=link, marked=marked, chosen=chosen)


@register.filter
def terminal(text: str) -> SafeString:
    """Show a line as a terminal would: with its colours, without its control characters."""
    return ansi.to_html(text)


@register.simple_tag
def status_favicon(status: str) -> str:
    """Return the address of the browser tab's icon for a status."""
    return static(f"img/run-{FAVICONS.get(status, 'going')}.svg")


def _full_utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Say how long something took in at most two units. A bare number is seconds."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    seconds = max(seconds, 0.0)  # Clocks of two hosts may disagree by a little.
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    tenths = round(seconds * 10)
    if tenths < 600:
        return f"{tenths / 10:g} s"
    whole = round(seconds)
    if whole < 3600:
        return _two_units(whole, 60, "min", "s")
    if whole < 86_400:
        return _two_units(whole // 60, 60, "h", "min")
    return _two_units(whole // 3600, 24, "d", "h")


def _two_units(amount: int, ratio: int, big: str, small: str) -> str:
    whole, rest = divmod(amount, ratio)
    return f"{whole} {big} {rest} {small}" if rest else f"{whole} {big}"


@register.filter
def ago(value: datetime | None, at: datetime) -> str:
    """Say how long before `at` something was."""
    if value is None:
        return "Never"
    return f"{duration(round(max((at - value).total_seconds(), 0)))} ago".replace("0 ms", "0 s")


@register.filter
def thousands(value: int | None) -> str:
    """Group the digits of a count, so that 1234567 can be read."""
    return NOTHING if value is None else f"{value:,}"
