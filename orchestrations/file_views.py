"""Pages about the files of an archive: one file as text, one file to be saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from orchestrations.archives import ArchiveFile, ArchiveRefused, open_file
from orchestrations.highlighting import NotShown, highlight, read_text
from orchestrations.models import Orchestration
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.streaming import stream_pieces
from wallaroo_ui.workspaces.access import visible_or_404

LINES_SHOWN = 10_000


@require_safe
@login_required
def archive_file(request: AuthenticatedRequest, pk: UUID, name: str) -> TemplateResponse:
    """Show a file of an archive, if it is text that a page can hold."""
    orchestration = _visible(request, pk)
    lines, reason = [], ""
    with _opened(orchestration, name) as (file, pieces):
        try:
            lines = highlight(name, read_text(pieces, size=file.size))
        except (NotShown, ArchiveRefused) as refusal:
            reason = str(refusal)
    return TemplateResponse(
        request,
        "orchestrations/archive_file.html",
        {
            "orchestration": orchestration,
            "workspace": orchestration.workspace,
            "file": file,
            "lines": lines[:LINES_SHOWN],
            "more_lines": len(lines[LINES_SHOWN:]),
            "reason": reason,
        },
    )


@require_safe
@login_required
def archive_file_download(
    request: AuthenticatedRequest, pk: UUID, name: str
) -> StreamingHttpResponse:
    """Hand out a file of an archive as it is, never for the browser to open."""
    orchestration = _visible(request, pk)
    with _opened(orchestration, name) as (file, _):
        file_name = file.base_name
    return stream_pieces(request, _contents(orchestration, name), file_name=file_name)


def _visible(request: AuthenticatedRequest, pk: UUID) -> Orchestration:
    return visible_or_404(Orchestration.objects.select_related("workspace"), request.user, pk=pk)


@contextmanager
def _opened(
    orchestration: Orchestration, name: str
) -> Iterator[tuple[ArchiveFile, Iterator[bytes]]]:
    """Open the archive and find a file in it, among its own entries and nowhere else."""
    try:
        archive = orchestration.archive.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    with archive:
        try:
            found = open_file(archive, name)
        except (FileNotFoundError, ArchiveRefused) as error:
            raise Http404 from error
        yield found


def _contents(orchestration: Orchestration, name: str) -> Iterator[bytes]:
    """Open the archive once the answer is on its way, and not before."""
    with _opened(orchestration, name) as (_, pieces):
        yield from pieces
