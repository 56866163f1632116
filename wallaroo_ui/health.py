"""For machines that ask whether this server works."""

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from wallaroo_ui.executions.models import Node


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the web process is alive; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether web, database, and some node's cluster and agent all answer: 200 or 503."""
    now = timezone.now()
    try:
        nodes = list(Node.objects.all())
    except DatabaseError:
        return JsonResponse({"status": "not ready", "database": "does not answer"}, status=503)
    answering = [node.name for node in nodes if node.is_answering(at=now)]
    if not answering:
        return JsonResponse(
            {"status": "not ready", "database": "answers", "nodes": "none answers"}, status=503
        )
    return JsonResponse({"status": "ready", "database": "answers", "nodes": answering})
