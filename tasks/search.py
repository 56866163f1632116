"""Finding what somebody means by a name or an ID, over all that they may see."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q

from orchestrations.models import Orchestration
from tasks.models import Task, TaskRun
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from wallaroo_ui.accounts.models import User

MOST_OF_A_KIND = 6
HEX_DIGITS = 32
# So many digits of an ID name it: fewer would find what nobody means.
LEAST_DIGITS = 4


@dataclass(frozen=True)
class Findings:
    """What was found, each kind the newest first, and of each no more than a screen holds."""

    workspaces: Sequence[Workspace] = ()
    workloads: Sequence[Orchestration] = ()
    tasks: Sequence[Task] = ()
    runs: Sequence[TaskRun] = ()

    def __len__(self) -> int:
        """Return how many there are in all."""
        return sum(map(len, (self.workspaces, self.workloads, self.tasks, self.runs)))


def find(user: "User", text: str) -> Findings:
    """Find workspaces, workloads and tasks by a part of their name, and all but workspaces by ID.

    The runs are those that an ID names, else the last ones of the tasks that were found.

    Args:
        user: who asks; nothing else than what they may see is found.
        text: a part of a name in any case, or the beginning of an ID, with or without dashes.
    """
    if not text:
        return Findings()
    by_id = _by_id(text)
    named = Orchestration.objects.with_shown_name().select_related("workspace", "newest")
    workloads = named.filter(Q(shown_name__icontains=text) | by_id)
    tasks = Task.objects.filter(Q(name__icontains=text) | by_id)
    found = _newest(
        tasks.select_related("orchestration__workspace", "orchestration__newest").with_last_run(),
        user,
    )
    if by_id:
        runs = _first(
            TaskRun.objects.filter(by_id).select_related(
                "task", "orchestration__workspace", "orchestration__newest"
            ),
            user,
        )
    else:
        runs = [task.last_run for task in found if task.last_run]
    return Findings(
        workspaces=_first(Workspace.objects.filter(name__icontains=text), user),
        workloads=_newest(workloads, user),
        tasks=found,
        runs=runs,
    )


def _newest(rows: Any, user: "User") -> list[Any]:
    return _first(rows.order_by("-created_at", "-pk"), user)


def _first(rows: Any, user: "User") -> list[Any]:
    return list(rows.visible_to(user)[:MOST_OF_A_KIND])


def _by_id(text: str) -> Q:
    """Return the condition that an ID begins with a text; an empty one where none could."""
    digits = text.replace("-", "").lower()
    if not LEAST_DIGITS <= len(digits) <= HEX_DIGITS or re.fullmatch("[0-9a-f]+", digits) is None:
        return Q()
    # As a range it uses the index of the keys, on every database.
    first, last = digits.ljust(HEX_DIGITS, "0"), digits.ljust(HEX_DIGITS, "f")
    return Q(pk__gte=UUID(first), pk__lte=UUID(last))
