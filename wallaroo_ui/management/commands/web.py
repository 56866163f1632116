import warnings
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand

from wallaroo_ui import processes

GOODBYE_SECONDS = 1


class Command(BaseCommand):
    """Serve pages, the API and the admin."""

    help = "Runs the web process at HOST and PORT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what `serve` passes on."""
        parser.add_argument("--die-with-parent", action="store_true", help="used by serve")

    def handle(self, *, die_with_parent: bool, **_: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if die_with_parent:
            processes.die_with_parent()
        # Static files, which whitenoise reads as a whole. They are small; whatever may be
        # large goes through wallaroo_ui.streaming.
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume")
        uvicorn.run(
            "wallaroo_ui.asgi:application",
            host=settings.HOST,
            port=settings.PORT,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            # Of the proxies that FORWARDED_ALLOW_IPS names, uvicorn's own variable.
            proxy_headers=settings.BEHIND_PROXY,
            timeout_graceful_shutdown=GOODBYE_SECONDS,
        )
