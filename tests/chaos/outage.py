"""A database that is away for a while, for the server's processes alone."""

import contextlib
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator

from django.db import connection

from tests.processes import Processes


class Proxy:
    """A way to PostgreSQL that can be cut. Nobody else's way is touched."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        self.listener: socket.socket | None = None
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.restore()

    def restore(self) -> None:
        """Take connections again, at the same address as before."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self.lock:
            listener, self.listener = self.listener, None
            broken, self.open = self.open, set()
        for each in broken:
            _close(each)
        if listener is not None:
            _close(listener)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:  # Cut.
                return
            outer = socket.create_connection(self.target)
            with self.lock:
                if self.listener is not listener:
                    _close(inner)
                    _close(outer)
                    return
                self.open |= {inner, outer}
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pump, args=[source, sink], daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self.lock:
            self.open -= {source, sink}
        _close(source)
        _close(sink)


def _close(each: socket.socket) -> None:
    """Close a socket, and wake whoever waits at it."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextlib.contextmanager
def breakable_database(processes: Processes) -> Iterator["Outages"]:
    """Have processes started from here on reach a database that can be taken away."""
    if connection.vendor == "sqlite":
        yield SqliteOutages(str(connection.settings_dict["NAME"]))
        return
    url = processes.variables["DATABASE_URL"]
    found = re.search(r"@([^/:]+):(\d+)/", url)
    assert found, url
    proxy = Proxy((found[1], int(found[2])))
    there = url.replace(found[0], f"@127.0.0.1:{proxy.port}/")
    processes.variables["DATABASE_URL"] = there
    try:
        yield PostgresOutages(proxy)
    finally:
        processes.variables["DATABASE_URL"] = url
        proxy.cut()


class Outages:
    """Takes a database away."""

    def away(self, seconds: float) -> None:
        """Take it away for so long."""
        raise NotImplementedError


class PostgresOutages(Outages):
    """The network to it is cut."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def away(self, seconds: float) -> None:
        """Cut every connection, and take new ones only afterwards."""
        self.proxy.cut()
        time.sleep(seconds)
        self.proxy.restore()


class SqliteOutages(Outages):
    """Somebody holds its file: a backup, or another program."""

    def __init__(self, path: str) -> None:
        self.path = path

    def away(self, seconds: float) -> None:
        """Let nobody write. Readers of a WAL database cannot be kept out by a lock."""
        with contextlib.closing(
            sqlite3.connect(self.path, timeout=30, isolation_level=None)
        ) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            other.execute("ROLLBACK")
