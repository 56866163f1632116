"""From the press of Run to the script's first line, beside the floor.

    python -m benchmarks.trigger [RUNS]

The floor is the same script, started directly by the same environment's interpreter,
measured in between the runs, so both see the same machine at the same time. The last
lines say where the time goes.
"""

import datetime as dt
import io
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from itertools import pairwise
from pathlib import Path

from benchmarks.server import Browser, running_server, wait_for

SCRIPT = 'import time; print("first line at", time.time_ns())\n'
FIRST_LINE = re.compile(r"first line at (\d+)")


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("main.py", SCRIPT)
    return packed.getvalue()


def floor(python: Path, script: Path) -> float:
    """Return the milliseconds from starting the interpreter to the script's first line."""
    began = time.time_ns()
    output = subprocess.run([python, script], capture_output=True, text=True, check=True).stdout
    found = FIRST_LINE.search(output)
    assert found
    return (int(found[1]) - began) / 1e6


def trigger(browser: Browser, path: str, token: str) -> tuple[str, int, int]:
    """Press Run; return the run's id, when that was, and when its first line came (ns)."""
    began = time.time_ns()
    page = browser.post(path, {"name": "bench", "kind": "once", "timeout": "60"}, token=token)
    log = ""

    def has_line() -> bool:
        nonlocal log
        log = browser.get(f"{page}log/raw/")
        return "WALLAROO: success" in log

    wait_for(has_line, "the first line", seconds=30)
    found = FIRST_LINE.search(log)
    assert found
    return page.split("/")[2], began, int(found[1])


def spans(data_dir: Path, run: str, began: int, first_line: int) -> list[float]:
    """Return the milliseconds of each part of the way."""
    with sqlite3.connect(data_dir / "db.sqlite3") as database:
        row = database.execute(
            "select queued_at, claimed_at, started_at from tasks_taskrun where id = ?",
            [run.replace("-", "")],
        ).fetchone()
    moments = [
        began / 1e6,
        *(
            dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000
            for text in row
        ),
        first_line / 1e6,
    ]
    return [later - earlier for earlier, later in pairwise(moments)]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main(runs: int) -> None:
    os.environ.pop("DATABASE_URL", None)
    with running_server() as (browser, data_dir), tempfile.TemporaryDirectory() as scratch:
        list_page = browser.get("/workspaces/")
        workspace = re.search(r'href="(/workspaces/\d+/workloads/)"', list_page)
        assert workspace
        upload = f"{workspace[1]}upload/"
        page = browser.upload(upload, archive(), token=browser.token(upload))
        wait_for(
            lambda: any((data_dir / "environments").glob("base-*/bin/python")),
            "the base environment",
        )
        wait_for(lambda: 'data-status="ready"' in browser.get(page), "packaging")
        python = next((data_dir / "environments").glob("base-*/bin/python"))
        script = Path(scratch) / "main.py"
        script.write_text(SCRIPT)

        create = f"{page}tasks/new/"
        token = browser.token(create)
        trigger(browser, create, token)
        floors, totals, parts = [], [], []
        for _ in range(runs):
            floors.append(floor(python, script))
            run, began, first_line = trigger(browser, create, token)
            totals.append((first_line - began) / 1e6)
            parts.append(spans(data_dir, run, began, first_line))

    base = statistics.median(floors)
    print(f"floor    p50 {base:6.1f} ms   p95 {percentile(floors, 0.95):6.1f} ms")
    p50, p95 = statistics.median(totals), percentile(totals, 0.95)
    print(f"trigger  p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   ({runs} runs)")
    print(f"ratio    p50 {p50 / base:6.1f} x    p95 {p95 / base:6.1f} x the floor's p50")
    names = ("HTTP request until queued", "queued until claimed",
             "claimed until supervisor starts it", "started until the first line")  # fmt: skip
    for name, values in zip(names, zip(*parts, strict=True), strict=True):
        print(f"  {name:36} p50 {statistics.median(values):6.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
