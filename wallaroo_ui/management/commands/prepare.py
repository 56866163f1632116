import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

from orchestrations import samples
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.services import create_workspace

QUICKSTART = "quickstart"


class Command(BaseCommand):
    """Bring the database and the data folder to where `serve` can start. Safe to repeat."""

    help = "Migrates, collects static files, makes the first admin and the quickstart workspace."

    def handle(self, **_: Any) -> None:
        """Do what has not been done yet; say what is new."""
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        if User.objects.filter(is_superuser=True).exists():
            return
        with transaction.atomic():
            admin = self._make_admin()
            workspace = create_workspace(name=QUICKSTART, owner=admin)
            samples.upload_donuts(workspace=workspace, user=admin)

    def _make_admin(self) -> User:
        """Make the first admin, named by the variables of Django's own createsuperuser."""
        given = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        password = given or secrets.token_urlsafe(12)
        admin = User.objects.create_superuser(
            username=os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin",
            email=os.environ.get("DJANGO_SUPERUSER_EMAIL") or "admin@example.com",
            password=password,
        )
        shown = "as set by DJANGO_SUPERUSER_PASSWORD" if given else password
        self.stdout.write(
            f"\nThe first admin was made. This is shown once:\n"
            f"    user name  {admin.username}\n"
            f"    password   {shown}\n"
            f"Change it at http://{settings.HOST}:{settings.PORT}/password/\n"
        )
        return admin
