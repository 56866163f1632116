from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from wallaroo_ui.executions import services
from wallaroo_ui.executions.models import Node


class HistoryAdmin(admin.ModelAdmin[Any]):
    """For what has happened: everybody may look, nobody may rewrite it.

    It grows: a list does not count what a search leaves out, and is narrowed to days by its
    filter. A `date_hierarchy` would read the whole table for its links.

    Attributes:
        list_prefetch: what a list shows of other tables. Joined, they would have SQLite sort
            all rows of theirs before it takes the first page.
    """

    list_per_page = 50
    show_full_result_count = False
    list_select_related = ()
    list_prefetch: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Fetch along what the list shows."""
        return super().get_queryset(request).prefetch_related(*self.list_prefetch)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """History is made by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is not deleted by hand."""
        return False


@admin.register(Node)
class NodeAdmin(HistoryAdmin):
    """The hosts that execute, and when each was last heard of."""

    list_display = (
        "name",
        "slots",
        "is_draining",
        "isolation",
        "versions",
        "agent_seen_at",
        "cluster_seen_at",
        "cluster_restarted_at",
    )
    list_filter = ("is_draining", "isolation")
    search_fields = ("name",)
    actions = ("drain", "take_work_again")

    @admin.action(description="Drain: take no more work")
    def drain(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Have the chosen nodes take no more work."""
        self._set_draining(request, queryset, is_draining=True)

    @admin.action(description="Take work again")
    def take_work_again(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Have the chosen nodes take work again."""
        self._set_draining(request, queryset, is_draining=False)

    def _set_draining(
        self, request: HttpRequest, queryset: QuerySet[Node], *, is_draining: bool
    ) -> None:
        changed = sum(
            services.set_draining(node, is_draining=is_draining, user=request.user)
            for node in queryset
        )
        self.message_user(request, f"{changed} changed.", messages.SUCCESS)
