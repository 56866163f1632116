"""What the documentation shows of the SDK, carried out: docs/sdk.md and the tour."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from orchestrations.environments import Environment
from tests.factories import make_zip
from tests.sdk.conftest import PASSWORD, Sdk
from tests.sdk.shown import fields

pytestmark = pytest.mark.engine

DOCS: Path = settings.BASE_DIR / "docs"
TOUR = DOCS / "sdk-tour.ipynb"


def block(file: Path, heading: str) -> str:
    """Return the first block of Python below a heading."""
    _, _, section = file.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_ten_lines_make_a_scheduled_task(sdk: Sdk, newcomer: Any, tmp_path: Path) -> None:
    archive = tmp_path / "hello.zip"
    script = block(settings.BASE_DIR / "README.md", "Your first orchestration")
    archive.write_bytes(make_zip({"main.py": script, "requirements.txt": ""}))
    lines = block(DOCS / "sdk.md", "In ten lines").replace('"hello.zip"', repr(str(archive)))

    # The newcomer has just logged in over there.
    sdk.interpreter.call("builtins.exec", lines, {})

    [task] = newcomer.list_tasks()
    assert fields(task)["Schedule"] == "30 2 * * *"
    assert task.status() == "started"
    assert len([line for line in lines.splitlines() if line]) <= 10


def test_the_tour_runs_from_its_first_cell_to_its_last(
    sdk: Sdk, ann: Any, environment: Environment, tmp_path: Path
) -> None:
    variables = sdk.variables(
        sdk.new_home(),
        WALLAROO_SDK_AUTH_TYPE="user_password",
        WALLAROO_USER="ann@example.com",
        WALLAROO_PASSWORD=PASSWORD,
    )
    executed = tmp_path / TOUR.name
    executed.write_bytes(TOUR.read_bytes())

    # It ends with an error, which says which cell and why, as soon as a cell does.
    jupyter = environment.directory / "bin" / "jupyter-execute"
    subprocess.run([jupyter, "--inplace", executed], env=os.environ | variables, check=True)

    said = "".join(outputs(executed))
    for words in (
        "logged in as ann@example.com",
        "ann@example.com - Default Workspace",
        "<td>*****</td>",  # The details of the connection.
        "<td>bakery.zip</td>",
        "<td>Temporary Run</td>",
        "<td>success</td>",
        "donut 3 is ready",
        "<td>30 2 * * *</td>",
        "<td>nightly donuts</td>",
    ):
        assert words in said
    assert "secret" not in said


def test_the_tour_is_committed_without_outputs() -> None:
    assert outputs(TOUR) == []


def outputs(notebook: Path) -> list[str]:
    """Return what a notebook's cells have shown, as HTML where there is some."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    found = []
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        shown = output.get("data", {})
        found.append("".join(output.get("text") or shown.get("text/html") or shown["text/plain"]))
    return found
