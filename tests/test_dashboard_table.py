"""docs/dashboard.md names templates and tests that exist."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs/dashboard.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| field")
]
TESTS = list((ROOT / "tests").rglob("test_*.py"))
NAMES = {path.name for path in TESTS}
SOURCES = "".join(path.read_text(encoding="utf-8") for path in TESTS)


def named(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_field_has_its_template_and_its_test(row: list[str]) -> None:
    _field, page, templates, tests = row
    assert page
    assert named(templates)
    assert named(tests)
    for template in named(templates):
        assert (ROOT / "templates" / template).is_file(), template
    for test in named(tests):
        is_there = test.rpartition("/")[2] in NAMES if ".py" in test else f"def {test}(" in SOURCES
        assert is_there, test
