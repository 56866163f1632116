"""A run's log over HTTP: the page without scripts, windows, search, raw and download."""

import asyncio
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.urls import reverse

from orchestrations.models import Orchestration
from tasks import log_views
from tasks.models import TaskRun
from tests.factories import make_run, make_task, make_user
from wallaroo_ui.accounts.models import User
from wallaroo_ui.executions import logstore, supervisor
from wallaroo_ui.executions.logstore import LogWindow, read_tail
from wallaroo_ui.executions.models import Status
from wallaroo_ui.workspaces.models import Membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(orchestration: Orchestration) -> TaskRun:
    return make_run(make_task(orchestration), status=Status.RUNNING)


@pytest.fixture
def log(run: TaskRun) -> supervisor.Log:
    """Two thousand lines; every hundredth has a word of its own."""
    run.spool.create()
    log = supervisor.Log(str(run.spool.directory), limit=1 << 60)
    write(log, *[f"line {n}{' Century' if n % 100 == 0 else ''}" for n in range(1, 2001)])
    return log


def write(log: supervisor.Log, *texts: str, stream: bytes = b"stdout") -> None:
    log.feed(stream, "".join(f"{text}\n" for text in texts).encode())


def page(client: Client, run: TaskRun, **query: Any) -> str:
    return client.get(run.get_absolute_url(), query).content.decode()


def shown(html: str) -> list[int]:
    """Return the numbers of the lines that a page shows."""
    return [int(part.partition('"')[0]) for part in html.split('class="log-row" id="L')[1:]]


def ask(client: Client, run: TaskRun, name: str = "run-log", **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(reverse(f"tasks:{name}", args=[run.pk]), query).json()
    return answer


# -- Without scripts -------------------------------------------------------------------


def test_the_page_shows_the_end_of_the_log(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    html = page(owner_client, run)
    assert shown(html) == list(range(1801, 2001))
    assert 'href="?first=1601#log"' in html
    assert "Later lines" not in html
    assert 'http-equiv="refresh"' in html


def test_a_link_to_lines_shows_and_marks_them(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    html = page(owner_client, run, line="120-122")
    assert shown(html) == list(range(100, 300))
    chosen = [row.partition('"')[0] for row in html.split('id="L')[1:] if "data-chosen" in row[:60]]
    assert chosen == ["120", "121", "122"]
    # Who reads there is not to be taken away.
    assert 'http-equiv="refresh"' not in html


def test_links_lead_through_the_whole_log(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    seen: list[int] = []
    later: str | None = "1"
    while later:
        html = page(owner_client, run, first=later)
        seen += shown(html)
        later = html.partition('">Later lines')[0].rpartition("?first=")[2].partition("#")[0]
        later = later if "Later lines" in html else None
    assert seen == list(range(1, 2001))


def test_a_search_lists_its_hits_and_goes_on(
    owner_client: Client,
    run: TaskRun,
    log: supervisor.Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_views, "HITS_SHOWN", 15)
    html = page(owner_client, run, q="century")
    assert "15 or more lines with “century”" in html
    assert "line 1500 Century" in html
    assert "line=1600" not in html.partition('id="run-log"')[0]
    following = html.partition("&amp;from=")[2].partition("#")[0]
    html = page(owner_client, run, q="century", **{"from": following})
    assert "5 lines with “century”" in html
    assert "<mark>Century</mark>" in html


def test_a_search_without_hits_says_so(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    assert "No line with “&lt;b&gt;”" in page(owner_client, run, q="<b>")


@pytest.mark.parametrize(
    "query",
    [
        {"line": "x"},
        {"line": "0"},
        {"line": "9" * 15},
        {"line": "5-1"},
        {"line": "9" * 99},
        {"first": "-1"},
        {"first": "99999"},
        {"after": "\u0661"},
        {"q": "x" * 10_000, "from": "abc"},
        {"q": "\0\n\r"},
    ],
)
def test_strange_places_are_no_error(
    query: dict[str, str], owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    assert owner_client.get(run.get_absolute_url(), query).status_code == 200
    for name in ("run-log", "run-log-search"):
        url = reverse(f"tasks:{name}", args=[run.pk])
        assert owner_client.get(url, query).status_code == 200


def test_what_a_script_prints_is_shown_and_not_run(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    write(log, "\x1b[31m<script>alert(1)</script>\x1b[0m", "50%\r100%", stream=b"stderr")
    html = page(owner_client, run)
    assert "<script>alert" not in html
    assert '<span class="ansi-red">&lt;script&gt;alert(1)&lt;/script&gt;</span>' in html
    assert '<span class="log-stream">stderr </span>100%</span>' in html


# -- Windows for the page's script -----------------------------------------------------


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, 1501, 2000),
        ({"line": "1000"}, 980, 1479),
        ({"line": "5"}, 1, 500),
        ({"first": "1990"}, 1990, 2000),
        ({"before": "1000"}, 500, 999),
        ({"before": "1"}, 0, 0),
        ({"first": "2001"}, 0, 0),
    ],
)
def test_a_window_can_be_anywhere(
    query: dict[str, str],
    first: int,
    last: int,
    owner_client: Client,
    run: TaskRun,
    log: supervisor.Log,
) -> None:
    answer = ask(owner_client, run, **query)
    assert (answer["first"], answer["last"]) == (first, last)
    assert shown(answer["html"]) == (list(range(first, last + 1)) if first else [])
    assert answer["total"] == 2000
    assert (answer["status"], answer["finished"]) == ("running", False)


def test_reading_goes_on_from_where_it_was(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    end = ask(owner_client, run)["end"]
    write(log, "new")
    answer = ask(owner_client, run, after=end)
    assert (answer["first"], answer["last"]) == (2001, 2001)
    assert answer["end"] == run.spool.log.stat().st_size
    assert ask(owner_client, run, after=answer["end"])["html"] == ""


def test_the_script_gets_the_lines_of_hits(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    answer = ask(owner_client, run, "run-log-search", q="CENTURY")
    end = run.spool.log.stat().st_size
    assert answer == {"hits": list(range(100, 2001, 100)), "next": None, "end": end}
    assert ask(owner_client, run, "run-log-search", q=" ")["hits"] == []
    write(log, "a new century")
    later = ask(owner_client, run, "run-log-search", **{"q": "century", "from": str(end)})
    assert later["hits"] == [2001]


def test_a_window_to_the_end_holds_it_though_the_log_grows_meanwhile(
    owner_client: Client, run: TaskRun, log: supervisor.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*asked: Any, **more: Any) -> LogWindow:
        window = read_tail(*asked, **more)
        write(log, "written in this very moment")
        return window

    monkeypatch.setattr(logstore, "read_tail", read)
    answer = ask(owner_client, run)
    assert answer["last"] == answer["total"]


def test_a_log_that_is_not_there_is_empty(owner_client: Client, run: TaskRun) -> None:
    assert shown(page(owner_client, run)) == []
    assert ask(owner_client, run)["last"] == 0
    assert ask(owner_client, run, "run-log-search", q="x")["hits"] == []
    raw = owner_client.get(reverse("tasks:run-log-raw", args=[run.pk]))
    assert (raw.status_code, b"".join(raw)) == (200, b"")


# -- All of it -------------------------------------------------------------------------


def fetch(client: Client, run: TaskRun, name: str = "run-log-download", **headers: str) -> Any:
    return client.get(reverse(f"tasks:{name}", args=[run.pk]), headers=headers)


def test_raw_is_shown_as_text_and_download_saved(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    data = run.spool.log.read_bytes()
    for name, disposition in (("run-log-raw", "inline"), ("run-log-download", "attachment")):
        response = fetch(owner_client, run, name)
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Disposition"].startswith(disposition)
        assert response["Content-Length"] == str(len(data))
        assert b"".join(response) == data


def test_a_part_can_be_had(owner_client: Client, run: TaskRun, log: supervisor.Log) -> None:
    data = run.spool.log.read_bytes()
    part = fetch(owner_client, run, Range="bytes=100-199")
    assert part.status_code == 206
    assert part["Content-Range"] == f"bytes 100-199/{len(data)}"
    assert (part["Content-Length"], b"".join(part)) == ("100", data[100:200])

    beyond = fetch(owner_client, run, Range=f"bytes={len(data)}-")
    assert beyond.status_code == 416
    assert beyond["Content-Range"] == f"bytes */{len(data)}"


def test_a_head_says_how_long_it_is(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    url = reverse("tasks:run-log-download", args=[run.pk])
    response = owner_client.head(url)
    assert response["Content-Length"] == str(run.spool.log.stat().st_size)
    assert response["Accept-Ranges"] == "bytes"
    assert response.content == b""


def test_a_download_that_broke_off_goes_on_though_the_log_has_grown(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    etag = fetch(owner_client, run)["ETag"]
    begun = run.spool.log.read_bytes()[:500]
    write(log, "more")
    rest = fetch(owner_client, run, Range="bytes=500-", **{"If-Range": etag})
    assert rest.status_code == 206
    assert begun + b"".join(rest) == run.spool.log.read_bytes()


def test_a_download_of_another_log_begins_anew(
    owner_client: Client, run: TaskRun, log: supervisor.Log, orchestration: Orchestration
) -> None:
    size = run.spool.log.stat().st_size
    other = make_run(make_task(orchestration), status=Status.RUNNING)
    tags = (
        fetch(owner_client, other)["ETag"],
        f'"{run.pk}-{run.fence}-{size + 1}"',
        f'W/"{run.pk}-{run.fence}-{size}"',
        "Sun, 01 Mar 2026 12:00:00 GMT",
    )
    for tag in tags:
        for wanted in ("bytes=5-", f"bytes={size}-"):
            response = fetch(owner_client, run, Range=wanted, **{"If-Range": tag})
            assert response.status_code == 200, tag
            assert response["Content-Length"] == str(size)


def test_what_is_written_meanwhile_is_not_in_the_answer(
    owner_client: Client, run: TaskRun, log: supervisor.Log
) -> None:
    before = run.spool.log.read_bytes()
    response = fetch(owner_client, run)
    write(log, "meanwhile")
    assert b"".join(response) == before


# -- The stream's door -----------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_stream_goes_on_where_the_browser_had_come_to(
    owner: User, run: TaskRun, log: supervisor.Log
) -> None:
    size = run.spool.log.stat().st_size
    write(log, "news")

    async def first_event(**headers: str) -> tuple[Any, bytes]:
        client = AsyncClient()
        await client.aforce_login(owner)
        url = reverse("tasks:run-log-stream", args=[run.pk])
        response: Any = await client.get(url, {"after": "0"}, headers=headers)
        stream = aiter(response.streaming_content)
        await anext(stream)
        event: bytes = await anext(stream)
        await stream.aclose()
        return response, event

    response, event = asyncio.run(first_event(**{"Last-Event-ID": str(size)}))

    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-transform" in response["Cache-Control"]
    assert b'"first": 2001, "last": 2001' in event
    _, event = asyncio.run(first_event())
    assert b'"last": 2001, "skipped": 1501' in event


def test_who_may_still_read_is_asked_of_session_and_membership(
    owner: User, run: TaskRun, rf: Any
) -> None:
    client = Client()
    client.force_login(owner)

    def may_read() -> bool:
        request = rf.get("/")
        request.session = client.session
        return log_views._may_still_read(request, run.pk)

    assert may_read()
    Membership.objects.filter(user=owner).delete()
    assert not may_read()
    Membership.objects.create(user=owner, workspace=run.task.workspace, role="viewer")
    assert may_read()
    owner.set_password("another horse")
    owner.save()
    assert not may_read()
    client.force_login(make_user(is_superuser=True))
    assert may_read()
    kept = client.session
    Session.objects.all().delete()
    request = rf.get("/")
    request.session = kept
    assert not log_views._may_still_read(request, run.pk)
