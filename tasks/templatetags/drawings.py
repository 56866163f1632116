"""The many small parts of a task's drawings.

Made here and not in templates, which take longer for their hundreds of marks than for the rest
of the page.
"""

from django import template
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tasks.charts import Bar, Calendar, Cell, DurationChart

register = template.Library()


@register.simple_tag
def chart_bars(chart: DurationChart) -> SafeString:
    """Draw a bar for each run, which leads to it."""
    return mark_safe("".join(map(_bar, chart.bars)))  # noqa: S308 (texts are escaped below)


def _bar(bar: Bar) -> str:
    status = bar.run.status
    place = f'x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"'
    mark = (
        f'<use class="bar-mark" href="#mark-{status}" data-status="{status}"'
        f' x="{bar.mark_x}" y="{bar.mark_y}"></use>'
        if bar.run.is_finished and status != "success"
        else ""
    )
    address = reverse("tasks:run-detail", args=[bar.run.pk])
    return (
        f'<a class="bar-link" href="{address}" tabindex="-1">'
        f"<title>{escape(bar.label)}, {escape(bar.words)}</title>"
        f'<rect class="bar-column" x="{bar.x}" y="0" width="{bar.width}" height="100%"></rect>'
        f'<rect class="bar" data-status="{status}" {place} rx="1.5"></rect>{mark}</a>'
    )


@register.simple_tag
def calendar_cells(calendar: Calendar) -> SafeString:
    """Draw a cell for each hour in which something ran, or which the clock left out."""
    size = f'width="{calendar.cell_width}" height="{calendar.cell_height}"'
    skipped = (
        f'<rect class="cell-skipped" x="{cell.x}" y="{cell.y}" {size}>'
        f"<title>{escape(cell.words)}</title></rect>"
        for cell in calendar.skipped
    )
    cells = (_cell(cell, size) for cell in calendar.cells)
    return mark_safe("".join([*skipped, *cells]))  # noqa: S308 (texts are escaped)


def _cell(cell: Cell, size: str) -> str:
    failed = "data-failed " if cell.failed else ""
    mark = (
        f'<use class="cell-mark" href="#mark-failed" x="{cell.mark_x}" y="{cell.mark_y}"></use>'
        if cell.failed
        else ""
    )
    return (
        f'<g><title>{escape(cell.words)}</title><rect class="cell" data-level="{cell.level}" '
        f'{failed}x="{cell.x}" y="{cell.y}" {size} rx="1.5"></rect>{mark}</g>'
    )
