"""What a log of 1 GB costs: first paint, jumps, a search, the live tail; and the web's memory.

    python -m benchmarks.logs [LINES]

The log is written by the supervisor's own code, so its format and its index are the real ones.
Only the web process runs. A figure in a browser is from the click to the line on the screen.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.server import ROOT, free_port, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tasks.models import TaskRun
    from wallaroo_ui.accounts.models import User
    from wallaroo_ui.executions.supervisor import Log

LINES = 10_000_000
BLOCK_LINES = 1000
TEXT = b"epoch %07d loss 0.43211 accuracy 0.93217 lr 0.00100 eta 0:12\n"
TAILS = 10


@contextmanager
def web_alone() -> Iterator[psutil.Process]:
    """Run the web process on a database of its own; yield it, with Django set up."""
    with tempfile.TemporaryDirectory(prefix="wallaroo-bench-") as data_dir:
        os.environ |= {
            "DATA_DIR": data_dir,
            "PORT": str(free_port()),
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "wallaroo_ui.settings",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright keeps an event loop in its thread.
        }
        manage = [sys.executable, str(ROOT / "manage.py")]
        for command in (["migrate", "--verbosity=0"], ["collectstatic", "--noinput", "-v0"]):
            subprocess.run([*manage, *command], check=True, stdout=subprocess.DEVNULL)
        import django

        django.setup()
        web = psutil.Popen([*manage, "web"], stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: fetch("/healthz", ""), "the web process")
            yield web
        finally:
            web.terminate()
            web.wait(timeout=20)


def session_of(user: "User") -> str:
    """Log in; return the session's cookie."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client.cookies["wallaroo_session"].value


def fetch(path: str, session: str) -> bytes:
    """Ask for a page on a connection of its own; raise OSError for all but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=60)
    connection.request("GET", path, headers={"Cookie": f"wallaroo_session={session}"})
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise OSError(f"{path}: {response.status}")
    connection.close()
    return data


class Cost:
    """How much a process has grown at its highest since `begin`, and worked."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.before = 0
        self.worked = 0.0

    def begin(self) -> None:
        # From here on the kernel counts the highest mark anew.
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        self.before = self.process.memory_info().rss
        self.worked = sum(self.process.cpu_times()[:2])

    def work(self) -> float:
        return sum(self.process.cpu_times()[:2]) - self.worked

    def growth(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        mark = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return max(0, int(mark.split()[1]) * 1024 - self.before) / 1e6


def write_log(run: "TaskRun", lines: int) -> "Log":
    from wallaroo_ui.executions import supervisor

    run.spool.create()
    log = supervisor.Log(str(run.spool.directory), limit=1 << 60)
    for start in range(0, lines - 1, BLOCK_LINES):
        numbers = range(start, min(start + BLOCK_LINES, lines - 1))
        log.feed(b"stdout", b"".join([TEXT % number for number in numbers]))
    log.feed(b"stdout", b"here is the needle\n")
    return log


def main(lines: int) -> None:
    with web_alone() as web:
        from django.utils import timezone

        from tasks.models import Task, TaskRun
        from tests.factories import make_orchestration
        from wallaroo_ui.accounts.models import User

        user = User.objects.create_superuser("bench", "bench@example.com", "bench")
        orchestration = make_orchestration(name="bench")
        task = Task.objects.create(orchestration=orchestration, name="bench", created_by=user)
        run = TaskRun.objects.create(
            task=task, orchestration=orchestration, status="running", started_at=timezone.now()
        )
        begun = time.perf_counter()
        log = write_log(run, lines)
        size = run.spool.log.stat().st_size
        print(
            f"{log.lines:,} lines, {size / 1e9:.2f} GB, written in "
            f"{time.perf_counter() - begun:.0f} s"
        )
        session, cost, path = session_of(user), Cost(web), run.get_absolute_url()
        for warm_up in (path, f"{path}log/", f"{path}log/search/?q=epoch"):
            fetch(warm_up, session)

        def measure(name: str, act: Callable[[], object], *, times: int = 5) -> None:
            cost.begin()
            took = []
            for _ in range(times):
                begun = time.perf_counter()
                act()
                took.append(time.perf_counter() - begun)
            report(name, took, cost)

        def search() -> None:
            found = json.loads(fetch(f"{path}log/search/?q=NEEDLE", session))
            assert (found["hits"], found["next"]) == ([log.lines], None), found

        middle = lines // 2
        measure("first paint, HTTP", lambda: fetch(path, session))
        measure("jump to the middle, HTTP", lambda: fetch(f"{path}log/?line={middle}", session))
        measure("search the last line, HTTP", search, times=3)
        in_browser(path, session, cost, middle, log)


def report(name: str, took: list[float], cost: Cost) -> None:
    took.sort()
    work = cost.work() / len(took)
    print(
        f"{name:34} p50 {took[len(took) // 2] * 1000:7.0f} ms   "
        f"most {took[-1] * 1000:7.0f} ms   web worked {work * 1000:7.0f} ms "
        f"and grew by {cost.growth():4.1f} MB",
        flush=True,
    )


def in_browser(path: str, session: str, cost: Cost, middle: int, log: "Log") -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, chromium

    if chromium() is None:
        print("no Chromium on this machine: nothing is measured in a browser")
        return
    url = f"http://127.0.0.1:{os.environ['PORT']}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = browser.new_context()
        context.add_cookies([{"name": "wallaroo_session", "value": session, "url": url}])
        page = context.new_page()
        page.goto(f"{url}{path}")  # So that styles and scripts are in the browser's cache.

        def measure(name: str, act: Callable[[], Any], *, times: int = 5) -> None:
            cost.begin()
            took = [act() for _ in range(times)]
            report(name, took, cost)

        def paint() -> float:
            page.goto(f"{url}{path}")
            page.wait_for_selector(f"#L{log.lines}")
            entry = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            page.wait_for_function(f"{entry} > 0")
            return float(page.evaluate(entry)) / 1000

        def jump() -> float:
            page.evaluate("document.querySelector('#log-to-end').click()")
            page.wait_for_selector(f"#L{log.lines}")
            return until_visible(page, f"#L{middle}", "document.querySelector('#log-middle')")

        def search() -> float:
            page.evaluate("document.querySelector('#log-beginning').click()")
            page.wait_for_selector("#L1")
            page.fill("#log-query", "")
            page.press("#log-query", "Enter")
            page.fill("#log-query", "needle")
            button = "document.querySelector('#log-query').form.querySelector('[type=submit]')"
            return until_visible(page, "[data-hit]", button)

        measure("first contentful paint, Chromium", paint)
        measure("jump to the middle, Chromium", jump)
        measure("search the last line, Chromium", search, times=3)
        page.evaluate("document.querySelector('#log-to-end').click()")
        page.wait_for_function("document.querySelector('#log-jump').hidden")
        measure("live tail, written to shown", lambda: tail(page, log), times=TAILS)
        browser.close()


def until_visible(page: "Page", selector: str, button: str) -> float:
    """Click a button; return the seconds until something is drawn in the log."""
    script = """([selector]) => new Promise((done) => {
        const begun = performance.now();
        BUTTON.click();
        const look = () => {
            const found = document.querySelector(`#log-rows ${selector}`);
            if (found) requestAnimationFrame(() => done(performance.now() - begun));
            else requestAnimationFrame(look);
        };
        look();
    })""".replace("BUTTON", button)
    return float(page.evaluate(script, [selector])) / 1000


def tail(page: "Page", log: "Log") -> float:
    """Write a line; return the seconds until it is drawn."""
    begun = time.perf_counter()
    log.feed(b"stdout", b"one more\n")
    page.wait_for_selector(f"#L{log.lines}")
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
