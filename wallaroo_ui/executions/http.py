"""Handing out whole logs."""

from django.http import HttpRequest, StreamingHttpResponse

from wallaroo_ui.executions.models import Execution
from wallaroo_ui.streaming import stream_file


def log_response(
    request: HttpRequest, execution: Execution, *, file_name: str
) -> StreamingHttpResponse:
    """Hand out a whole log as a text file: times, streams and all, as it is kept."""
    return stream_file(
        request,
        lambda: execution.spool.log.open("rb"),
        file_name=file_name,
        content_type="text/plain; charset=utf-8",
    )
