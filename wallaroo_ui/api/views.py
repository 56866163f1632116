"""What a client must know before it has any token."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def config(request: HttpRequest) -> JsonResponse:
    """Tell a client how this server is configured."""
    return JsonResponse({"default_arch": "x86"})
