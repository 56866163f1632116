"""What changed between two archives, and in which lines. Nothing of them is executed.

Whoever may upload decides what is in them, so what a comparison takes has a bound.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from enum import StrEnum
from typing import Final

from orchestrations.archives import ArchiveFile
from orchestrations.packager import normal_name

MAX_SHORT: Final = 255
MAX_NAMED: Final = 2
MAX_COMPARED_LINES: Final = 10_000
MAX_LINE_CHARACTERS: Final = 1_000
CONTEXT_LINES: Final = 3


class Kind(StrEnum):
    """What became of a file or of a requirement."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Content:
    """What of an archive is compared."""

    files: Sequence[ArchiveFile]
    requirements: Sequence[str]
    entry_point: str


@dataclass(frozen=True)
class FileChange:
    """A file that is in one of the archives only, or is another one there."""

    kind: Kind
    name: str
    before: ArchiveFile | None
    after: ArchiveFile | None


@dataclass(frozen=True)
class RequirementChange:
    """A package that one of the lists names, or that each names in another way."""

    kind: Kind
    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How one archive differs from another.

    Attributes:
        entry_point: the older and the newer one, where they differ.
    """

    files: Sequence[FileChange]
    requirements: Sequence[RequirementChange]
    entry_point: tuple[str, str] | None

    def __bool__(self) -> bool:
        return bool(self.files or self.requirements or self.entry_point)

    @property
    def in_short(self) -> str:
        """Return it in one line; a few files by their names, many by their number."""
        if not self:
            return "The same files, packed anew"
        parts = []
        if len(self.files) <= MAX_NAMED:
            parts += [f"{change.name} {change.kind}" for change in self.files]
        else:
            parts += list(_counted(self.files))
        packages = ", ".join(f"{each.name} {each.kind}" for each in self.requirements[:MAX_NAMED])
        if more := len(self.requirements[MAX_NAMED:]):
            packages += f" and {more} more"
        if packages:
            parts.append(f"packages: {packages}")
        if self.entry_point:
            parts.append(f"entry point {self.entry_point[1]}")
        return "; ".join(parts)


def _counted(files: Sequence[FileChange]) -> Iterator[str]:
    for kind in (Kind.CHANGED, Kind.ADDED, Kind.REMOVED):
        count = sum(1 for change in files if change.kind == kind)
        if count:
            yield f"{count:,} file{'' if count == 1 else 's'} {kind}"


def compare(before: Content, after: Content) -> Changes:
    """Compare two archives by their tables of contents and their lists of requirements."""
    is_moved = before.entry_point != after.entry_point
    return Changes(
        files=list(_file_changes(before.files, after.files)),
        requirements=list(_requirement_changes(before.requirements, after.requirements)),
        entry_point=(before.entry_point, after.entry_point) if is_moved else None,
    )


def _file_changes(
    before: Iterable[ArchiveFile], after: Iterable[ArchiveFile]
) -> Iterator[FileChange]:
    old, new = ({file.name: file for file in files} for files in (before, after))
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one != other:
            yield FileChange(_kind(one, other), name, one, other)


def _requirement_changes(
    before: Sequence[str], after: Sequence[str]
) -> Iterator[RequirementChange]:
    old, new = _by_package(before), _by_package(after)
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name, ""), new.get(name, "")
        if one != other:
            yield RequirementChange(_kind(one, other), name, one, other)


def _by_package(lines: Sequence[str]) -> dict[str, str]:
    """Return what a list says of each package; one that is named twice has both."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(normal_name(line), []).append(line)
    return {name: ", ".join(sorted(said)) for name, said in found.items()}


def _kind(before: object, after: object) -> Kind:
    if not before:
        return Kind.ADDED
    return Kind.CHANGED if after else Kind.REMOVED


# -- The lines of a text ---------------------------------------------------------------


class TooMuchToCompare(Exception):
    """Two texts are not compared line by line; the message says why, in a sentence."""


@dataclass(frozen=True)
class Line:
    """One line of a comparison; its number in each text, or None where it is not in it."""

    before: int | None
    after: int | None
    text: str

    @property
    def sign(self) -> str:
        """Return what stands in front of it: a plus came, a minus went, nothing stayed."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else " "


Hunk = Sequence[Line]


def compare_texts(before: str, after: str, *, seconds: float) -> list[Hunk]:
    """Return the places where two texts differ, each with a few lines around it.

    Raises:
        TooMuchToCompare: they are too long, or it would take longer than `seconds`.
    """
    old, new = _lines(before), _lines(after)
    hunks: list[Hunk] = []
    matcher = _Bounded(old, new, until=time.monotonic() + seconds)
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        hunk: list[Line] = []
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                shift = new_start - old_start
                kept = range(old_start, old_end)
                hunk += [Line(at + 1, at + shift + 1, old[at]) for at in kept]
                continue
            hunk += [Line(at + 1, None, old[at]) for at in range(old_start, old_end)]
            hunk += [Line(None, at + 1, new[at]) for at in range(new_start, new_end)]
        hunks.append(hunk)
    return hunks


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    if len(lines) > MAX_COMPARED_LINES:
        raise TooMuchToCompare(f"It has more than {MAX_COMPARED_LINES:,} lines.")
    if any(len(line) > MAX_LINE_CHARACTERS for line in lines):
        raise TooMuchToCompare(f"It has lines of more than {MAX_LINE_CHARACTERS:,} characters.")
    return lines if text else []


class _Bounded(SequenceMatcher[str]):
    """Gives up when its time is over. A text can be made for that it takes hours."""

    def __init__(self, before: list[str], after: list[str], *, until: float) -> None:
        super().__init__(None, before, after)
        self.until = until

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """Look once; many times are what a comparison consists of."""
        if time.monotonic() > self.until:
            raise TooMuchToCompare("Comparing it line by line would take too long.")
        return super().find_longest_match(alo, ahi, blo, bhi)
