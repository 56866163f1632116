"""Pages about the pages: the keyboard shortcuts, and the style guide for developers."""

from django.contrib.auth.decorators import login_required
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from wallaroo_ui.executions.models import Status
from wallaroo_ui.htmx import AuthenticatedRequest, render_page_or_region
from wallaroo_ui.templatetags.display import ICONS

# The tokens of static/css/tokens.css by what they are for.
SURFACES = ("paper", "surface", "sunken", "raised", "hover")
INKS = ("ink", "ink-soft", "accent", "good", "bad", "late", "ended")
LINES = ("line", "line-strong", "control-line", "focus")
SPACES = range(1, 8)
SIZES = ("title", "big", "base", "small")


@require_safe
@login_required
def shortcuts(request: AuthenticatedRequest) -> TemplateResponse:
    """Name every keyboard shortcut: as a page, or in the dialog."""
    return render_page_or_region(
        request, page="shortcuts.html", region="includes/_shortcuts.html", context={}
    )


@require_safe
@login_required
def styleguide(request: AuthenticatedRequest) -> TemplateResponse:
    """Show tokens and components as they look now, for whoever builds the next page."""
    return TemplateResponse(
        request,
        "styleguide.html",
        {
            "surfaces": SURFACES,
            "inks": INKS,
            "lines": LINES,
            "spaces": SPACES,
            "sizes": SIZES,
            "statuses": list(Status),
            "icon_names": sorted(ICONS),
        },
    )
