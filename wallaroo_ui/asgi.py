"""The door for an ASGI server, with guards in front of it."""

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wallaroo_ui.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

from wallaroo_ui.body_limit import Application, BodyLimit
from wallaroo_ui.content_type import Utf8Only


def most_bytes(path: str) -> int:
    """Return how large a request may be: an upload as an archive, all others as a form."""
    is_upload = path.endswith(("/workloads/upload/", "/versions/new/", "/orchestration/upload"))
    limit: int = settings.UPLOAD_MAX_BYTES if is_upload else settings.FORM_MAX_BYTES
    return limit


django = cast("Application", get_asgi_application())
application = BodyLimit(Utf8Only(django), most_bytes=most_bytes)
