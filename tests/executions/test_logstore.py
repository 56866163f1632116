"""Reading logs that the supervisor's own `Log` writes, of any size and shape."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wallaroo_ui.executions import logstore, supervisor
from wallaroo_ui.executions.logstore import (
    WINDOW_BYTES,
    LogSize,
    LogWindow,
    read_after,
    read_lines,
    read_lines_before,
    read_tail,
)
from wallaroo_ui.executions.spool import Spool

STAMP = b"2026-03-01T12:00:00.123456789Z"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return spool


@pytest.fixture
def log(spool: Spool) -> supervisor.Log:
    return supervisor.Log(str(spool.directory), limit=1 << 60)


def write(log: supervisor.Log, *texts: str) -> None:
    log.feed(b"stdout", "".join(f"{text}\n" for text in texts).encode())


def texts(window: LogWindow) -> list[str]:
    return [line.text for line in window.lines]


def numbers(window: LogWindow) -> list[int]:
    return [line.number for line in window.lines]


# -- What a line is --------------------------------------------------------------------


def test_a_line_has_its_number_time_stream_and_text(spool: Spool) -> None:
    spool.log.write_bytes(STAMP + b" stderr F  text  with blanks \n")

    (line,) = read_tail(spool).lines

    assert (line.number, line.stream, line.is_partial) == (1, "stderr", False)
    assert line.text == " text  with blanks "
    assert line.time == datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


def test_an_empty_line_is_a_line(spool: Spool, log: supervisor.Log) -> None:
    write(log, "", "end")

    assert texts(read_tail(spool)) == ["", "end"]


def test_only_a_newline_ends_a_line(spool: Spool, log: supervisor.Log) -> None:
    text = "one\rline\x0bof\x0cmany\u2028separators\x85"

    write(log, text)

    assert texts(read_tail(spool)) == [text]


def test_bytes_in_another_encoding_are_shown_with_backslashes(
    spool: Spool, log: supervisor.Log
) -> None:
    log.feed(b"stdout", b"caf\xe9 caf\xc3\xa9\n")

    assert texts(read_tail(spool)) == ["caf\\xe9 café"]


def test_nul_is_shown_with_a_backslash(spool: Spool, log: supervisor.Log) -> None:
    log.feed(b"stdout", b"a\0b\n")

    assert texts(read_tail(spool)) == ["a\\x00b"]
    assert logstore.tail_text(spool) == "a\\x00b"


def test_the_parts_of_a_long_line_are_marked(spool: Spool, log: supervisor.Log) -> None:
    write(log, "x" * (supervisor.MAX_PART_BYTES * 2 + 1), "end")

    window = read_tail(spool)

    assert [line.is_partial for line in window.lines] == [True, True, False, False]
    assert [len(line.text) for line in window.lines] == [16384, 16384, 1, 3]


@pytest.mark.parametrize("end", ["", "\n"])
def test_no_character_is_cut_in_two(end: str, spool: Spool, log: supervisor.Log) -> None:
    text = "x" + "é" * 20_000 + "🎉" * 20_000
    log.feed(b"stdout", (text + end).encode())
    log.close_stream(b"stdout")

    parts = texts(read_tail(spool, most_bytes=1 << 20))

    assert "".join(parts) == text
    assert len(parts) == -(-len(text.encode()) // supervisor.MAX_PART_BYTES)


def test_bytes_that_are_no_characters_are_cut_anywhere() -> None:
    line = b"\xa9" * (supervisor.MAX_PART_BYTES * 2 + 5)
    parts = supervisor.parts_of(line)
    assert b"".join(parts) == line
    assert [len(part) for part in parts] == [16384, 16384, 5]


def test_what_is_no_line_of_a_log_is_passed_over(spool: Spool) -> None:
    good = STAMP + b" stdout F text\n"
    spool.log.write_bytes(good + bytes(100) + b"\n\nno such time F x\n" + good)

    window = read_tail(spool)

    assert texts(window) == ["text", "text"]
    assert numbers(window) == [1, 5]


# -- The tail --------------------------------------------------------------------------


def test_the_tail_of_a_log_that_is_not_there_is_empty(spool: Spool) -> None:
    assert read_tail(spool) == LogWindow()
    assert read_after(spool, 1000) == LogWindow()
    assert logstore.tail_text(spool) == ""


def test_the_tail_of_an_empty_log_is_empty(spool: Spool, log: supervisor.Log) -> None:
    assert read_tail(spool) == LogWindow()


def test_a_log_without_an_index_is_read_all_the_same(spool: Spool) -> None:
    spool.log.write_bytes((STAMP + b" stdout F text\n") * 3)

    assert numbers(read_tail(spool, lines=2)) == [2, 3]


@pytest.mark.parametrize(("count", "first"), [(1, 1), (499, 1), (500, 1), (501, 2), (5000, 4501)])
def test_the_tail_is_the_last_lines_with_their_numbers(
    spool: Spool, log: supervisor.Log, count: int, first: int
) -> None:
    write(log, *[str(n) for n in range(1, count + 1)])

    window = read_tail(spool)

    expected = list(range(first, count + 1))
    assert numbers(window) == expected
    assert texts(window) == [str(n) for n in expected]
    assert window.skipped == first - 1
    assert window.end_offset == spool.log.stat().st_size


def test_a_half_written_line_is_not_shown(spool: Spool, log: supervisor.Log) -> None:
    write(log, "whole")
    whole = spool.log.stat().st_size
    with spool.log.open("ab") as file:
        file.write(STAMP + b" stdout F ha")

    window = read_tail(spool)

    assert texts(window) == ["whole"]
    assert window.end_offset == whole
    with spool.log.open("ab") as file:
        file.write(b"lf\n")
    assert texts(read_after(spool, window.end_offset)) == ["half"]


def test_a_first_line_that_is_half_written_is_not_shown(spool: Spool) -> None:
    spool.log.write_bytes(STAMP + b" stdout F ha")

    assert read_tail(spool) == LogWindow()


def test_a_window_is_bounded_in_bytes(spool: Spool, log: supervisor.Log) -> None:
    write(log, *["x" * 10_000 for _ in range(100)])

    window = read_tail(spool)

    assert 0 < len(window.lines) * 10_000 <= WINDOW_BYTES
    assert numbers(window)[-1] == 100
    assert numbers(window)[0] == window.skipped + 1
    assert {len(text) for text in texts(window)} == {10_000}


def test_the_tail_as_text_is_bounded_in_bytes(spool: Spool, log: supervisor.Log) -> None:
    write(log, "é" * 4000, "end")

    text = logstore.tail_text(spool)

    assert len(text.encode()) <= 4096
    assert text.endswith("éé\nend")


def test_a_log_is_measured_in_whole_lines(spool: Spool, log: supervisor.Log) -> None:
    assert logstore.measure(spool) == LogSize(lines=0, bytes=0)
    write(log, *(f"line {number}" for number in range(2500)))
    whole = spool.log.stat().st_size
    with spool.log.open("ab") as file:
        file.write(b"2026-03-01T12:00:00.000000000Z stdout F half a li")

    assert logstore.measure(spool) == LogSize(lines=2500, bytes=whole)


# -- What came since -------------------------------------------------------------------


def test_paging_through_a_growing_log_gives_every_line_once(
    spool: Spool, log: supervisor.Log
) -> None:
    offset, seen = 0, []
    for start in range(0, 30_000, 300):
        write(log, *[f"line {n}" for n in range(start, start + 300)])
        window = read_after(spool, offset)
        assert window.skipped == 0
        seen += [(line.number, line.text) for line in window.lines]
        offset = window.end_offset

    assert seen == [(n + 1, f"line {n}") for n in range(30_000)]


def test_nothing_new_is_an_empty_window(spool: Spool, log: supervisor.Log) -> None:
    write(log, "one")
    end = read_tail(spool).end_offset

    window = read_after(spool, end)

    assert window.lines == ()
    assert (window.end_offset, window.skipped) == (end, 0)


def test_what_is_too_much_for_a_window_is_counted_as_skipped(
    spool: Spool, log: supervisor.Log
) -> None:
    write(log, *[str(n) for n in range(1, 11)])
    seen = read_tail(spool)
    write(log, *[str(n) for n in range(11, 5001)])

    window = read_after(spool, seen.end_offset, lines=100)

    assert window.skipped == 4890
    assert numbers(window) == list(range(4901, 5001))
    assert texts(window) == [str(n) for n in range(4901, 5001)]


def test_an_offset_beyond_the_end_finds_nothing(spool: Spool, log: supervisor.Log) -> None:
    write(log, "one")

    window = read_after(spool, 10**12)

    assert window == LogWindow(end_offset=spool.log.stat().st_size)


def test_a_negative_offset_is_the_beginning(spool: Spool, log: supervisor.Log) -> None:
    write(log, "one")

    assert texts(read_after(spool, -5)) == ["one"]


def test_an_offset_within_a_line_goes_on_with_the_next_one(
    spool: Spool, log: supervisor.Log
) -> None:
    forged = f"{STAMP.decode()} stderr F forged"
    write(log, "one", forged, "three")
    starts = [0, *[n + 1 for n, byte in enumerate(spool.log.read_bytes()) if byte == ord("\n")]]
    everything = ["one", forged, "three"]

    for offset in range(starts[-1] + 1):
        passed = sum(start < offset for start in starts)
        window = read_after(spool, offset)
        assert texts(window) == everything[passed:]
        assert numbers(window) == list(range(passed + 1, 4))


# -- A window anywhere -----------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 2, 999, 1000, 1001, 2001, 4998, 5000])
def test_a_window_begins_at_its_line(spool: Spool, log: supervisor.Log, first: int) -> None:
    for start in range(0, 5000, 700):
        write(log, *[str(n) for n in range(start + 1, min(start + 700, 5000) + 1)])

    window = read_lines(spool, first, lines=10)

    expected = list(range(first, min(first + 10, 5001)))
    assert numbers(window) == expected
    assert texts(window) == [str(n) for n in expected]
    assert (window.first, window.last) == (expected[0], expected[-1])
    following = read_after(spool, window.end_offset)
    assert texts(following)[-1:] == (["5000"] if expected[-1] < 5000 else [])


@pytest.mark.parametrize("line", [1, 2, 11, 1001, 2000, 5001, 9999])
def test_a_window_ends_before_its_line(spool: Spool, log: supervisor.Log, line: int) -> None:
    for start in range(0, 5000, 700):
        write(log, *[str(n) for n in range(start + 1, min(start + 700, 5000) + 1)])

    window = read_lines_before(spool, line, lines=10)

    last = min(line - 1, 5000)
    assert numbers(window) == list(range(max(1, last - 9), last + 1))
    assert texts(window) == [str(n) for n in numbers(window)]


def test_beyond_the_end_there_is_no_window(spool: Spool, log: supervisor.Log) -> None:
    write(log, "one")
    assert read_lines(spool, 2) == LogWindow(end_offset=spool.log.stat().st_size)
    assert numbers(read_lines(spool, -5)) == [1]
    gone = Spool(spool.directory / "gone")
    assert read_lines(gone, 1) == read_lines_before(gone, 9) == LogWindow()


def test_windows_of_long_lines_join_without_a_gap(spool: Spool, log: supervisor.Log) -> None:
    write(log, *[str(n % 10) * 9000 for n in range(1, 101)])
    write(log, "z" * 1_000_000)
    seen: list[int] = []
    while window := read_lines(spool, len(seen) + 1).lines:
        assert sum(len(line.text) for line in window) <= WINDOW_BYTES
        seen += [line.number for line in window]
    assert seen == list(range(1, 100 + 62 + 1))

    back: list[int] = []
    while window := read_lines_before(spool, back[0] if back else 10**9).lines:
        back = [line.number for line in window] + back
        if back[0] == 1:
            break
    assert back == seen


def test_a_window_of_a_log_without_an_index_is_read_all_the_same(spool: Spool) -> None:
    spool.log.write_bytes((STAMP + b" stdout F text\n") * 30_000)
    assert numbers(read_lines(spool, 29_000, lines=2)) == [29_000, 29_001]


def test_a_half_written_line_is_in_no_window(spool: Spool, log: supervisor.Log) -> None:
    write(log, "whole")
    with spool.log.open("ab") as file:
        file.write(STAMP + b" stdout F ha")
    assert texts(read_lines(spool, 1)) == ["whole"]
    assert texts(read_lines_before(spool, 10)) == ["whole"]


# -- What it costs ---------------------------------------------------------------------


class Counted:
    """A file that counts the bytes read from it; its buffer reads through it."""

    total = 0


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count the bytes that the operating system is asked for, buffers included."""
    import io

    counted = Counted()

    class File(io.FileIO):
        def readinto(self, buffer: Any) -> Any:
            count = super().readinto(buffer)
            counted.total += count or 0
            return count

    def open_counted(path: Path, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(File(path))

    monkeypatch.setattr(Path, "open", open_counted)
    return counted


def test_the_tail_of_a_large_log_costs_its_own_size_and_not_the_logs(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line_bytes, lines = 100, 2_000_000
    line = STAMP + b" stdout F " + b"x" * (line_bytes - len(STAMP) - 11) + b"\n"
    assert len(line) == line_bytes
    with spool.log.open("wb") as file:  # As a supervisor leaves it, only faster.
        for _ in range(lines // 10_000):
            file.write(line * 10_000)
    entries = range(0, lines, 600)
    spool.index.write_bytes(
        b"".join(
            b"".join(part.to_bytes(8, "little") for part in (n, n * line_bytes, 0)) for n in entries
        )
    )
    assert spool.log.stat().st_size == 200_000_000
    counted = count_reads(monkeypatch)

    window = read_tail(spool, lines=500)

    assert numbers(window) == list(range(lines - 499, lines + 1))
    assert window.skipped == lines - 500
    assert 50_000 <= counted.total <= 1_000_000

    counted.total = 0
    middle = (lines // 2 + 77) * line_bytes
    window = read_after(spool, middle, lines=10)
    assert window.skipped == lines // 2 - 77 - 10
    assert counted.total <= 1_000_000

    counted.total = 0
    assert numbers(read_lines(spool, lines // 2, lines=10))[0] == lines // 2
    assert numbers(read_lines_before(spool, lines // 2, lines=10))[-1] == lines // 2 - 1
    assert counted.total <= 1_500_000


def test_a_supervisors_own_index_keeps_a_read_small(
    spool: Spool, log: supervisor.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 200_000, 1000):
        write(log, *[f"{n:050d}" for n in range(start, start + 1000)])
    size = spool.log.stat().st_size
    counted = count_reads(monkeypatch)

    window = read_tail(spool)

    assert numbers(window)[-1] == 200_000
    assert counted.total < 1_000_000 < size / 10
