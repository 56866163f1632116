from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wallaroo_ui.connections import services


class Command(BaseCommand):
    """Encrypt everything under the newest key, so that older ones may go. Safe to repeat."""

    help = "Encrypts the details of all connections under the first key of ENCRYPTION_KEYS."

    def handle(self, **_: Any) -> None:
        """Say how many were changed, and name those that cannot be decrypted."""
        rotation = services.rotate_keys()
        self.stdout.write(f"{rotation.changed} encrypted anew under the first key.")
        if rotation.unreadable:
            names = ", ".join(f"{each.name} ({each.pk})" for each in rotation.unreadable)
            raise CommandError(f"No key opens the details of: {names}. They were left as they are.")
