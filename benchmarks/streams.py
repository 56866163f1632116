"""How a normal page fares while 200 pages poll and 50 logs are followed.

    python -m benchmarks.streams

One server, with cluster and agent. Each of 200 open pages of running runs asks for its summary
every 15 seconds, as a browser does; 50 logs grow by a line a second, each followed by one
stream. Meanwhile the list of workloads is asked for again and again, as it was before, when
nobody else was there.
"""

import asyncio
import os
import random
import time
from dataclasses import dataclass, field

from benchmarks.engine import engine
from benchmarks.logs import fetch, session_of
from benchmarks.server import wait_for

PAGES = 200
STREAMS = 50
EVERY_SECONDS = 15.0
OPENING_SECONDS = 15.0
LOOK_SECONDS = 15.0
WORKLOADS = 100


@dataclass
class Load:
    """What the others do, and what became of it."""

    session: str
    is_over: bool = False
    polls: int = 0
    unchanged: int = 0
    lines: int = 0
    errors: list[str] = field(default_factory=list)

    def head(self, path: str, **headers: str) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Cookie: wallaroo_session={self.session}\r\n{more}\r\n"
        ).encode()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect() -> Connection:
    return await asyncio.open_connection("127.0.0.1", int(os.environ["PORT"]), limit=1 << 22)


async def ask(connection: Connection, request: bytes) -> tuple[int, dict[str, str]]:
    """Send a request on a connection that stays open; return status and headers."""
    reader, writer = connection
    writer.write(request)
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.lower().partition(": ")[::2] for line in lines)
    await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split()[1]), headers


async def poll(load: Load, path: str) -> None:
    """Do what an open page does."""
    await asyncio.sleep(random.uniform(0, OPENING_SECONDS))
    etag = ""
    while not load.is_over:
        connection = await connect()  # By then the server has closed the one before.
        request = load.head(f"{path}summary/", **({"If-None-Match": etag} if etag else {}))
        status, headers = await ask(connection, request)
        connection[1].close()
        load.polls += 1
        load.unchanged += status == 304
        etag = headers.get("etag", etag)
        if status not in {200, 304}:
            load.errors.append(f"{path}: {status}")
        await asyncio.sleep(EVERY_SECONDS)


async def follow(load: Load, path: str) -> None:
    """Read a stream."""
    reader, writer = await connect()
    writer.write(load.head(f"{path}log/stream/"))
    while not load.is_over:
        piece = await reader.read(1 << 16)
        if not piece:
            load.errors.append(f"{path}: the stream ended")
            break
        load.lines += piece.count(b"event: lines")
    writer.close()


async def normal_page(load: Load, path: str) -> list[float]:
    """Ask for a page again and again; return how long each answer took."""
    connection = await connect()
    took: list[float] = []
    until = time.perf_counter() + LOOK_SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        status, _ = await ask(connection, load.head(path))
        took.append(time.perf_counter() - begun)
        assert status == 200, status
        await asyncio.sleep(0.1)
    connection[1].close()
    return took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def report(name: str, took: list[float]) -> None:
    p50, p95 = percentile(took, 0.5), percentile(took, 0.95)
    words = f"p50 {p50 * 1000:6.1f} ms   p95 {p95 * 1000:6.1f} ms   of {len(took)}"
    print(f"{name:12} {words}", flush=True)


async def measure(session: str, page: str, paths: list[str], logs: list) -> None:  # type: ignore[type-arg]
    load = Load(session)
    for path in (page, f"{paths[0]}summary/"):  # Warm.
        await ask(await connect(), load.head(path))
    idle = await normal_page(load, page)
    report("idle", idle)
    others = [asyncio.create_task(poll(load, path)) for path in paths]
    others += [asyncio.create_task(follow(load, path)) for path in paths[:STREAMS]]

    async def write() -> None:
        while not load.is_over:
            for log in logs:
                log.feed(b"stdout", b"one more line of what a script says\n")
                await asyncio.sleep(1 / len(logs))

    others.append(asyncio.create_task(write()))
    await asyncio.sleep(OPENING_SECONDS + 2 * EVERY_SECONDS)  # Until all are there.
    begun, polls, lines = time.perf_counter(), load.polls, load.lines
    meanwhile = await normal_page(load, page)
    seconds = time.perf_counter() - begun
    report("meanwhile", meanwhile)
    print(
        f"ratio of the p95s: {percentile(meanwhile, 0.95) / percentile(idle, 0.95):.1f}   "
        f"({(load.polls - polls) / seconds:.0f} polls and {(load.lines - lines) / seconds:.0f} "
        f"lines a second, {load.unchanged} of {load.polls} polls unchanged, "
        f"{len(load.errors)} errors)"
    )
    load.is_over = True
    await asyncio.gather(*others)
    for error in load.errors[:5]:
        print(error)


def main() -> None:
    with engine():
        from django.utils import timezone

        from tasks.models import Task, TaskRun
        from tests.factories import make_orchestration
        from wallaroo_ui.accounts.models import User
        from wallaroo_ui.executions import supervisor
        from wallaroo_ui.workspaces.models import Membership, Workspace

        user = User.objects.create_user("bench", "bench@example.com", "bench")
        workspace = Workspace.objects.create(name="bench")
        Membership.objects.create(workspace=workspace, user=user, role="owner")
        orchestrations = [make_orchestration(workspace) for _ in range(WORKLOADS)]
        tasks = Task.objects.bulk_create(
            Task(orchestration=orchestrations[n % WORKLOADS], name=f"task {n}", created_by=user)
            for n in range(PAGES)
        )
        now = timezone.now()
        runs = TaskRun.objects.bulk_create(
            TaskRun(
                task=task,
                orchestration_id=task.orchestration_id,
                status="running",
                queued_at=now,
                claimed_at=now,
                started_at=now,
            )
            for task in tasks
        )
        logs = []
        for run in runs[:STREAMS]:
            run.spool.create()
            logs.append(supervisor.Log(str(run.spool.directory), limit=1 << 60))
        wait_for(lambda: fetch("/readyz", ""), "a ready server")
        paths = [run.get_absolute_url() for run in runs]
        asyncio.run(measure(session_of(user), workspace.get_absolute_url(), paths, logs))


if __name__ == "__main__":
    main()
