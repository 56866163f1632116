"""The arguments that a script reads, found in its text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrations
from orchestrations.argument_names import MAX_NAMES, MAX_SOURCE_CHARACTERS, argument_names
from wallaroo_ui.json_text import JSON

BEFORE = "import wallaroo\nwl = wallaroo.Client()\narguments = wl.task_args()\n"

CHOSEN_BY_PRESENCE = """
arguments = wl.task_args()
if "workspace_name" in arguments:
    workspace_name = arguments['workspace_name']
else:
    workspace_name = "simpleorchestrationworkspace"
if "pipeline_name" in arguments:
    pipeline_name = arguments['pipeline_name']
else:
    pipeline_name = "simpleorchestrationpipeline"
"""

CHOSEN_BY_TASK = """
if wl.in_task():
    arguments = wl.task_args()
    workspace_name = arguments['workspace_name']
    pipeline_name = arguments['pipeline_name']
else:
    workspace_name="bigqueryworkspace"
    pipeline_name="bigquerypipeline"
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('wl.task_args()["x"]', {"x": None}),
        ('wallaroo.Client().task_args().get("x", 3)', {"x": 3}),
        (BEFORE + "a = arguments['x']", {"x": None}),
        (BEFORE + 'a = arguments.get("x")', {"x": None}),
        (BEFORE + 'a = arguments.get("x", -1.5)', {"x": -1.5}),
        (BEFORE + 'a = int(arguments.get("x", "7"))', {"x": "7"}),
        (BEFORE + 'a = arguments.get("x", None)', {"x": None}),
        (BEFORE + 'a = arguments.get("x", [1, {"a": True}])', {"x": [1, {"a": True}]}),
        (BEFORE + 'a = arguments.get("x", (1, 2))', {"x": [1, 2]}),
        (BEFORE + 'a = arguments.get("x", now())', {"x": None}),
        (BEFORE + 'a = arguments.get("x", {1, 2})', {"x": None}),
        (BEFORE + 'a = arguments.get("x", b"bytes")', {"x": None}),
        (BEFORE + 'a = arguments.get("x", 1e999)', {"x": None}),
        (BEFORE + f'a = arguments.get("x", "{"y" * 2_000}")', {"x": None}),
        (BEFORE + 'a = arguments.pop("x", 3)', {"x": 3}),
        (BEFORE + 'print(arguments["x"])\narguments.get("x", 3)', {"x": 3}),
        (BEFORE + 'b = arguments["b"]\na = arguments["a"]', {"b": None, "a": None}),
        (BEFORE + 'if "x" not in arguments:\n    raise SystemExit', {"x": None}),
        (BEFORE + 'a = arguments["x"] if "x" in arguments else 3', {"x": 3}),
        (BEFORE + 'a = 3 if "x" not in arguments else int(arguments["x"])', {"x": 3}),
        (
            BEFORE + 'if "x" not in arguments:\n  a = 3\nelse:\n  a = int(arguments["x"])',
            {"x": 3},
        ),
        (
            CHOSEN_BY_PRESENCE,
            {
                "workspace_name": "simpleorchestrationworkspace",
                "pipeline_name": "simpleorchestrationpipeline",
            },
        ),
        (
            CHOSEN_BY_TASK,
            {"workspace_name": "bigqueryworkspace", "pipeline_name": "bigquerypipeline"},
        ),
        ('a = wl.task_args() if wl.in_task() else {}\na["x"]', {"x": None}),
        ('a = wl.task_args() or {}\na["x"]', {"x": None}),
        ('a: dict = dict(wl.task_args())\na["x"]', {"x": None}),
        ('if (a := wl.task_args()):\n    a["x"]', {"x": None}),
        ('def f():\n    a = wl.task_args()\n    return a["x"]', {"x": None}),
    ],
)
def test_what_a_script_reads_is_found(source: str, expected: dict[str, JSON]) -> None:
    assert argument_names(source) == expected
    assert list(argument_names(source)) == list(expected)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "if",
        "\0",
        "'\ud800'",
        'a = {}\na["x"]',
        BEFORE + 'arguments["x"] = 3',
        BEFORE + "arguments[name]\narguments.get(name)\narguments[0]",
        BEFORE + 'other["x"]\nother.get("x", 3)\n"x" in other',
        BEFORE + '# arguments["x"]\n"arguments[\'x\']"',
        BEFORE + 'arguments[""]\narguments["\\ud800"]\narguments["\\0"]',
        BEFORE + f'arguments["{"x" * 101}"]',
        BEFORE + 'arguments["x"]' + " " * MAX_SOURCE_CHARACTERS,
    ],
)
def test_nothing_else_is_taken_for_an_argument(source: str) -> None:
    assert argument_names(source) == {}


def test_the_sample_gives_its_names() -> None:
    sample = Path(orchestrations.__file__).parent / "samples" / "donuts" / "main.py"
    assert argument_names(sample.read_text()) == {"donuts": 6, "glaze": None}


def test_so_many_names_and_no_more() -> None:
    source = BEFORE + "".join(f'arguments["a{number}"]\n' for number in range(MAX_NAMES + 1))
    assert list(argument_names(source)) == [f"a{number}" for number in range(MAX_NAMES)]


@pytest.mark.parametrize(
    "source",
    [
        "(" * 10_000,
        "-" * 10_000 + "1",
        "a" + ".a" * 10_000,
        "a + " * 10_000 + "a",
        "wl.task_args() if a else " * 500 + "1",
        'wl.task_args().get("x", ' + "[" * 150 + "]" * 150 + ")",
        'wl.task_args().get("x", ' + "1+" * 900 + "1j)",
        'wl.task_args().get("x", 0x' + "f" * 20_000 + ")",
        "if a:\n    pass\n" + "elif a:\n    pass\n" * 1_000,
    ],
)
def test_no_depth_and_no_size_is_too_much(source: str) -> None:
    json.dumps(argument_names(source))


PIECES = [
    "wl.task_args()", "arguments", " = ", "[", "]", '"x"', ".get(", "(", ")", ", ", " in ",
    "if ", "else", ":", "\n", "\n    ", "1", "-", "{", "}", "\\", "lambda ", " or ", "dict(",
]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_text_whatever_raises(source: str) -> None:
    names = argument_names(source)

    assert all(isinstance(name, str) for name in names)
    json.dumps(names, allow_nan=False)
