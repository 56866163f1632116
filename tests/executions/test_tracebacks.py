"""Finding the last traceback of a log."""

import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallaroo_ui.executions import supervisor
from wallaroo_ui.executions.logstore import LogLine
from wallaroo_ui.executions.spool import Spool
from wallaroo_ui.executions.tracebacks import MOST_BYTES, find_last, last_traceback

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIMPLE = """\
Traceback (most recent call last):
  File "/home/jovyan/main.py", line 3, in <module>
    main()
ValueError: no such pipeline"""


def lines(text: str, *, stream: str = "stderr", first: int = 1) -> list[LogLine]:
    return [
        LogLine(number=number, time=NOON, stream=stream, is_partial=False, text=line)
        for number, line in enumerate(text.split("\n"), start=first)
    ]


def found(text: str) -> str:
    return "\n".join(line.text for line in find_last(lines(text)))


def printed(script: str) -> str:
    """Return what Python prints of the exception with which a script ends."""
    try:
        exec(script, {})
    except Exception as error:  # noqa: BLE001
        return "".join(traceback.format_exception(error)).rstrip("\n")
    raise AssertionError("it did not fail")


CHAINED = """
try:
    {}["key"]
except KeyError as error:
    raise ValueError("bad") from error
"""
GROUP = """
try:
    raise KeyError("b")
except KeyError as error:
    raise ExceptionGroup("two", [ValueError("a"), error])
"""


def test_a_traceback_has_its_first_and_last_line() -> None:
    block = find_last(lines(f"starting\n{SIMPLE}"))
    assert (block[0].number, block[-1].number) == (2, 5)
    assert "\n".join(line.text for line in block) == SIMPLE


def test_the_last_one_counts() -> None:
    other = SIMPLE.replace("no such pipeline", "first")
    assert found(f"{other}\ngoing on\n{SIMPLE}") == SIMPLE


def test_what_came_before_belongs_to_it() -> None:
    chained = printed(CHAINED)
    assert chained.count("Traceback") == 2
    assert found(f"one\n{SIMPLE}\ntwo\n{chained}") == chained


def test_an_exception_group_is_whole() -> None:
    group = printed(GROUP)
    assert "Exception Group" in group
    group = group[group.index("  + Exception Group") :]
    assert found(f"INFO: before\n{group}\nINFO: after") == group


def test_a_message_of_several_lines_belongs_to_it() -> None:
    text = f"{SIMPLE}\n  detail\nsecond line"
    assert found(f"{text}\n\nbye") == text


def test_a_syntax_error_has_no_header() -> None:
    text = '  File "/home/jovyan/main.py", line 1\n    x = \n        ^\nSyntaxError: invalid syntax'
    assert found(f"before\n{text}") == text


def test_colours_are_no_hindrance() -> None:
    text = SIMPLE.replace("ValueError", "\x1b[1;35mValueError\x1b[0m")
    assert found(text) == text


def test_lines_of_another_stream_in_between_are_left_out() -> None:
    first, *rest = lines(SIMPLE)
    between = LogLine(number=2, time=NOON, stream="stdout", is_partial=False, text="progress")
    assert [line.text for line in find_last([first, between, *rest])] == SIMPLE.split("\n")


def test_the_servers_own_last_line_is_none_of_it() -> None:
    block = find_last(
        [*lines(SIMPLE), *lines("WALLAROO: failure after 1.2 s.", stream="stderr", first=5)]
    )
    assert block[-1].number == 4


def test_one_that_was_cut_off_is_shown_as_far_as_it_goes() -> None:
    text = "\n".join(SIMPLE.split("\n")[:2])
    assert found(text) == text


@pytest.mark.parametrize("text", ["", "no trouble", "Error: but no traceback"])
def test_where_there_is_none_nothing_is_found(text: str) -> None:
    assert find_last(lines(text)) == ()


def test_it_is_read_from_the_end_of_the_log(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert last_traceback(spool) == ()
    spool.create()
    log = supervisor.Log(str(spool.directory), limit=1 << 60)
    log.feed(b"stdout", b"x\n" * 100_000)
    log.feed(b"stderr", SIMPLE.encode() + b"\n")

    block = last_traceback(spool)
    assert (block[0].number, block[-1].number) == (100_001, 100_004)

    log.feed(b"stdout", b"y" * 100 + b"\n")
    log.feed(b"stdout", (b"y" * 1000 + b"\n") * (MOST_BYTES // 1000))
    assert last_traceback(spool) == ()
