"""Arguments as a form: a line of text for each, kept in step with the JSON of all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wallaroo_ui.json_text import JSON, JSONRefused, parse_object

PREFIX: Final = "argument:"
_KEY: Final = '{"value":'


@dataclass(frozen=True)
class ArgumentField:
    """A labelled line of the form.

    Attributes:
        number: tells its id from those of the others.
        value: what stands in it; empty where the argument is not given.
        default: what the script takes then, in the same manner; empty where that is unknown.
    """

    number: int
    name: str
    value: str
    default: str

    @property
    def key(self) -> str:
        """Return the name by which its line is sent."""
        return f"{PREFIX}{self.name}"


def read_value(text: str) -> JSON:
    """Return what a line means: JSON where it is any, else the text itself.

    Raises:
        JSONRefused: it begins like JSON, but is none.
    """
    text = text.strip()
    try:
        read = parse_object(f"{_KEY}{text}}}")
    except JSONRefused as refusal:
        if text[:1] in {"{", "[", '"'}:
            column = refusal.column - len(_KEY) if refusal.line == 1 else refusal.column
            raise JSONRefused(
                refusal.message, line=refusal.line, column=max(1, column)
            ) from refusal
        return text
    # A line such as `1, "other": 2` would be read as two arguments.
    return read["value"] if list(read) == ["value"] else text


def show_value(value: JSON) -> str:
    """Return the line that means a value."""
    # One line of a form holds no line break.
    if isinstance(value, str) and value == value.strip() != "" and not set(value) & set("\n\r"):
        try:
            if read_value(value) == value:
                return value
        except JSONRefused:
            pass
    return json.dumps(value, ensure_ascii=False)


def show_argument(name: str, arguments: Mapping[str, JSON]) -> str:
    """Return the line of one argument; empty where it is not given."""
    return show_value(arguments[name]) if name in arguments else ""


def merge(
    written: Mapping[str, JSON], shown: Mapping[str, JSON], lines: Mapping[str, str]
) -> dict[str, JSON]:
    """Return the arguments that two ways of writing them mean together.

    Both were filled from what was `shown`. A line that was changed since then is what somebody
    wants of that argument; where it was not, the JSON says it.

    Args:
        written: the JSON, as it is now.
        shown: the arguments from which both were filled.
        lines: of each argument, as they are now; an empty one leaves its argument out.

    Raises:
        JSONRefused: a changed line begins like JSON, but is none; says of which argument.
    """
    merged = dict(written)
    for name, text in lines.items():
        if text.strip() == show_argument(name, shown):
            continue
        if not text.strip():
            merged.pop(name, None)
            continue
        try:
            merged[name] = read_value(text)
        except JSONRefused as refusal:
            words = f"{refusal.message}, in the argument {name}"
            raise JSONRefused(words, line=refusal.line, column=refusal.column) from refusal
    return merged
