from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from wallaroo_ui.workspaces.models import Workspace


def workspaces(request: HttpRequest) -> dict[str, Any]:
    """Offer the workspace chooser of every page; asked for only by pages that draw it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"my_workspaces": SimpleLazyObject(lambda: Workspace.objects.visible_to(user))}
