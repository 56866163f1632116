from django.http import StreamingHttpResponse

from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.models import Execution


def log_response(execution: Execution, *, file_name: str) -> StreamingHttpResponse:
    """Hand out a whole log as a text file: times, streams and all, as it is kept."""
    response = StreamingHttpResponse(
        logstore.stream_text(execution.spool), content_type="text/plain; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
