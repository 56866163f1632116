"""What is different between a run and an earlier one that worked."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrations import packages
from orchestrations.models import Version
from tasks.models import TaskRun
from tasks.run_changes import MOST_CHANGES, Change, changes_since
from wallaroo_ui.executions.models import Node


def run(**fields: Any) -> TaskRun:
    arguments = fields.pop("arguments", {})
    return TaskRun(**{"arguments_json": json.dumps(arguments)} | fields)


def make_environment(root: Path, name: str, *lines: str, base: str = "") -> None:
    directory = root / "environments" / name
    site = directory / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (directory / "packages.txt").write_text("".join(f"{line}\n" for line in lines))
    if base:
        behind = root / "environments" / base / "lib/python3.11/site-packages"
        (site / "_base.pth").write_text(f"{behind}\n")


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    packages._read.cache_clear()
    return tmp_path


def test_another_version_says_what_is_new_in_it() -> None:
    old, new = Version(number=2), Version(number=3, changes="main.py changed")
    assert changes_since(run(version=old), run(version=new)) == [
        Change("Archive", "", "version 2", "version 3: main.py changed")
    ]
    assert changes_since(run(version=Version(number=1)), run(version=new)) == [
        Change("Archive", "", "version 1", "version 3")
    ]
    assert changes_since(run(version=old), run(version=old)) == []


def test_equal_runs_have_no_changes() -> None:
    assert changes_since(run(arguments={"a": 1}), run(arguments={"a": 1})) == []


def test_arguments_are_compared_by_name() -> None:
    before = run(arguments={"same": [1, {"x": 2}], "gone": "x", "other": 1})
    after = run(arguments={"other": "1", "same": [1, {"x": 2}], "new": None})
    assert changes_since(before, after) == [
        Change("Argument", "gone", '"x"', ""),
        Change("Argument", "new", "", "null"),
        Change("Argument", "other", "1", '"1"'),
    ]


def test_the_order_and_spacing_of_arguments_do_not_count() -> None:
    before = run(arguments_json='{"a": {"x": 1, "y": 2}, "b": 1}')
    after = run(arguments_json='{"b":1,"a":{"y":2,"x":1}}')
    assert changes_since(before, after) == []


def test_long_values_are_shown_in_short_and_still_compared() -> None:
    (change,) = changes_since(
        run(arguments={"a": "x" * 999 + "1"}), run(arguments={"a": "x" * 999 + "2"})
    )
    assert change.before.endswith("… (1002 characters)")


def test_many_changes_are_counted() -> None:
    changes = changes_since(run(), run(arguments={f"{n:03}": n for n in range(100)}))
    assert len(changes) == MOST_CHANGES + 1
    assert changes[-1].name == f"and {100 - MOST_CHANGES} more"


@pytest.mark.parametrize("text", ["[1]", "nonsense", "null"])
def test_strange_arguments_are_no_error(text: str) -> None:
    assert changes_since(run(arguments_json=text), run(arguments_json=text)) == []


def test_timeout_node_and_isolation_are_compared() -> None:
    before = run(timeout_seconds=None, node=Node(name="a"), isolation="bubblewrap")
    after = run(timeout_seconds=90, node=Node(name="b"), isolation="process")
    assert [(each.what, each.before, each.after) for each in changes_since(before, after)] == [
        ("Timeout", "none", "1 min 30 s"),
        ("Node", "a", "b"),
        ("Isolation", "Sandboxed (bubblewrap)", "Not sandboxed (plain process)"),
    ]


def test_a_run_that_never_started_has_no_other_node() -> None:
    assert changes_since(run(node=Node(name="a"), isolation="process"), run()) == []


def test_packages_are_compared_with_those_of_the_base(root: Path) -> None:
    make_environment(root, "base-1", "wallaroo==1.0", "six==1.0")
    make_environment(root, "base-2", "wallaroo==2.0", "six==1.0")
    make_environment(root, "layer-1", "pandas==2.0", "old==1", base="base-1")
    make_environment(root, "layer-2", "pandas==2.1", "six==9.0", base="base-2")
    changes = changes_since(run(environment_name="layer-1"), run(environment_name="layer-2"))
    assert [(each.name, each.before, each.after) for each in changes] == [
        ("old", "1", ""),
        ("pandas", "2.0", "2.1"),
        ("six", "1.0", "9.0"),
        ("wallaroo", "1.0", "2.0"),
    ]


def test_an_environment_that_is_gone_is_named(root: Path) -> None:
    make_environment(root, "base-1", "six==1.0")
    changes = changes_since(run(environment_name="layer-9"), run(environment_name="base-1"))
    assert changes == [Change("Environment", "", "layer-9", "base-1")]


def test_an_environment_that_is_made_again_has_packages_again(root: Path) -> None:
    assert packages.packages_of("base-1") == {}
    make_environment(root, "base-1", "six==1.0", "nonsense", "")
    assert packages.packages_of("base-1") == {"six": "1.0"}
