"""Search over everything: a page, and the quick switcher of every page."""

from django.contrib.auth.decorators import login_required
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from tasks.search import find
from wallaroo_ui.forms import search_text
from wallaroo_ui.htmx import AuthenticatedRequest, opens_dialog, render_page_or_region


@require_safe
@login_required
def search(request: AuthenticatedRequest) -> TemplateResponse:
    """Show what a name or an ID may mean: as a page, in the dialog, or its findings alone."""
    query = search_text(request)
    return render_page_or_region(
        request,
        page="search/search.html",
        region="search/_switcher.html" if opens_dialog(request) else "search/_findings.html",
        context={"query": query, "found": find(request.user, query)},
    )
