"""What terminals make of text, as HTML: colours, and progress bars at their last state.

Colour, bold and underline become classes; every other sequence is dropped, and all text is
escaped. Colours end with their line: a window of a log does not know what came before it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
# An escape sequence: CSI, OSC and its kin up to their end, or two characters; a lone ESC last.
SEQUENCE: Final = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
# With colons, the three numbers of a colour come after one, mostly empty, of its colour space.
COLOUR_SPACE: Final = re.compile(r"(?<=[34]8:2):[0-9]*(?=(?::[0-9]*){3})")
SPECIAL: Final = re.compile(r"[\x1b\r\b]")
# How bright a terminal's named colours are: red, green and blue in turn.
CUBE: Final = 6
GREYS: Final = 232


@dataclass(frozen=True)
class Style:
    """How a piece of text looks: the names of its colours, and whether it is bold or underlined."""

    colour: str = ""
    background: str = ""
    bold: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        """Return its classes."""
        names = (
            self.colour and f"ansi-{self.colour}",
            self.background and f"ansi-on-{self.background}",
            "ansi-bold" if self.bold else "",
            "ansi-underline" if self.underline else "",
        )
        return " ".join(name for name in names if name)


PLAIN: Final = Style()


def plain(text: str) -> str:
    """Return the text as a terminal would leave it, without its looks."""
    return "".join(piece for _, piece in _pieces(text))


def to_html(text: str, *, marked: str = "") -> SafeString:
    """Return the text as HTML, with what was looked for marked, in any case."""
    if not marked and not SPECIAL.search(text):
        return escape(text)
    pieces = list(_pieces(text))
    spans = _occurrences(marked, "".join(piece for _, piece in pieces)) if marked else []
    parts: list[str] = []
    position = 0
    for style, piece in pieces:
        html = "".join(_marked(piece, position, spans))
        parts.append(f'<span class="{style.classes}">{html}</span>' if style.classes else html)
        position += len(piece)
    return mark_safe("".join(parts))  # noqa: S308 (each piece was escaped)


def _pieces(text: str) -> Iterator[tuple[Style, str]]:
    """Return what a terminal shows of a line, each piece with its style."""
    pieces: list[tuple[Style, str]] = []
    style, start = PLAIN, 0
    text = text.rstrip("\r")
    for special in SPECIAL.finditer(text):
        position = special.start()
        if position < start:  # Inside a sequence that was dropped.
            continue
        if piece := text[start:position]:
            pieces.append((style, piece))
        start = position + 1
        if special[0] == "\r":  # The line is written anew.
            pieces.clear()
        elif special[0] == "\x1b" and (sequence := SEQUENCE.match(text, position)):
            start = sequence.end()
            if sequence[2] == "m":
                style = _restyle(style, sequence[1])
    if rest := text[start:]:
        pieces.append((style, rest))
    return iter(pieces)


def _restyle(style: Style, parameters: str) -> Style:
    """Apply the numbers of one `ESC [ … m`."""
    if not re.fullmatch(r"[0-9;:]*", parameters):
        return style
    parameters = COLOUR_SPACE.sub("", parameters[:100]).replace(":", ";")
    codes = [int(code or 0) for code in parameters.split(";")]
    rest = iter(codes)
    for code in rest:
        if code == 0:
            style = PLAIN
        elif code in {1, 22}:
            style = replace(style, bold=code == 1)
        elif code in {4, 24}:
            style = replace(style, underline=code == 4)
        elif 30 <= code <= 39 or 90 <= code <= 97:
            style = replace(style, colour=_colour(code, rest))
        elif 40 <= code <= 49 or 100 <= code <= 107:
            style = replace(style, background=_colour(code, rest))
    return style


def _colour(code: int, rest: Iterator[int]) -> str:
    """Return what a code for a colour means, or for a background; empty for the usual one."""
    number = code % 10
    if number < 8:
        return _name(number, bright=code >= 90)
    return _extended(rest) if number == 8 else ""


def _name(number: int, *, bright: bool) -> str:
    return f"bright-{NAMES[number]}" if bright else NAMES[number]


def _extended(codes: Iterator[int]) -> str:
    """Return the nearest named colour to one of 256, or to one of red, green and blue."""
    kind = next(codes, 0)
    if kind == 2:
        red, green, blue = (min(next(codes, 0), 255) for _ in range(3))
        return _nearest(red, green, blue)
    number = min(next(codes, 0), 255) if kind == 5 else 0
    if number < 16:
        return _name(number % 8, bright=number >= 8)
    if number >= GREYS:
        grey = 8 + 10 * (number - GREYS)
        return _nearest(grey, grey, grey)
    red, rest = divmod(number - 16, CUBE * CUBE)
    green, blue = divmod(rest, CUBE)
    return _nearest(*(level and 55 + 40 * level for level in (red, green, blue)))


def _nearest(red: int, green: int, blue: int) -> str:
    """Return the named colour whose hue and brightness are nearest."""
    most, least = max(red, green, blue), min(red, green, blue)
    if most - least < 32:  # A grey.
        return ("black", "bright-black", "white", "bright-white")[min(most // 64, 3)]
    middle = (most + least) / 2
    number = (red > middle) + 2 * (green > middle) + 4 * (blue > middle)
    return _name(number, bright=most > 215)


def _occurrences(marked: str, text: str) -> list[tuple[int, int]]:
    return [each.span() for each in re.finditer(re.escape(marked), text, re.IGNORECASE)]


def _marked(piece: str, position: int, spans: list[tuple[int, int]]) -> Iterator[str]:
    """Escape a piece that begins at a position of its line, and mark what lies in `spans`."""
    done = 0
    # A line may have thousands of pieces and of hits: each piece looks at its own hits only.
    for index in range(bisect_right(spans, position, key=itemgetter(1)), len(spans)):
        start, end = spans[index]
        if start >= position + len(piece):
            break
        first, last = max(start - position, done), min(end - position, len(piece))
        if first < last:
            yield escape(piece[done:first])
            yield f"<mark>{escape(piece[first:last])}</mark>"
            done = last
    yield escape(piece[done:])
