"""What is different between a run and an earlier one that worked."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orchestrations.packages import packages_of
from tasks.models import TaskRun
from wallaroo_ui.templatetags.display import duration

# Of each kind of difference; a run with other arguments altogether has a page of its own.
MOST_CHANGES = 20
LONGEST_VALUE = 120


@dataclass(frozen=True)
class Change:
    """One difference; an empty side says that there was, or is, nothing."""

    what: str
    name: str
    before: str
    after: str


Comparison = Callable[[TaskRun, TaskRun], Iterator[Change]]


def changes_since(before: TaskRun, after: TaskRun) -> list[Change]:
    """Return what is different, what matters most first."""
    found: list[Change] = []
    for compare in COMPARISONS:
        of_kind = list(compare(before, after))
        found += of_kind[:MOST_CHANGES]
        if len(of_kind) > MOST_CHANGES:
            more = len(of_kind) - MOST_CHANGES
            found.append(Change(of_kind[0].what, f"and {more} more", "", ""))
    return found


def _version(before: TaskRun, after: TaskRun) -> Iterator[Change]:
    old, new = before.version, after.version
    if old and new and old != new:
        what_is_new = f": {new.changes}" if new.changes and new.number == old.number + 1 else ""
        yield Change("Archive", "", str(old), f"{new}{what_is_new}")


def _arguments(before: TaskRun, after: TaskRun) -> Iterator[Change]:
    yield from _differences("Argument", _values(before), _values(after))


def _packages(before: TaskRun, after: TaskRun) -> Iterator[Change]:
    if before.environment_name == after.environment_name:
        return
    old, new = (packages_of(run.environment_name) for run in (before, after))
    if old and new:
        yield from _differences("Package", old, new)
    elif before.environment_name and after.environment_name:
        yield Change("Environment", "", before.environment_name, after.environment_name)


def _node(before: TaskRun, after: TaskRun) -> Iterator[Change]:
    old, new = (run.node.name if run.node else "" for run in (before, after))
    if old and new and old != new:
        yield Change("Node", "", old, new)
    if before.isolation and after.isolation and before.isolation != after.isolation:
        yield Change("Isolation", "", before.get_isolation_display(), after.get_isolation_display())


def _timeout(before: TaskRun, after: TaskRun) -> Iterator[Change]:
    if before.timeout_seconds != after.timeout_seconds:
        old, new = (
            "none" if run.timeout_seconds is None else duration(run.timeout_seconds)
            for run in (before, after)
        )
        yield Change("Timeout", "", old, new)


# The one list of what is compared.
COMPARISONS: tuple[Comparison, ...] = (_version, _arguments, _packages, _timeout, _node)


def _differences(
    what: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield Change(what, name, _short(old), _short(new))


def _values(run: TaskRun) -> dict[str, str]:
    """Return each argument as JSON; equal values have equal texts."""
    try:
        arguments = json.loads(run.arguments_json)
    except ValueError:
        return {}
    if not isinstance(arguments, dict):
        return {}
    return {
        name: json.dumps(value, sort_keys=True, ensure_ascii=False)
        for name, value in arguments.items()
    }


def _short(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
