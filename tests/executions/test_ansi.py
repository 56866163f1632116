"""What terminals make of text, as safe HTML."""

from typing import Any

import pytest

from wallaroo_ui.executions import ansi


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain & <b>", "plain &amp; &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m rest", '<span class="ansi-red">red</span> rest'),
        ("\x1b[1;4;92mx", '<span class="ansi-bright-green ansi-bold ansi-underline">x</span>'),
        ("\x1b[37;41mx\x1b[49my", None),
        ("\x1b[mx", "x"),
        ("\x1b[1mx\x1b[22my", '<span class="ansi-bold">x</span>y'),
        ("\x1b[31mx\x1b[39my", '<span class="ansi-red">x</span>y'),
        ("\x1b[31;99;7mx", '<span class="ansi-red">x</span>'),
    ],
)
def test_colours_become_classes(text: str, html: str | None) -> None:
    html = html or (
        '<span class="ansi-white ansi-on-red">x</span><span class="ansi-white">y</span>'
    )
    assert ansi.to_html(text) == html


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("38;5;1", "ansi-red"),
        ("38;5;12", "ansi-bright-blue"),
        ("38;5;196", "ansi-bright-red"),
        ("38;5;34", "ansi-green"),
        ("38;5;232", "ansi-black"),
        ("38;5;255", "ansi-bright-white"),
        ("38;2;255;0;0", "ansi-bright-red"),
        ("38:2:10:10:200", "ansi-blue"),
        ("38:2::255:0:0", "ansi-bright-red"),
        ("38:2:0:255:0:0;1", "ansi-bright-red ansi-bold"),
        ("48;2;0;180;0", "ansi-on-green"),
        ("1;38;5;3;4", "ansi-yellow ansi-bold ansi-underline"),
    ],
)
def test_other_colours_become_the_nearest_named_one(parameters: str, name: str) -> None:
    assert ansi.to_html(f"\x1b[{parameters}mx") == f'<span class="{name}">x</span>'


@pytest.mark.parametrize(
    "text",
    [
        "a\x1b[2Kb",
        "a\x1b[10;20Hb",
        "a\x1b[?25lb",
        "a\x1b]0;title\x07b",
        "a\x1b]8;;https://example.com\x1b\\b",
        "a\x1bPquery\x1b\\b",
        "a\x1b(Bb",
        "a\x1b[>0mb",
        "a\bb",
    ],
)
def test_other_sequences_are_dropped(text: str) -> None:
    assert ansi.to_html(text) == "ab"


@pytest.mark.parametrize("text", ["x\x1b", "x\x1b[", "x\x1b[31", "x\x1b[38;5", "x\x1b[38;2;1m"])
def test_a_sequence_that_was_cut_off_does_no_harm(text: str) -> None:
    assert ansi.to_html(text).startswith("x")
    assert "\x1b" not in ansi.to_html(text)


def test_a_progress_bar_is_shown_at_its_last_state() -> None:
    text = "\r 1%|   |\r\x1b[32m50%\x1b[0m|## |\r100%|####|\r"
    assert ansi.to_html(text) == "100%|####|"
    assert ansi.plain("\x1b[32mold\rnew") == "new"
    assert ansi.to_html("\x1b[32mold\rnew") == '<span class="ansi-green">new</span>'


def test_markup_within_sequences_is_escaped() -> None:
    html = ansi.to_html('\x1b[31m<script>"\x1b]8;;"><script>\x07&')
    assert "<script>" not in html
    assert (
        html
        == '<span class="ansi-red">&lt;script&gt;&quot;</span><span class="ansi-red">&amp;</span>'
    )


def test_what_was_looked_for_is_marked_in_any_case_and_across_colours() -> None:
    assert ansi.to_html("An <Error> error", marked="error") == (
        "An &lt;<mark>Error</mark>&gt; <mark>error</mark>"
    )
    assert ansi.to_html("a\x1b[31mb\x1b[0mc", marked="ABC") == (
        '<mark>a</mark><span class="ansi-red"><mark>b</mark></span><mark>c</mark>'
    )
    assert ansi.to_html("a.c abc", marked="a.c") == "<mark>a.c</mark> abc"


def test_each_piece_of_a_line_looks_at_its_own_hits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    class Spans(list[tuple[int, int]]):
        def __getitem__(self, index: Any) -> Any:
            nonlocal looks
            looks += 1
            return super().__getitem__(index)

    find = ansi._occurrences
    monkeypatch.setattr(ansi, "_occurrences", lambda marked, text: Spans(find(marked, text)))
    html = ansi.to_html("\x1b[1ma\x1b[0m" * 1000, marked="a")
    assert html.count("<mark>a</mark>") == 1000
    assert looks < 20 * 1000  # All of them for each would be a million.
