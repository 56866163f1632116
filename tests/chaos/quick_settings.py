"""The server's settings with a shorter lease, so that the short form need not sit it out."""

from tests.chaos.sizes import SHORT
from wallaroo_ui.settings import *  # noqa: F403

NODE_LEASE_SECONDS = SHORT.lease_seconds
