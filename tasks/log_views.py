"""A run's log: windows of it, a search over it, a stream of what is written, all of it."""

import re
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, JsonResponse, QueryDict, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_safe

from tasks.log_stream import as_json, follow
from tasks.models import TaskRun
from wallaroo_ui.executions import log_search, logstore
from wallaroo_ui.executions.http import log_response
from wallaroo_ui.executions.logstore import WINDOW_LINES, LogWindow
from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.workspaces.access import visible_or_404

# The page comes with fewer than a window, so that it is light.
PAGE_LINES = 200
# Of a search without scripts; the page's script takes all that one search finds.
HITS_SHOWN = 100
LONGEST_SEARCH = 500
# How many lines stand above the one that was asked for.
LINES_ABOVE = 20
LINES = re.compile(r"L?(\d{1,15})(?:-L?(\d{1,15}))?")


def log_context(run: TaskRun, query: QueryDict) -> dict[str, Any]:
    """Return what the page of a run shows of its log; it works without scripts.

    Args:
        run: whose log it is.
        query: `line` (a number, or two with a dash) or `first` choose the window, `q` is
            searched for, from the byte offset `from` on.
    """
    size = logstore.measure(run.spool)
    window = _window(run.spool, query, lines=PAGE_LINES)
    text = query.get("q", "")[:LONGEST_SEARCH].strip()
    context = {
        "log": window,
        "log_size": size,
        "log_link": line_link(run),
        "log_middle": max(1, size.lines // 2),
        "log_earlier": max(1, window.first - PAGE_LINES) if window.first > 1 else None,
        "log_later": window.last + 1 if 0 < window.last < size.lines else None,
        "chosen_lines": _chosen(query),
        "is_log_at_end": not (query.get("line") or query.get("first") or text),
        "search_text": text,
    }
    if text:
        start = _number(query, "from") or 0
        context["search"] = log_search.search(run.spool, text, start=start, most_hits=HITS_SHOWN)
    return context


def line_link(run: TaskRun) -> str:
    """Return the beginning of the address of a line: its number follows."""
    return f"{run.get_absolute_url()}?line="


@require_safe
@login_required
def run_log(request: AuthenticatedRequest, pk: UUID) -> JsonResponse:
    """Give the page's script a window: around `line`, `first` on, `before`, `after` an offset."""
    run = _visible_run(request, pk)
    # The run is read before its log: what it wrote last is then in a finished run's lines.
    # And the size before the window: one that reaches the end must not seem to be behind it.
    total = logstore.measure(run.spool).lines
    window = _window(run.spool, request.GET, lines=WINDOW_LINES)
    state = {"total": total, "status": run.status, "finished": run.is_finished}
    return JsonResponse(as_json(window, link=line_link(run)) | state)


@require_safe
@login_required
def run_log_search(request: AuthenticatedRequest, pk: UUID) -> JsonResponse:
    """Give the page's script the lines that hold `q`, from the byte offset `from` on."""
    run = _visible_run(request, pk)
    text = request.GET.get("q", "")[:LONGEST_SEARCH].strip()
    found = log_search.search(run.spool, text, start=_number(request.GET, "from") or 0)
    return JsonResponse(
        {
            "hits": [hit.line for hit in found.hits],
            "next": found.next_offset,
            "end": found.end,
        }
    )


@require_GET
@login_required
def run_log_stream(request: AuthenticatedRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """Send what a run writes while it writes it, from `after` or where the browser had come to."""
    run = _visible_run(request, pk)
    if not isinstance(request, ASGIRequest):  # Such a server would collect it before it sends it.
        return HttpResponse(status=204)
    last_id = request.headers.get("Last-Event-ID", "")
    offset = int(last_id) if _is_number(last_id) else _number(request.GET, "after") or 0
    events = follow(
        run,
        offset=offset,
        may_go_on=partial(_may_still_read, request, pk),
        link=line_link(run),
    )
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response


@require_safe
@login_required
def run_log_raw(request: AuthenticatedRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """Show the log of a run as it is kept, as plain text."""
    run = _visible_run(request, pk)
    return log_response(request, run, file_name=f"run-{run.pk}.log", as_attachment=False)


@require_safe
@login_required
def run_log_download(
    request: AuthenticatedRequest, pk: UUID
) -> HttpResponse | StreamingHttpResponse:
    """Hand out the log of a run as a file, or a range of it."""
    run = _visible_run(request, pk)
    return log_response(request, run, file_name=f"run-{run.pk}.log")


def _visible_run(request: AuthenticatedRequest, pk: UUID) -> TaskRun:
    run: TaskRun = visible_or_404(TaskRun.objects.all(), request.user, pk=pk)
    return run


def _may_still_read(request: AuthenticatedRequest, pk: UUID) -> bool:
    """Tell whether the session goes on, and its person still sees the run."""
    request.session = type(request.session)(request.session.session_key)
    user = get_user(request)
    return user.is_authenticated and TaskRun.objects.visible_to(user).filter(pk=pk).exists()


def _window(spool: Spool, query: QueryDict, *, lines: int) -> LogWindow:
    chosen = _chosen(query)
    if chosen:
        return logstore.read_lines(spool, chosen.start - LINES_ABOVE, lines=lines)
    if (first := _number(query, "first")) is not None:
        return logstore.read_lines(spool, first, lines=lines)
    if (before := _number(query, "before")) is not None:
        return logstore.read_lines_before(spool, before, lines=lines)
    if (after := _number(query, "after")) is not None:
        return logstore.read_after(spool, after, lines=lines)
    return logstore.read_tail(spool, lines=lines)


def _chosen(query: QueryDict) -> range:
    """Return the lines that `line` names; an empty range for none, or for what is no line."""
    match = LINES.fullmatch(query.get("line", ""))
    if not match:
        return range(0)
    first, last = sorted((int(match[1]), int(match[2] or match[1])))
    return range(first, last + 1)


def _number(query: QueryDict, name: str) -> int | None:
    text = query.get(name, "")
    return int(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
