"""Searching logs that the supervisor's own `Log` writes."""

import tracemalloc
from pathlib import Path

import pytest

from wallaroo_ui.executions import log_search, supervisor
from wallaroo_ui.executions.log_search import BLOCK_BYTES, SearchResult, search
from wallaroo_ui.executions.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return spool


@pytest.fixture
def log(spool: Spool) -> supervisor.Log:
    return supervisor.Log(str(spool.directory), limit=1 << 60)


def write(log: supervisor.Log, *texts: str, stream: bytes = b"stdout") -> None:
    log.feed(stream, "".join(f"{text}\n" for text in texts).encode())


def lines(result: SearchResult) -> list[int]:
    return [hit.line for hit in result.hits]


def test_a_hit_says_its_line_its_place_and_its_text(spool: Spool, log: supervisor.Log) -> None:
    write(log, "one", "two")
    (hit,) = search(spool, "two").hits
    assert (hit.line, hit.text) == (2, "two")
    assert hit.offset == spool.log.read_bytes().index(b"\n") + 1


def test_case_does_not_count(spool: Spool, log: supervisor.Log) -> None:
    write(log, "An ERROR", "an error", "Größe", "GRÖSSE", "größe")
    assert lines(search(spool, "eRRor")) == [1, 2]
    assert lines(search(spool, "Größ")) == [3, 4, 5]
    assert lines(search(spool, "ö")) == [3, 4, 5]


@pytest.mark.parametrize("text", ["(a.*", "a\\b", "100%", "ab  c", "[x]"])
def test_the_text_is_plain(text: str, spool: Spool, log: supervisor.Log) -> None:
    write(log, "aXb 100 abc x", f"before {text} after")
    assert lines(search(spool, text)) == [2]


@pytest.mark.parametrize(
    "text", ["202", "2026-", "T", "12:", "Z", "stdout", "std", "stdout f", "f", "0", "."]
)
def test_time_and_stream_are_not_searched(text: str, spool: Spool, log: supervisor.Log) -> None:
    write(log, "hello", "", f"a line with {text}x within", "bye", text)
    assert lines(search(spool, text)) == [3, 5]


def test_a_text_that_goes_on_from_the_prefix_is_no_hit(spool: Spool, log: supervisor.Log) -> None:
    write(log, "hello", "F hello")
    assert lines(search(spool, "F hello")) == [2]


def test_every_line_counts_once(spool: Spool, log: supervisor.Log) -> None:
    write(log, "a a a", "b", "aa")
    assert lines(search(spool, "a")) == [1, 3]


@pytest.mark.parametrize("text", ["needle", "123456"])
def test_hits_in_many_blocks_have_the_right_numbers_and_offsets(
    text: str, spool: Spool, log: supervisor.Log
) -> None:
    expected = [1, 777, 5_000, 9_999, 20_000]
    for start in range(1, 20_001, 500):
        write(
            log,
            *[
                f"{'x' * (n % 90)} {text if n in expected else 'hay'} é"
                for n in range(start, start + 500)
            ],
        )
    assert spool.log.stat().st_size > 4 * BLOCK_BYTES
    data = spool.log.read_bytes()

    result = search(spool, text)

    assert lines(result) == expected
    assert result.next_offset is None
    for hit in result.hits:
        row = data[hit.offset : data.index(b"\n", hit.offset)].decode()
        assert text in row
        assert hit.offset == 0 or data[hit.offset - 1 : hit.offset] == b"\n"


@pytest.mark.parametrize("text", ["hit", "00"])
def test_a_search_goes_on_from_where_it_stopped(
    text: str, spool: Spool, log: supervisor.Log
) -> None:
    write(log, *[f"x{text}" if n % 3 == 0 else "miss" for n in range(1000)])
    offset, seen = 0, []
    while True:
        result = search(spool, text, start=offset, most_hits=50)
        seen += lines(result)
        if result.next_offset is None:
            break
        assert len(result.hits) == 50
        offset = result.next_offset
    assert seen == [n + 1 for n in range(1000) if n % 3 == 0]


def test_a_search_is_bounded_in_bytes(spool: Spool, log: supervisor.Log) -> None:
    for _ in range(40):
        write(log, *["x" * 1000] * 20)
    write(log, "end")
    offset: int | None = 0
    rounds = 0
    while offset is not None:
        result = search(spool, "end", start=offset, most_bytes=BLOCK_BYTES)
        offset, rounds = result.next_offset, rounds + 1
    assert lines(result) == [801]
    assert rounds >= 2


def test_a_half_written_line_is_not_searched(spool: Spool, log: supervisor.Log) -> None:
    write(log, "whole")
    with spool.log.open("ab") as file:
        file.write(b"2026-03-01T12:00:00.000000000Z stdout F needle")
    assert not search(spool, "needle").hits


def test_what_is_not_shown_of_a_line_is_not_found(spool: Spool, log: supervisor.Log) -> None:
    write(log, "\x1b[31mred\x1b[0m", "31 % left", " 10 %\r 31 %\r100 %", "\x1b[1m31 bold\x1b[0m")
    assert lines(search(spool, "31")) == [2, 4]
    assert lines(search(spool, "m")) == []
    assert lines(search(spool, "RED")) == [1]


def test_a_search_that_draws_many_lines_stops_and_goes_on(
    spool: Spool, log: supervisor.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "MOST_DRAWN", 10)
    write(log, *["\x1b[31mred\x1b[0m"] * 25, "31")
    offset: int | None = 0
    found, rounds = [], 0
    while offset is not None:
        result = search(spool, "31", start=offset)
        found += lines(result)
        offset, rounds = result.next_offset, rounds + 1
    assert (found, rounds) == ([26], 3)


def test_nothing_is_found_where_nothing_is_asked_or_there(
    spool: Spool, log: supervisor.Log
) -> None:
    write(log, "one")
    assert not search(spool, "").hits
    assert not search(spool, "two").hits
    assert not search(spool, "one", start=10**12).hits
    assert search(Spool(spool.directory / "gone"), "one") == SearchResult()


def test_strange_bytes_and_long_lines_are_searched(spool: Spool, log: supervisor.Log) -> None:
    log.feed(b"stdout", b"\xff\xfe\0needle\xe9\n")
    log.feed(b"stderr", b"y" * 3_000_000 + b" needle\n")
    result = search(spool, "needle")
    assert [hit.line for hit in result.hits] == [1, 2 + 3_000_000 // supervisor.MAX_PART_BYTES]
    assert "needle" in result.hits[0].text
    assert result.hits[1].text.endswith("needle")


def test_what_is_no_line_of_a_log_does_not_stop_a_search(spool: Spool) -> None:
    line = b"2026-03-01T12:00:00.000000000Z stdout F needle\n"
    spool.log.write_bytes(bytes(3 * BLOCK_BYTES) + b"\n\nshort\n" + line)
    assert lines(search(spool, "needle")) == [4]


def test_a_log_that_is_cut_meanwhile_ends_the_search(
    spool: Spool, log: supervisor.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, *["x" * 100] * 10)
    monkeypatch.setattr(log_search, "end_of_last_line", lambda file: 10**9)
    assert search(spool, "y").hits == ()


def test_a_search_keeps_no_more_than_some_blocks_in_memory(
    spool: Spool, log: supervisor.Log
) -> None:
    for _ in range(100):
        write(log, *["x" * 1000] * 500)
    write(log, "needle")
    assert spool.log.stat().st_size > 50_000_000
    tracemalloc.start()
    result = search(spool, "needle")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines(result) == [50_001]
    assert peak < 4_000_000
