"""The door for an ASGI server, with a guard in front of it."""

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wallaroo_ui.settings")

from django.core.asgi import get_asgi_application

from wallaroo_ui.body_limit import Application, BodyLimit

django_application = get_asgi_application()

from django.conf import settings  # noqa: E402

application = BodyLimit(
    cast("Application", django_application), most_bytes=settings.REQUEST_MAX_BYTES
)
