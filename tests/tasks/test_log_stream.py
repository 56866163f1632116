"""The stream of a run's log: what it sends, and when it ends."""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.models import Orchestration
from tasks import log_stream
from tasks.log_stream import HEARTBEAT_SECONDS, LONGEST_SECONDS, RECHECK_SECONDS, RunState, follow
from tasks.models import TaskRun
from tests.factories import make_run, make_task
from tests.processes import Processes, wait_until
from wallaroo_ui.executions import supervisor
from wallaroo_ui.executions.models import Status
from wallaroo_ui.streaming import is_closing

Event = dict[str, Any]


class World:
    """A run that is watched: no database, and a clock that the test moves."""

    def __init__(self) -> None:
        self.run = TaskRun(pk=uuid.uuid4(), status=Status.RUNNING, fence=1)
        self.run.spool.create()
        self.log = supervisor.Log(str(self.run.spool.directory), limit=1 << 60)
        self.states = {self.run.pk: RunState(Status.RUNNING, 1, self.run.updated_at)}
        self.now = 0.0
        self.looks = 0
        self.may_go_on = True

    def write(self, *texts: str) -> None:
        self.log.feed(b"stdout", "".join(f"{text}\n" for text in texts).encode())

    def set_status(self, status: Status) -> None:
        self.states[self.run.pk] = RunState(status, 1, self.run.updated_at)

    def read_states(self, pks: set[uuid.UUID]) -> dict[uuid.UUID, RunState]:
        self.looks += 1
        return {pk: state for pk, state in self.states.items() if pk in pks}

    def clock(self) -> float:
        self.now += 0.5
        return self.now

    def follow(self, offset: int = 0) -> AsyncIterator[bytes]:
        return follow(self.run, offset=offset, may_go_on=lambda: self.may_go_on, clock=self.clock)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(log_stream, "LOOK_SECONDS", 0)
    monkeypatch.setattr(log_stream, "board", log_stream.StatusBoard())
    monkeypatch.setattr(log_stream, "_read_states", world.read_states)
    return world


def parse(data: bytes) -> Event:
    return dict(line.partition(": ")[::2] for line in data.decode().strip().split("\n"))


def collect(
    stream: AsyncIterator[bytes], after_each: Callable[[Event], object] = lambda event: None
) -> list[Event]:
    """Read a stream to its end; `after_each` makes what happens next."""

    async def read() -> list[Event]:
        events = []
        async for data in stream:
            events.append(parse(data))
            after_each(events[-1])
        return events

    return asyncio.run(read())


def lines(events: list[Event]) -> list[tuple[int, int]]:
    loaded = [json.loads(event["data"]) for event in events if event.get("event") == "lines"]
    return [(each["first"], each["last"]) for each in loaded]


def test_every_line_comes_once_and_the_end_last(world: World) -> None:
    world.write("one", "two")
    written: Iterator[list[str]] = iter([["a", "b", "c"]] * 3 + [["the last"]])

    def go_on(event: Event) -> None:
        if event.get("event") == "lines":
            texts = next(written, [])
            world.write(*texts)
            if texts == ["the last"]:
                world.set_status(Status.SUCCESS)

    events = collect(world.follow(), go_on)

    assert lines(events) == [(1, 2), (3, 5), (6, 8), (9, 11), (12, 12)]
    assert [event["event"] for event in events[-2:]] == ["status", "end"]
    assert events[-1]["data"] == "success"
    assert events[-1]["id"] == str(world.run.spool.log.stat().st_size)


def test_a_reader_who_comes_back_gets_what_came_since(world: World) -> None:
    world.write("one", "two")
    size = world.run.spool.log.stat().st_size
    world.write("three")
    world.set_status(Status.FAILURE)
    events = collect(world.follow(size))
    assert lines(events) == [(3, 3)]
    assert "three" in json.loads(events[1]["data"])["html"]


def test_a_change_of_status_is_told(world: World) -> None:
    world.run.status = Status.QUEUED
    world.set_status(Status.QUEUED)
    following = iter([Status.STARTING, Status.RUNNING, Status.KILLED])

    def change(event: Event) -> None:
        if event.get("event") in {None, "status"}:
            status = next(following, None)
            if status:
                world.set_status(status)

    events = collect(world.follow(), change)
    assert [each["data"] for each in events if each.get("event") == "status"] == [
        "starting",
        "running",
        "killed",
    ]


def test_a_line_that_is_half_written_waits_for_its_end(world: World) -> None:
    with world.run.spool.log.open("ab") as file:
        file.write(b"2026-03-01T12:00:00.000000001Z stdout F half")
    world.states.clear()
    assert lines(collect(world.follow())) == []
    world.set_status(Status.SUCCESS)
    with world.run.spool.log.open("ab") as file:
        file.write(b" and half\n")
    assert lines(collect(world.follow())) == [(1, 1)]


def test_a_flood_is_sent_as_its_newest_lines(world: World) -> None:
    world.write(*["x"] * 10_000)
    world.set_status(Status.SUCCESS)
    assert lines(collect(world.follow())) == [(9501, 10_000)]


def test_a_log_that_is_deleted_meanwhile_is_no_error(world: World) -> None:
    world.write("one")

    def delete(event: Event) -> None:
        if event.get("event") == "lines":
            world.run.spool.remove()
            world.set_status(Status.KILLED)

    assert collect(world.follow(), delete)[-1]["event"] == "end"


def test_a_run_that_is_deleted_ends_the_stream(world: World) -> None:
    world.states.clear()
    assert [event.get("event") for event in collect(world.follow())] == [None]


def test_a_stream_ends_after_some_minutes(world: World) -> None:
    events = collect(world.follow())
    assert LONGEST_SECONDS <= world.now <= LONGEST_SECONDS + 5
    assert all("event" not in event for event in events)


def test_a_quiet_stream_shows_that_it_lives(world: World) -> None:
    events = collect(world.follow())
    assert len(events) - 1 == pytest.approx(LONGEST_SECONDS / HEARTBEAT_SECONDS, abs=2)


def test_a_stream_ends_when_its_reader_may_read_no_more(world: World) -> None:
    world.may_go_on = False
    collect(world.follow())
    assert RECHECK_SECONDS <= world.now <= RECHECK_SECONDS + 5


def test_a_stream_ends_with_the_process(world: World) -> None:
    try:
        collect(world.follow(), lambda event: is_closing.set())
    finally:
        is_closing.clear()
    assert world.now < 5


def test_one_query_a_second_serves_all_streams(world: World) -> None:
    others = [TaskRun(pk=uuid.uuid4(), status=Status.RUNNING, fence=1) for _ in range(20)]
    for each in others:
        world.states[each.pk] = RunState(Status.RUNNING, 1, each.updated_at)
    clock = iter(range(10**9))

    async def read_all() -> None:
        async def read(run: TaskRun) -> None:
            # All see the same clock; it moves a hundredth of a second with each look.
            stream = follow(run, offset=0, may_go_on=lambda: True, clock=lambda: next(clock) / 100)
            async for _ in stream:
                pass

        await asyncio.gather(*(read(run) for run in others))

    asyncio.run(read_all())

    seconds = next(clock) / 100
    assert seconds >= LONGEST_SECONDS
    assert world.looks <= seconds + 2


def test_a_board_forgets_whom_nobody_watches(world: World) -> None:
    board = log_stream.StatusBoard()
    with board.watching(world.run), board.watching(world.run):
        pass
    assert not board._watched
    assert not board._states


@pytest.mark.django_db(transaction=True)
def test_states_are_read_from_the_database(orchestration: Orchestration) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING, fence=3)

    async def ask() -> RunState | None:
        board = log_stream.StatusBoard()
        with board.watching(run):
            await asyncio.to_thread(TaskRun.objects.filter(pk=run.pk).update, fence=4)
            return await board.state_of(run.pk, at=10.0)

    assert asyncio.run(ask()) == RunState("running", 4, run.updated_at)


# -- A real server ---------------------------------------------------------------------


def open_stream(processes: Processes, client: Client, run: TaskRun) -> socket.socket:
    """Open a stream and read its first bytes."""
    cookie = client.cookies["wallaroo_session"].value
    connection = socket.create_connection(("127.0.0.1", processes.port))
    processes.held.append(connection)
    path = reverse("tasks:run-log-stream", args=[run.pk])
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: wallaroo_session={cookie}\r\n\r\n"
    connection.sendall(head.encode())
    received = b""
    while b"retry: " not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    assert b"200 OK" in received
    return connection


@pytest.mark.engine
def test_streams_hold_neither_threads_nor_files_and_end_with_the_server(
    processes: Processes, owner_client: Client, orchestration: Orchestration
) -> None:
    run = make_run(make_task(orchestration), status=Status.RUNNING)
    web = processes.start_web()
    open_stream(processes, owner_client, run)
    count = 20
    # The threads that serve all streams are there by now; what else a stream has is its socket.
    wait_until(lambda: web.num_threads() <= 10, "threads to be given back")
    files = web.num_fds()

    connections = [open_stream(processes, owner_client, run) for _ in range(count)]

    wait_until(lambda: web.num_threads() <= 10, "threads to be given back")
    wait_until(lambda: web.num_fds() <= files + count + 3, "files to be closed")

    web.terminate()
    assert web.wait(timeout=5) in {0, -15}
    for connection in connections:
        rest = b""
        while piece := connection.recv(65536):
            rest += piece
        assert rest.endswith(b"0\r\n\r\n")  # Ended, not cut off.
