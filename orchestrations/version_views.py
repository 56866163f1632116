"""Pages and actions about the versions of an orchestration: upload, look, compare, package."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrations import services
from orchestrations.archives import ArchiveFile, ArchiveRefused, list_files, open_file
from orchestrations.changes import FileChange, Hunk, TooMuchToCompare, compare_texts
from orchestrations.forms import VersionForm
from orchestrations.highlighting import NotShown, read_text
from orchestrations.models import Orchestration, Packaging, Version
from tasks.models import Task
from wallaroo_ui.executions import logstore
from wallaroo_ui.executions.http import log_response
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.streaming import stream_file
from wallaroo_ui.workspaces.access import may_change, require_change, visible_or_404

FILES_SHOWN = 1_000
PINNED_SHOWN = 25
OLDER_OFFERED = 50
LOG_LINES_SHOWN = 200

# What a page of changes shows at the most, and how long it may compare.
CHANGES_SHOWN = 200
TEXTS_COMPARED = 40
LINES_COMPARED_SHOWN = 3_000
COMPARING_SECONDS = 1.0


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def version_upload(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Upload a new version; a refusal lists everything that is wrong with it."""
    shown = Orchestration.objects.select_related("workspace", "newest")
    orchestration = visible_or_404(shown, request.user, pk=pk)
    require_change(orchestration.workspace, request.user)
    form = VersionForm(request.POST or None, request.FILES or None)
    problems: tuple[str, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            version = services.upload_version(
                orchestration=orchestration,
                file=form.cleaned_data["archive"],
                file_name=form.file_name,
                user=request.user,
            )
        except ArchiveRefused as refusal:
            problems = refusal.problems
        except services.SameArchive as refusal:
            problems = (str(refusal),)
        except Orchestration.DoesNotExist as error:
            raise Http404 from error
        else:
            return redirect(version)
    return render_page_or_region(
        request,
        page="orchestrations/version_upload.html",
        region="orchestrations/_upload_form.html",
        context={
            "orchestration": orchestration,
            "workspace": orchestration.workspace,
            "may_change": True,
            "form": form,
            "problems": problems,
            "max_bytes": settings.ARCHIVE_MAX_BYTES,
        },
        status=422 if request.method == "POST" else 200,
    )


@require_safe
@login_required
def version_detail(request: AuthenticatedRequest, pk: UUID, number: int) -> TemplateResponse:
    """Show one version: its packaging, what it holds, which tasks are pinned to it."""
    version = _visible(request, pk, number)
    pinned = list(Task.objects.not_ended().filter(version=version)[: PINNED_SHOWN + 1])
    return TemplateResponse(
        request,
        "orchestrations/version_detail.html",
        {
            **_common(request, version),
            **files_context(version),
            **packaging_context(version),
            "pinned": pinned[:PINNED_SHOWN],
            "are_more_pinned": len(pinned) > PINNED_SHOWN,
        },
    )


@require_safe
@login_required
def version_packaging(request: AuthenticatedRequest, pk: UUID, number: int) -> TemplateResponse:
    """Show how far packaging is: the region that the pages poll."""
    version = _visible(request, pk, number)
    return TemplateResponse(
        request,
        "orchestrations/_packaging.html",
        {**_common(request, version), **packaging_context(version)},
    )


@require_safe
@login_required
def version_download(
    request: AuthenticatedRequest, pk: UUID, number: int
) -> HttpResponse | StreamingHttpResponse:
    """Hand out the archive as it was uploaded, never for the browser to open."""
    version = _visible(request, pk, number)
    if not version.has_archive:
        messages.error(request, "The archive cannot be read any more.")
        return redirect(version)
    return stream_file(request, lambda: version.archive.open("rb"), file_name=version.file_name)


@require_POST
@login_required
def version_package(request: AuthenticatedRequest, pk: UUID, number: int) -> HttpResponse:
    """Package again."""
    version = _changeable(request, pk, number)
    services.request_packaging(version=version, user=request.user)
    return redirect(version)


@require_POST
@login_required
def version_stop_packaging(request: AuthenticatedRequest, pk: UUID, number: int) -> HttpResponse:
    """Stop the packaging that is going on."""
    version = _changeable(request, pk, number)
    packaging = version.latest_packaging
    if packaging is None or not services.stop_packaging(packaging=packaging, user=request.user):
        messages.info(request, "There was nothing to stop: packaging had ended already.")
    return redirect(version)


@require_safe
@login_required
def packaging_log(request: AuthenticatedRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """Hand out the whole log of one packaging as text."""
    packaging = visible_or_404(Packaging.objects.all(), request.user, pk=pk)
    return log_response(request, packaging, file_name=f"packaging-{packaging.pk}.log")


@require_safe
@login_required
def version_changes(request: AuthenticatedRequest, pk: UUID, number: int) -> TemplateResponse:
    """Show how a version differs from an older one, by default from the one before."""
    version = _visible(request, pk, number)
    older = Version.objects.filter(orchestration=pk, number__lt=number).newest_first()
    offered = list(older[:OLDER_OFFERED])
    since = _named(older, offered, request.GET.get("since", ""))
    changes, comparisons, reason = None, [], ""
    if since is not None:
        try:
            changes = services.compare_versions(since, version)
            comparisons = list(_comparisons(since, version, changes.files[:CHANGES_SHOWN]))
        except (FileNotFoundError, ArchiveRefused):
            reason = "One of the two archives cannot be read any more."
    return TemplateResponse(
        request,
        "orchestrations/version_changes.html",
        {
            **_common(request, version),
            "since": since,
            "offered": offered,
            "changes": changes,
            "comparisons": comparisons,
            "more_files": len(changes.files[CHANGES_SHOWN:]) if changes else 0,
            "reason": reason,
        },
    )


@dataclass(frozen=True)
class Comparison:
    """A file that changed: the places where, or why they are not shown."""

    change: FileChange
    hunks: list[Hunk]
    reason: str = ""


def _comparisons(
    before: Version, after: Version, changes: Sequence[FileChange]
) -> Iterator[Comparison]:
    """Compare texts line by line, as far as a page holds them and nobody waits for long."""
    until = time.monotonic() + COMPARING_SECONDS
    lines_left = LINES_COMPARED_SHOWN
    with before.archive.open("rb") as old, after.archive.open("rb") as new:
        for count, change in enumerate(changes):
            left = until - time.monotonic()
            if count >= TEXTS_COMPARED or lines_left <= 0 or left <= 0:
                yield Comparison(change, [], "Not compared here: there is too much before it.")
                continue
            try:
                one = _text(old, change.before)
                other = _text(new, change.after)
                hunks = compare_texts(one, other, seconds=left)
            except (NotShown, TooMuchToCompare, ArchiveRefused) as refusal:
                yield Comparison(change, [], str(refusal))
                continue
            size = sum(map(len, hunks))
            if size > lines_left:
                yield Comparison(change, [], f"{size:,} lines differ: too many to show them here.")
                continue
            lines_left -= size
            yield Comparison(change, hunks)


def _text(archive: IO[bytes], file: ArchiveFile | None) -> str:
    if file is None:
        return ""
    _, pieces = open_file(archive, file.name)
    return read_text(pieces, size=file.size)


def _named(older: QuerySet[Version], offered: list[Version], number: str) -> Version | None:
    """Return the older version of that number; the one before where none is named."""
    if not number:
        return offered[0] if offered else None
    with suppress(ValueError):
        if found := older.filter(number=int(number)).first():
            return found
    raise Http404


def _visible(request: AuthenticatedRequest, pk: UUID, number: int) -> Version:
    shown = Version.objects.select_related(
        "orchestration__workspace", "orchestration__newest", "created_by"
    )
    return visible_or_404(shown, request.user, orchestration=pk, number=number)


def _changeable(request: AuthenticatedRequest, pk: UUID, number: int) -> Version:
    version = _visible(request, pk, number)
    require_change(version.workspace, request.user)
    return version


def _common(request: AuthenticatedRequest, version: Version) -> dict[str, object]:
    current = version.orchestration.current
    return {
        "version": version,
        "orchestration": version.orchestration,
        "workspace": version.workspace,
        "may_change": may_change(version.workspace, request.user),
        "current_number": current and current.number,
    }


def packaging_context(version: Version) -> dict[str, object]:
    """Return what `_packaging.html` shows of a version."""
    packaging = version.packagings.select_related("node").newest_first().first()
    if packaging is None:
        shown = {"packaging_step": None, "log": logstore.LogWindow()}
    else:
        shown = {
            "packaging_step": packaging.step,
            "log": logstore.read_tail(packaging.spool, lines=LOG_LINES_SHOWN),
        }
    return {"packaging": packaging, **shown}


def files_context(version: Version) -> dict[str, object]:
    """Return what `_files.html` shows: what the archive holds, nothing where it is lost."""
    try:
        with version.archive.open("rb") as archive:
            files = list_files(archive)
    except (FileNotFoundError, ArchiveRefused):
        files = []
    return {
        "files": files[:FILES_SHOWN],
        "file_count": len(files),
        "more_files": len(files[FILES_SHOWN:]),
    }
