"""Text of a stranger's as lines of HTML: whole, harmless, and in bounded time."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrations import highlighting
from orchestrations.highlighting import LEXERS, MAX_BYTES, NotShown, highlight, read_text


def without_tags(line: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", line))


def test_python_is_coloured_by_classes() -> None:
    assert highlight("main.py", "def f():\n    return f # <b>\n") == [
        '<span class="k">def</span> <span class="nf">f</span>():',
        '    <span class="k">return</span> f <span class="c"># &lt;b&gt;</span>',
    ]


def test_a_string_over_two_lines_is_closed_on_each() -> None:
    assert highlight("main.py", '"""a\nb"""') == [
        '<span class="s">"""a</span>',
        '<span class="s">b"""</span>',
    ]


@pytest.mark.parametrize("name", ["notes.txt", "main", "a.ini", "a.py.txt"])
def test_what_is_not_known_is_plain_text(name: str) -> None:
    assert highlight(name, "import <b> & 'c'") == ["import &lt;b&gt; &amp; 'c'"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("\n\n", ["", ""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("\na\n\n", ["", "a", ""]),
        ("a\r\nb\rc", ["a", "b", "c"]),
        ("a\x0cb\u2028c", ["a\x0cb\u2028c"]),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.py", "a.md"])
def test_lines_are_those_that_an_editor_counts(name: str, text: str, lines: list[str]) -> None:
    assert [without_tags(line) for line in highlight(name, text)] == lines


@given(
    suffix=st.sampled_from([*LEXERS, ".txt"]),
    text=st.text(st.sampled_from("ab1 \n\t\"'`#*=:-[{(<>&\\/$|é")),
)
def test_no_character_is_lost_and_none_is_markup(suffix: str, text: str) -> None:
    lines = highlight(f"a{suffix}", text)

    assert "\n".join(map(without_tags, lines)) == text.removesuffix("\n")
    tags = {tag for line in lines for tag in re.findall(r"<[^>]*>", line)}
    assert all(re.fullmatch(r'<span class="[a-z]+">|</span>', tag) for tag in tags)


def test_colouring_that_takes_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highlighting, "SECONDS", -1)

    lines = highlight("main.py", "import a\nimport b\n")

    assert lines == ['<span class="k">import</span> a', "import b"]


@pytest.mark.parametrize(
    ("suffix", "piece"),
    [(".py", "'"), (".py", "f'{"), (".py", " \n"), (".md", " "), (".json", '"'), (".sql", "/*")],
)
def test_no_text_keeps_the_server_busy(suffix: str, piece: str) -> None:
    before = time.thread_time()

    highlight(f"a{suffix}", piece * (MAX_BYTES // len(piece)))

    assert time.thread_time() - before < 5


def test_text_is_read_without_its_mark() -> None:
    assert read_text([b"\xef\xbb\xbfa", b"b\xc3", b"\xa9"], size=7) == "abé"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"a\0b", "It is not text."), (b"caf\xe9", "It is not text in UTF-8.")],
)
def test_what_is_not_text_is_not_shown(data: bytes, reason: str) -> None:
    with pytest.raises(NotShown, match=reason):
        read_text([data], size=len(data))


def test_what_is_too_large_is_not_begun() -> None:
    pieces = iter([b"a"])
    with pytest.raises(NotShown, match="It is larger than 512 KB"):
        read_text(pieces, size=MAX_BYTES + 1)
    assert next(pieces) == b"a"
