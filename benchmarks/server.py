"""A server of its own for a benchmark: a temporary data folder, real processes, HTTP."""

import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "benchmarks-only"


class Browser:
    """As much of a browser as forms need: cookies and the CSRF token."""

    def __init__(self, url: str) -> None:
        self.url = url
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str) -> str:
        with self.opener.open(f"{self.url}{path}", timeout=60) as response:
            return str(response.read(), "utf-8")

    def token(self, path: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path))
        assert found, f"no form at {path}"
        return found[1]

    def post(self, path: str, fields: dict[str, str], *, token: str) -> str:
        """Send a form; return the address that it led to."""
        data = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        with self.opener.open(f"{self.url}{path}", data, timeout=60) as response:
            return str(urllib.parse.urlsplit(response.url).path)

    def upload(self, path: str, archive: bytes, *, token: str) -> str:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
            f"{token}\r\n".encode(),
            f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; filename="b.zip"\r\n'
            f"Content-Type: application/zip\r\n\r\n".encode()
            + archive
            + b"\r\n",
            f"--{boundary}--\r\n".encode(),
        ]
        request = urllib.request.Request(
            f"{self.url}{path}",
            b"".join(parts),
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        with self.opener.open(request, timeout=60) as response:
            return str(urllib.parse.urlsplit(response.url).path)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"waited in vain for {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running_server(**variables: str) -> Iterator[tuple[Browser, Path]]:
    """Run a whole server; yield a logged-in browser and the data folder."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="wallaroo-bench-") as data_dir:
        environment = os.environ | {
            "DATA_DIR": data_dir,
            "PORT": str(port),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "LOG_LEVEL": "WARNING",
            **variables,
        }
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "prepare"], env=environment, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(
            [*manage, "serve", "--end-runs"], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            browser = Browser(f"http://127.0.0.1:{port}")
            wait_for(
                lambda: json.loads(browser.get("/readyz"))["status"] == "ready", "a ready server"
            )
            fields = {"username": "admin", "password": PASSWORD}
            browser.post("/login/", fields, token=browser.token("/login/"))
            yield browser, Path(data_dir)
        finally:
            server.terminate()
            server.wait(timeout=20)
