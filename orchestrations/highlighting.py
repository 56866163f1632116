"""The text of a file as lines of HTML, with classes for what is coloured.

Whoever may upload decides what is in a file, so the time that colouring takes has a bound.
"""

import time
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe
from pygments.formatters import HtmlFormatter
from pygments.lexers import (
    BashLexer,
    JsonLexer,
    MarkdownLexer,
    PythonLexer,
    SqlLexer,
    TOMLLexer,
    YamlLexer,
)
from pygments.token import Token

MAX_BYTES: Final = 512 * 1024
SECONDS: Final = 0.3

# Few on purpose: a single match of these takes no long time, whatever the text.
# That of others does, so that no look at the clock would come.
LEXERS: Final = {
    ".bash": BashLexer,
    ".ipynb": JsonLexer,
    ".json": JsonLexer,
    ".md": MarkdownLexer,
    ".py": PythonLexer,
    ".pyi": PythonLexer,
    ".sh": BashLexer,
    ".sql": SqlLexer,
    ".toml": TOMLLexer,
    ".yaml": YamlLexer,
    ".yml": YamlLexer,
}

# What code.css has a colour for; all else is text, and needs no tag around it.
COLOURED: Final = {
    Token.Comment,
    Token.Generic.Heading,
    Token.Generic.Subheading,
    Token.Keyword,
    Token.Literal.Number,
    Token.Literal.String,
    Token.Name.Builtin,
    Token.Name.Class,
    Token.Name.Decorator,
    Token.Name.Function,
    Token.Name.Tag,
    Token.Operator.Word,
}


class NotShown(Exception):
    """A file cannot be shown as text; the message says why, in a sentence."""


def read_text(pieces: Iterable[bytes], *, size: int) -> str:
    """Read a file that is to be shown; one that is too large is not even begun.

    Raises:
        NotShown: it is too large, or not text.
    """
    if size > MAX_BYTES:
        raise NotShown(f"It is larger than {MAX_BYTES // 1024} KB.")
    data = b"".join(pieces)
    if b"\0" in data:
        raise NotShown("It is not text.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotShown("It is not text in UTF-8.") from None


def highlight(name: str, text: str) -> list[SafeString]:
    """Return the lines of a text as HTML, coloured by what the name of its file promises.

    Colouring that takes too long is broken off; the rest comes as plain text.
    """
    if not text:
        return []
    text = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n"
    html = StringIO()
    # The formatter closes its tags at the end of each line.
    HtmlFormatter(nowrap=True).format(_tokens(name, text), html)
    return [mark_safe(line) for line in html.getvalue().removesuffix("\n").split("\n")]  # noqa: S308


def _tokens(name: str, text: str) -> Iterator[tuple[Any, str]]:
    lexer = LEXERS.get(PurePosixPath(name).suffix.lower())
    position = 0
    if lexer is not None:
        until = time.monotonic() + SECONDS
        # Of Markdown: a block of code could ask for any lexer there is.
        options = {"stripnl": False, "ensurenl": False, "handlecodeblocks": False}
        for kind, value in lexer(**options).get_tokens(text):
            yield _coloured(kind), value
            position += len(value)
            if time.monotonic() > until:
                break
    if position < len(text):
        yield Token.Text, text[position:]


def _coloured(kind: Any) -> Any:
    while kind not in COLOURED and kind is not Token:
        kind = kind.parent
    return kind
