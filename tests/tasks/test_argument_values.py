"""Arguments line by line, in step with their JSON."""

import json

import pytest

from tasks.argument_values import merge, read_value, show_value
from wallaroo_ui.json_text import JSON, JSONRefused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 2.5 ", 2.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ('"3"', "3"),
        ("houses", "houses"),
        ("True", "True"),
        ("2026-03-01", "2026-03-01"),
        ("NaN", "NaN"),
        ("it is 3", "it is 3"),
        ('1, "other": 2', '1, "other": 2'),
        ("1}", "1}"),
    ],
)
def test_a_line_means_json_or_its_own_text(text: str, value: JSON) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@pytest.mark.parametrize(("text", "column"), [("[1, 2", 6), ('{"a" 1}', 6), ('"open', 1)])
def test_a_line_that_begins_like_json_has_to_be_some(text: str, column: int) -> None:
    with pytest.raises(JSONRefused) as refusal:
        read_value(text)
    assert (refusal.value.line, refusal.value.column) == (1, column)


VALUES: list[JSON] = [
    None, True, 0, -1.5, "", " ", "text", "3", "true", "[", "{}", "a\nb", "a\u2028b", " a", "é",
    [], ["a"], {"a": {"b": 1}}, '"', "null", "1, 2", "x" * 500,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_shown_of_a_value_is_read_as_the_same(value: JSON) -> None:
    shown = show_value(value)
    assert json.dumps(read_value(shown)) == json.dumps(value)
    assert "\n" not in shown, "a line of a form holds no line break"


def test_a_line_that_was_changed_wins_and_the_others_leave_the_json_alone() -> None:
    shown: dict[str, JSON] = {"kind": "a", "limit": 1, "gone": True}
    written: dict[str, JSON] = {"kind": "b", "limit": 1, "gone": True, "own": [1]}
    lines = {"kind": "a", "limit": "20", "gone": "", "new": "x", "empty": ""}

    merged = merge(written, shown, lines)

    assert merged == {"kind": "b", "limit": 20, "own": [1], "new": "x"}


def test_a_line_that_cannot_be_read_is_refused_by_its_name() -> None:
    with pytest.raises(JSONRefused, match="in the argument tags"):
        merge({}, {}, {"tags": "[1"})
