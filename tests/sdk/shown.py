"""Reading what the SDK shows in a notebook."""

import re
from html import unescape
from typing import Any


def rows(thing: Any) -> list[list[str]]:
    """Return the rows of the table that a notebook would show for a thing, the head first."""
    found = re.findall(r"<tr\s*>(.*?)</tr>", thing._repr_html_(), re.DOTALL)
    cell = re.compile(r"<t[hd]>(.*?)</t[hd]>", re.DOTALL)
    return [[unescape(text).strip() for text in cell.findall(row)] for row in found]


def fields(thing: Any) -> dict[str, str]:
    """Return a table of fields and values as a mapping."""
    head, *body = rows(thing)
    assert head == ["Field", "Value"]
    return {str(name): value for name, value in body}


def records(thing: Any) -> list[dict[str, str]]:
    """Return a table with a head as a mapping for each row."""
    head, *body = rows(thing)
    return [dict(zip(head, row, strict=True)) for row in body]
