"""Pages of a long list, found by where the last one ended instead of by counting.

Page 4,000 costs as much as page 1, and nobody sees a row twice, or misses one, because
others came or went meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet

RowT = TypeVar("RowT", bound=Model)

OLDER, NEWER = "older", "newer"


@dataclass(frozen=True)
class KeysetPage(Generic[RowT]):
    """Neighbouring rows of a list.

    Attributes:
        rows: in the order of the list.
        previous: the cursor of the page before this one; empty if this is the first.
        next: the cursor of the page after this one; empty if this is the last.
    """

    rows: list[RowT]
    previous: str = ""
    next: str = ""


def keyset_page(
    rows: QuerySet[RowT],
    *,
    order: Sequence[str],
    cursor: str,
    size: int,
    fetch: "Callable[[QuerySet[RowT]], list[RowT]]" = list,
) -> KeysetPage[RowT]:
    """Return one page.

    Args:
        rows: the whole list, in any order.
        order: names of fields or annotations, `-` before those that fall; none is ever null,
            and together they tell any two rows apart, so the last one is `pk` or `-pk`.
        cursor: from an earlier page of the same order; what is not one, as an empty string,
            means the first page.
        size: how many rows at the most.
        fetch: evaluates the slice; for lists that fetch something along.
    """
    direction, key = _read(cursor, order)
    if direction == NEWER:
        found = fetch(_after(rows, _turned(order), key).order_by(*_turned(order))[: size + 1])
        if len(found) <= size:  # Nothing is before it: the first page, and as full as it can be.
            return keyset_page(rows, order=order, cursor="", size=size, fetch=fetch)
        found = found[:size][::-1]
        return KeysetPage(found, _cursor(NEWER, found[0], order), _cursor(OLDER, found[-1], order))
    found = fetch(_after(rows, order, key).order_by(*order)[: size + 1])
    if key and not found:  # The rows after it are gone meanwhile.
        return keyset_page(rows, order=order, cursor="", size=size, fetch=fetch)
    shown = found[:size]
    return KeysetPage(
        shown,
        previous=_cursor(NEWER, shown[0], order) if key else "",
        next=_cursor(OLDER, shown[-1], order) if len(found) > size else "",
    )


def _turned(order: Sequence[str]) -> list[str]:
    return [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order]


def _after(rows: QuerySet[RowT], order: Sequence[str], key: Sequence[object]) -> QuerySet[RowT]:
    """Return the rows that come after a key."""
    if not key:
        return rows
    later = Q()
    for name, value in reversed(list(zip(order, key, strict=True))):
        field, step = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        beyond = Q(**{f"{field}__{step}": value})
        # The first half alone lets the database enter its index at the right place.
        later = Q(**{f"{field}__{step}e": value}) & (beyond | later) if later else beyond
    return rows.filter(later)


# A cursor is signed: nobody but us writes one, so what it holds fits the order it is for.


def _cursor(direction: str, row: Model, order: Sequence[str]) -> str:
    key = [_plain(getattr(row, name.removeprefix("-"))) for name in order]
    return signing.dumps([direction, *key], salt=_salt(order))


def _read(cursor: str, order: Sequence[str]) -> tuple[str, list[object]]:
    try:
        direction, *key = signing.loads(cursor, salt=_salt(order))
    except signing.BadSignature:
        return OLDER, []
    return direction, [_value(plain) for plain in key]


def _salt(order: Sequence[str]) -> str:
    return "keyset:" + ",".join(order)


def _plain(value: Any) -> list[Any]:
    """Return a value as JSON keeps it, with what makes it itself again."""
    if isinstance(value, datetime):
        return ["time", value.isoformat()]
    if isinstance(value, UUID):
        return ["uuid", value.hex]
    return ["", value]


def _value(plain: Sequence[Any]) -> object:
    kind, value = plain
    if kind == "time":
        return datetime.fromisoformat(value)
    return UUID(value) if kind == "uuid" else value
