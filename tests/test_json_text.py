import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo_ui.json_text import JSON, JSONRefused, parse_object, show_object, write_object


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        (" \r\n\t", {}),
        ("{}", {}),
        (' {"a": 1} \n', {"a": 1}),
        ('{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}', {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}),
        ('{"a": [-0.5, 1e3, 1E-400, true, false, null]}', {"a": [-0.5, 1e3, 0, True, False, None]}),
        ('{"a": "NaN \' [[ {"}', {"a": "NaN ' [[ {"}),
        (r'{"\ud83d\ude00": "\"\\ud800 \\u0000"}', {"😀": '"\\ud800 \\u0000'}),
        ('{"a" : "b:c", "b:c": "a"}', {"a": "b:c", "b:c": "a"}),
        ('{"a": ' + "7" * 4300 + "}", {"a": int("7" * 4300)}),
        ('{"a": [' + "[]," * 500 + "[]]}", {"a": [[]] * 501}),
    ],
)
def test_objects_are_read(text: str, value: dict[str, JSON]) -> None:
    assert parse_object(text) == value


def test_objects_are_read_up_to_the_limits() -> None:
    assert parse_object('{"a": ' + "[" * 99 + "]" * 99 + "}")
    assert parse_object('{"a": "' + "x" * 999_991 + '"}')


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("[1]", 1, 1, "object"),
        ("\n  7", 2, 3, "object"),
        ('"a"', 1, 1, "object"),
        ("null", 1, 1, "object"),
        ('{"a": NaN}', 1, 7, "NaN"),
        ('{"a":\n [1, Infinity]}', 2, 6, "Infinity"),
        ('{"a": -Infinity}', 1, 7, "-Infinity"),
        ('{"a": 1,\n "a": 2}', 2, 2, 'key "a" is given twice'),
        ('{"a": 1, "\\u0061": 2}', 1, 10, "twice"),
        ('{"b": {"a": 1, "c": [{}], "a" \n: 2}}', 1, 27, 'key "a"'),
        ('{"a": 1e999}', 1, 7, "too large"),
        ('{"a": -1e999}', 1, 7, "too large"),
        ('{"a": 1' + "0" * 400 + ".0}", 1, 7, "too large"),
        ('{"a": ' + "1" * 4301 + "}", 1, 7, "4,300 digits"),
        ('{"a": -' + "1" * 4301 + "}", 1, 7, "4,300 digits"),
        ('{"a": "\\ud800"}', 1, 8, "surrogate"),
        ('{"a": "x\\udc00\\ud800"}', 1, 9, "surrogate"),
        ('{"\\uD800\\uD800": 1}', 1, 3, "surrogate"),
        ('{"a": "\ud800"}', 1, 8, "surrogate"),
        ('{"a": "\\u0000"}', 1, 8, "u0000"),
        ('{"\\u0000": 1}', 1, 3, "u0000"),
        ('{"a": "\0"}', 1, 8, "control"),
        ('{"a": 1}\n}', 2, 1, "Extra"),
        ('{"a": 1} {}', 1, 10, "Extra"),
        ('{"a": 1} x', 1, 10, "Extra"),
        ("{'a': 1}", 1, 2, "double quotes"),
        ('{"a": True}', 1, 7, "true"),
        ('{"a": None}', 1, 7, "null"),
        ("{a: 1}", 1, 2, "double quotes"),
        ('{"a": 1,}', 1, 9, ""),
        ('{"a": 01}', 1, 8, ""),
        ('{"a": \u0661}', 1, 7, ""),
        ('{"a": .5}', 1, 7, ""),
        ('{"a" 1}', 1, 6, "':'"),
        ('{"a": "x', 1, 7, "Unterminated"),
        ('{"a": "x\\', 1, 7, "Unterminated"),
        ('{"a": "\\x"}', 1, 8, "escape"),
        ('{"a": "\\u12"}', 1, 9, "escape"),
        ('{"a\\x": 1, "a\\x": 2}', 1, 4, "escape"),
        ('{"a": "b\nc"}', 1, 9, "control"),
        ("{", 1, 2, ""),
        ("}" * 200, 1, 1, ""),
        ('\ufeff{"a": 1}', 1, 1, "BOM"),
        ("{} // none", 1, 4, ""),
        ("[" * 100_000, 1, 101, "100 levels"),
        ('{"a":' * 100_000, 1, 501, "100 levels"),
        ('{"a":\n' + "[" * 100 + "]" * 100 + "}", 2, 100, "100 levels"),
        ("[}" * 100_000, 1, 2, ""),
        ('{"a": "' + "x" * 999_992 + '"}', 1, 1_000_001, "1,000,000 bytes"),
        ('{"a": "\n' + "é" * 600_000 + '"}', 2, 499_997, "1,000,000 bytes"),
        (" " * 1_000_001, 1, 1_000_001, "1,000,000 bytes"),
    ],
)
def test_anything_else_is_refused_where_it_stands(
    text: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(JSONRefused) as refusal:
        parse_object(text)
    assert (refusal.value.line, refusal.value.column) == (line, column), refusal.value
    assert words in refusal.value.message
    assert str(refusal.value) == f"Line {line}, column {column}: {refusal.value.message}"
    assert len(refusal.value.message) < 200


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=30,
)


@given(
    value=st.dictionaries(texts, values, max_size=8),
    ensure_ascii=st.booleans(),
    indent=st.none() | st.integers(0, 4),
)
def test_what_json_writes_is_read_back(
    value: dict[str, JSON], *, ensure_ascii: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
    assert parse_object(text) == value
    assert parse_object(write_object(value)) == value


def test_an_object_is_written_no_longer_than_a_person_writes_it() -> None:
    assert write_object({"é": [1, {}]}) == '{"é":[1,{}]}'


def test_people_are_shown_an_object_on_lines_of_its_own() -> None:
    assert show_object({"é": {"b": 1}}) == '{\n  "é": {\n    "b": 1\n  }\n}'


def test_showing_an_object_does_not_multiply_it() -> None:
    deep: object = [[]] * 10_000
    for _ in range(90):
        deep = [deep]
    assert len(show_object({"a": deep})) < 50_000


def nested(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": float("nan")}, "NaN"),
        ({"a": float("inf")}, "Infinity"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": "\0"}, "u0000"),
        ({"a": "x" * 1_000_000}, "1,000,000 bytes"),
        (nested(100), "100 levels"),
        (nested(100_000), "100 levels"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(value: dict[str, object], words: str) -> None:
    with pytest.raises(JSONRefused, match=words):
        write_object(value)


pieces = st.sampled_from(
    [*"{}[]\",:\\'\n 019.-eE", '"a":', "true", "NaN", "\\ud800", "\\u0000", "é"]
)


@given(st.text() | st.lists(pieces, max_size=40).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse_object(text)
    except JSONRefused as refusal:
        lines = text.split("\n")
        assert 1 <= refusal.line <= len(lines)  # noqa: PT017 - either is right
        assert 1 <= refusal.column <= len(lines[refusal.line - 1]) + 1  # noqa: PT017
    else:
        assert parse_object(json.dumps(value, allow_nan=False)) == value
