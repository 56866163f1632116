"""Samples: orchestrations to begin with."""

import io
import zipfile
from pathlib import Path

from django.core.files.base import ContentFile

from orchestrations.models import Orchestration
from orchestrations.services import upload_orchestration
from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Workspace

DONUTS = Path(__file__).parent / "donuts"


def upload_donuts(*, workspace: Workspace, user: User) -> Orchestration:
    """Upload the sample that a new server starts with, the way a person would."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(DONUTS.iterdir()):
            if path.is_file():
                archive.write(path, path.name)
    return upload_orchestration(
        workspace=workspace,
        file=ContentFile(packed.getvalue()),
        file_name="donuts.zip",
        name="donuts",
        user=user,
    )
