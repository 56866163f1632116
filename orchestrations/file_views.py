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
from orchestrations.models import Version
from wallaroo_ui.htmx import AuthenticatedRequest
from wallaroo_ui.streaming import stream_pieces
from wallaroo_ui.workspaces.access import visible_or_404

LINES_SHOWN = 10_000


@require_safe
@login_required
def archive_file(
    request: AuthenticatedRequest, pk: UUID, number: int, name: str
) -> TemplateResponse:
    """Show a file of an archive, if it is text that a page can hold."""
    version = _visible(request, pk, number)
    lines, reason = [], ""
    with _opened(version, name) as (file, pieces):
        try:
            lines = highlight(name, read_text(pieces, size=file.size))
        except (NotShown, ArchiveRefused) as refusal:
            reason = str(refusal)
    return TemplateResponse(
        request,
        "orchestrations/archive_file.html",
        {
            "version": version,
            "orchestration": version.orchestration,
            "workspace": version.workspace,
            "file": file,
            "lines": lines[:LINES_SHOWN],
            "more_lines": len(lines[LINES_SHOWN:]),
            "reason": reason,
        },
    )


@require_safe
@login_required
def archive_file_download(
    request: AuthenticatedRequest, pk: UUID, number: int, name: str
) -> StreamingHttpResponse:
    """Hand out a file of an archive as it is, never for the browser to open."""
    version = _visible(request, pk, number)
    with _opened(version, name) as (file, _):
        file_name = file.base_name
    return stream_pieces(request, _contents(version, name), file_name=file_name)


def _visible(request: AuthenticatedRequest, pk: UUID, number: int) -> Version:
    shown = Version.objects.select_related("orchestration__workspace", "orchestration__newest")
    return visible_or_404(shown, request.user, orchestration=pk, number=number)


@contextmanager
def _opened(version: Version, name: str) -> Iterator[tuple[ArchiveFile, Iterator[bytes]]]:
    """Open the archive and find a file in it, among its own entries and nowhere else."""
    try:
        archive = version.archive.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    with archive:
        try:
            found = open_file(archive, name)
        except (FileNotFoundError, ArchiveRefused) as error:
            raise Http404 from error
        yield found


def _contents(version: Version, name: str) -> Iterator[bytes]:
    """Open the archive once the answer is on its way, and not before."""
    with _opened(version, name) as (_, pieces):
        yield from pieces
