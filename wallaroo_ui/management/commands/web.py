import gc
import sys
import warnings
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand

from wallaroo_ui import processes, streaming

GOODBYE_SECONDS = 1
CANNOT_START = 3
# So many new objects start a collection. Python's own 700 are fewer than a page makes.
YOUNG_OBJECTS = 10_000


class Server(uvicorn.Server):
    """Tells answers without an end that the process ends, so that they need not be cut off."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        streaming.is_closing.set()
        super().handle_exit(sig, frame)


def collect_garbage_less() -> None:
    """Let collections of garbage leave alone what is loaded, and come more rarely.

    A full one looks at everything that lives. It would hold up one page of fifteen for some
    tens of milliseconds, and find next to nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


class Command(BaseCommand):
    """Serve pages, the API and the admin."""

    help = "Runs the web process at HOST and PORT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what `serve` passes on."""
        parser.add_argument("--die-with-parent", type=int, metavar="PID", help="used by serve")

    def handle(self, *, die_with_parent: int | None, **_: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if die_with_parent is not None:
            processes.die_with_parent(die_with_parent)
        # Static files, which whitenoise reads as a whole. They are small; whatever may be
        # large goes through wallaroo_ui.streaming.
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume")
        config = uvicorn.Config(
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
        collect_garbage_less()
        server = Server(config)
        try:
            server.run()
        except KeyboardInterrupt:
            pass
        if not server.started:
            sys.exit(CANNOT_START)
