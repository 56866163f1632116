"""Handing out whole logs, and parts of them."""

import re
from pathlib import Path

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from wallaroo_ui.byte_ranges import ByteRange, RangeRefused, asked_range
from wallaroo_ui.executions.models import Execution
from wallaroo_ui.streaming import stream_range


def log_response(
    request: HttpRequest, execution: Execution, *, file_name: str, as_attachment: bool = True
) -> HttpResponse | StreamingHttpResponse:
    """Hand out a log as a text file: times, streams and all, as it is kept.

    A range of it can be asked for. A log only grows: what was there before stays as it was, so
    a download that broke off goes on (`If-Range`) though the log is longer by now.

    Args:
        request: says by `Range` which bytes it wants.
        execution: whose log it is.
        file_name: offered for saving.
        as_attachment: to be saved; otherwise the browser shows it, as text and nothing else.
    """
    log = execution.spool.log
    size = _size(log)
    name = f"{execution.pk}-{execution.fence}"
    condition = request.headers.get("If-Range")
    holds = condition is None or _is_beginning_of(condition, name, size)
    try:
        wanted = asked_range(request.headers.get("Range", "") if holds else "", size=size)
    except RangeRefused:
        refused = HttpResponse(status=416, content_type="text/plain; charset=utf-8")
        refused["Content-Range"] = f"bytes */{size}"
        return refused
    sent = wanted or ByteRange(0, size)
    response = HttpResponse() if request.method == "HEAD" else stream_range(request, log, sent)
    response["Content-Type"] = "text/plain; charset=utf-8"
    response["Content-Length"] = str(sent.stop - sent.start)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = f'"{name}-{size}"'
    response["Cache-Control"] = "private, no-cache"
    if wanted is not None:
        response.status_code = 206
        response["Content-Range"] = wanted.header(size)
    disposition = content_disposition_header(as_attachment=as_attachment, filename=file_name)
    response["Content-Disposition"] = disposition or "inline"
    return response


def _is_beginning_of(etag: str, name: str, size: int) -> bool:
    """Tell whether a tag is that of this log when it was as long as now, or shorter."""
    match = re.fullmatch(rf'"{re.escape(name)}-(\d{{1,18}})"', etag)
    return match is not None and int(match[1]) <= size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
