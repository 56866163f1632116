"""Which bytes of a file a request asks for."""

import pytest

from wallaroo_ui.byte_ranges import ByteRange, RangeRefused, asked_range


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=10-", 10, 100),
        ("bytes=99-500", 99, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-500", 0, 100),
        ("bytes = 5 - 6", 5, 7),
    ],
)
def test_a_range_is_understood(header: str, start: int, stop: int) -> None:
    assert asked_range(header, size=100) == ByteRange(start, stop)


@pytest.mark.parametrize(
    "header",
    ["", "bytes=-", "bytes=1-2,5-6", "lines=1-2", "bytes=9-3", "bytes=a-b", "bytes=1", "x" * 999],
)
def test_what_is_not_understood_asks_for_the_whole(header: str) -> None:
    assert asked_range(header, size=100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeRefused):
        asked_range(header, size=100)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5"])
def test_an_empty_file_has_no_ranges(header: str) -> None:
    with pytest.raises(RangeRefused):
        asked_range(header, size=0)


def test_a_range_says_where_it_lies() -> None:
    assert ByteRange(10, 20).header(100) == "bytes 10-19/100"
