"""Look into an uploaded archive, say what is wrong with it, and unpack it for a run.

An archive is refused, never repaired: what the sender packed is what will run, byte for
byte and name for name, or they are told why not.
"""

import operator
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, takewhile
from pathlib import Path
from typing import IO
from unicodedata import normalize

from orchestrations.requirements import RequirementsRefused, parse_requirements
from orchestrations.zip_reader import (
    MAX_PROBLEMS,
    ArchiveRefused,
    Entry,
    contents,
    quote,
    read_entries,
    refuse_if_any,
)

__all__ = [
    "Archive",
    "ArchiveFile",
    "ArchiveRefused",
    "Limits",
    "inspect_archive",
    "list_files",
    "open_file",
    "unpack_archive",
]

ENTRY_POINT = "main.py"
REQUIREMENTS = "requirements.txt"
MAX_REQUIREMENTS_BYTES = 1024**2
MAX_PATH_BYTES = 1_024
MAX_NAME_BYTES = 255
RATIO_JUDGED_ABOVE_BYTES = 10 * 1024**2

# Matched against the folded path, so that look-alikes of dots and slashes count as such.
_PATH_RULES = {
    re.compile(pattern): fault
    for pattern, fault in (
        (r"\A/", "is an absolute path"),
        (r"\A[a-z]:", "begins with a drive letter"),
        (r"\\", "holds a backslash: separate folders by /"),
        (r"(?:\A|/)\.\.(?:/|\Z)", "leads out of its folder by “..”"),
        (r"/\.?(?:/|\Z)|\A(?:\.?\Z|\./)", "has an empty part, or one which is a mere dot"),
        (r" (?:/|\Z)|(?:[^/]{2}|[^/.])\.(?:/|\Z)", "has a part which ends in a dot or a space"),
        (
            r"(?:\A|/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9]) *(?:\.[^/]*)?(?:/|\Z)",
            "has the name of a Windows device",
        ),
        ("[\x00-\x1f\x7f-\x9f\u2028\u2029]", "holds a control character"),
        (
            "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
            "holds a character which turns the direction of writing",
        ),
        (
            "[\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb]",
            "holds a character which cannot be seen",
        ),
    )
}

_SHADOWED = sys.stdlib_module_names | {"sitecustomize", "usercustomize", "wallaroo"}
_MODULE = re.compile(r"(?P<module>\w+)(?:\.pyc?|(?:\.[\w-]+)?\.so|/__init__\.pyc?)")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much an archive may hold.

    `max_entries` counts files and folders, also those folders which are only named in a
    file's path; `max_total_bytes` counts inflated bytes; `max_ratio` is inflated by packed
    bytes of the whole archive, judged above 10 MB inflated.
    """

    max_entries: int = 10_000
    max_total_bytes: int = 2 * 1024**3
    max_ratio: int = 200


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class ArchiveFile:
    """A file in an archive; `size` is in bytes, inflated, `crc` the checksum of its content."""

    name: str
    size: int
    crc: int

    @property
    def folder(self) -> str:
        """Return the path of its folder with a slash at the end; empty at the top."""
        return self.name[: self.name.rfind("/") + 1]

    @property
    def base_name(self) -> str:
        """Return its name within its folder."""
        return self.name.removeprefix(self.folder)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What an accepted archive holds; `requirements_path` is empty if there are none."""

    entry_point: str
    requirements_path: str
    requirements: str
    files: tuple[ArchiveFile, ...]
    warnings: tuple[str, ...]


def inspect_archive(file: IO[bytes], *, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Read an archive from end to end, in memory and in small pieces, and describe it.

    A file that can be seeked is needed; its position afterwards is not defined.

    Raises:
        ArchiveRefused: with every problem found. A broken or outsized archive is refused
            before anything in it is inflated.
    """
    entries = read_entries(file, max_entries=limits.max_entries)
    refuse_if_any(_size_problems(entries, limits))
    files = _files_among(entries)
    scripts = _find_named(files, ENTRY_POINT)
    lists = _find_named(files, REQUIREMENTS)
    text, notes, unreadable = _read_requirements(file, lists)
    refuse_if_any(
        chain(
            _name_problems(entries, limits.max_entries),
            _choice_problems(scripts, lists),
            unreadable,
            _damage(file, entries),
        )
    )
    return Archive(
        entry_point=scripts[0].name,
        requirements_path=lists[0].name if lists else "",
        requirements=text,
        files=tuple(map(_described, files)),
        warnings=(*notes, *_shadow_warnings(files, scripts[0].name)),
    )


def unpack_archive(file: IO[bytes], directory: Path) -> None:
    """Write the files of an archive below an existing, empty directory.

    Files get mode 0644, or 0755 if their owner could execute them; folders 0755. What
    macOS adds in `__MACOSX` is left out. Names and structure are checked anew, and no file
    grows past the size which `inspect_archive` has seen; the limits are not checked again.

    Raises:
        ArchiveRefused: the archive is none which `inspect_archive` accepts. Some files may
            have been written by then, all of them below the directory.
    """
    entries = read_entries(file)
    refuse_if_any(_name_problems(entries))
    made = {""}
    for entry in entries:
        if _is_mac_metadata(entry):
            continue
        folder, _, name = entry.name.rpartition("/")
        _make_folders(directory, folder, made)
        if entry.is_folder:
            continue
        path = directory / folder / name
        with path.open("xb") as target:
            os.fchmod(target.fileno(), 0o755 if entry.is_executable else 0o644)
            target.writelines(contents(file, entry))


def list_files(file: IO[bytes]) -> list[ArchiveFile]:
    """List the files of an archive that was accepted, folder by folder; nothing is inflated.

    Raises:
        ArchiveRefused: the archive is none which `inspect_archive` accepts.
    """
    entries = _files_among(read_entries(file, max_entries=DEFAULT_LIMITS.max_entries))
    return sorted(map(_described, entries), key=lambda found: (found.folder, found.name))


def open_file(file: IO[bytes], name: str) -> tuple[ArchiveFile, Iterator[bytes]]:
    """Find a file of an accepted archive by its whole name, as `list_files` gives it.

    Its contents come in small pieces, while `file` is open, and are as checked as those of
    `unpack_archive`. Nothing is inflated before the first piece is asked for.

    Raises:
        FileNotFoundError: the archive has no such file.
        ArchiveRefused: the archive is none which `inspect_archive` accepts.
    """
    for entry in _files_among(read_entries(file, max_entries=DEFAULT_LIMITS.max_entries)):
        if entry.name == name:
            return _described(entry), contents(file, entry)
    raise FileNotFoundError(name)


def _files_among(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if not entry.is_folder and not _is_mac_metadata(entry)]


def _described(entry: Entry) -> ArchiveFile:
    return ArchiveFile(name=entry.name, size=entry.size, crc=entry.crc)


def _make_folders(directory: Path, folder: str, made: set[str]) -> None:
    missing = []
    while folder not in made:
        missing.append(folder)
        folder = folder.rpartition("/")[0]
    for name in reversed(missing):
        path = directory / name
        path.mkdir()
        path.chmod(0o755)
    made.update(missing)


def _is_mac_metadata(entry: Entry) -> bool:
    return entry.name.startswith("__MACOSX/")


def _find_named(files: list[Entry], name: str) -> list[Entry]:
    """Give the files of that name, the shallowest first, then in order of their paths."""
    found = [entry for entry in files if entry.name.rpartition("/")[2] == name]
    return sorted(found, key=lambda entry: (entry.name.count("/"), entry.name))


def _size_problems(entries: list[Entry], limits: Limits) -> Iterator[str]:
    """Judge the sizes which headers give; `contents` makes sure that those do not lie."""
    total = sum(entry.size for entry in entries)
    packed = max(1, sum(entry.packed_size for entry in entries))
    if total > limits.max_total_bytes:
        yield (
            f"The archive holds too much: {total:,} bytes inflated, "
            f"and {limits.max_total_bytes:,} may be sent."
        )
    if total > RATIO_JUDGED_ABOVE_BYTES and total > packed * limits.max_ratio:
        yield (
            f"The archive inflates to {total // packed:,} times its packed size, "
            f"and {limits.max_ratio} times is the most that is accepted."
        )


def _choice_problems(scripts: list[Entry], lists: list[Entry]) -> Iterator[str]:
    if not scripts:
        yield f"No {ENTRY_POINT} is in the archive: give this name to the script to run."
    if len(lists) > 1:
        names = ", ".join(quote(entry.name) for entry in lists[:MAX_PROBLEMS])
        yield f"More than one {REQUIREMENTS} is in the archive: {names}. Keep one of them."


def _damage(file: IO[bytes], entries: list[Entry]) -> Iterator[str]:
    for entry in entries:
        try:
            for _ in contents(file, entry):
                pass
        except ArchiveRefused as refusal:
            yield from refusal.problems


def _read_requirements(
    file: IO[bytes], lists: list[Entry]
) -> tuple[str, tuple[str, ...], list[str]]:
    """Return the text of the only list, notes about it, and what is wrong with it."""
    if len(lists) != 1:
        return "", (), []
    [entry] = lists
    name = quote(entry.name)
    if entry.size > MAX_REQUIREMENTS_BYTES:
        return "", (), [f"{name} is longer than 1 MB."]
    try:
        text = b"".join(contents(file, entry)).decode("utf-8-sig")
        return text, parse_requirements(text).notes, []
    except UnicodeDecodeError:
        return "", (), [f"{name} is not UTF-8 text: save it in that encoding."]
    except RequirementsRefused as refusal:
        return "", (), [f"{name}: {problem}" for problem in refusal.problems]
    except ArchiveRefused as refusal:
        return "", (), list(refusal.problems)


def _name_problems(entries: list[Entry], max_paths: int | None = None) -> Iterator[str]:
    keyed = []
    for entry in entries:
        faults = list(_length_faults(entry))
        key = "" if faults else _fold(entry.name.removesuffix("/"))
        if not faults:
            faults = list(_path_faults(entry.name, key))
        if not faults:
            keyed.append((key, entry.name))
        yield from (f"{quote(entry.name)} {fault}." for fault in faults)
    yield from _clashes(keyed, max_paths)


def _length_faults(entry: Entry) -> Iterator[str]:
    """Check the bytes of a name; only one which passes is short enough to be folded."""
    if entry.name.encode() != entry.raw_name:
        yield "is not a name in UTF-8: pack the archive with a tool that writes such names"
    if len(entry.raw_name) > MAX_PATH_BYTES:
        yield f"is a path of more than {MAX_PATH_BYTES:,} bytes"
    if max(map(len, entry.raw_name.split(b"/"))) > MAX_NAME_BYTES:
        yield f"has a name of more than {MAX_NAME_BYTES} bytes in it"


def _path_faults(name: str, folded: str) -> Iterator[str]:
    # Some characters unfold to eighteen; a table of contents full of them would cost much.
    if len(folded) > 2 * len(name.encode()):
        yield "holds characters which stand for many others"
        return
    for pattern, fault in _PATH_RULES.items():
        if pattern.search(folded):
            yield fault
    if folded.count("/") != name.removesuffix("/").count("/"):
        yield "holds a character which can pass for a slash"


def _fold(name: str) -> str:
    """Give what systems that ignore case and the form of letters take a name for."""
    if name.isascii():
        return name.lower()
    return normalize("NFKC", normalize("NFKC", name).casefold())


def _clashes(keyed: list[tuple[str, str]], max_paths: int | None) -> Iterator[str]:
    """Compare each path with the next one in order: paths that clash stand side by side.

    Also counts what will be made, implied folders and all: a few long paths can name
    millions of folders.
    """
    # NUL sorts before all other characters, so what is in a folder comes right behind it.
    keyed = sorted((key.replace("/", "\0"), name) for key, name in keyed)
    count = 0
    previous: tuple[list[str], str] = ([], "/")
    for key, name in keyed:
        parts = key.split("\0")
        above, other = previous
        shared = sum(1 for _ in takewhile(bool, map(operator.eq, parts, above)))
        count += len(parts) - shared
        if max_paths is not None and count > max_paths:
            yield f"The archive makes too many folders and files: more than {max_paths:,}."
            return
        previous = parts, name
        if name == other:
            yield f"{quote(name)} is in the archive more than once."
        elif shared == len(parts) == len(above):
            yield f"{quote(other)} and {quote(name)} would be one file on some systems."
        elif shared == len(above) and not other.endswith("/"):
            yield f"{quote(other)} is a file, and also the folder of {quote(name)}."
        elif name.split("/")[:shared] != other.split("/")[:shared]:
            yield f"{quote(other)} and {quote(name)} would share a folder on some systems."


def _shadow_warnings(files: list[Entry], entry_point: str) -> Iterator[str]:
    for entry in files:
        for folder in {"", entry_point.removesuffix(ENTRY_POINT)}:
            match = _MODULE.fullmatch(entry.name.removeprefix(folder))
            if match and entry.name.startswith(folder) and match["module"] in _SHADOWED:
                module = match["module"]
                what = "the Wallaroo SDK" if module == "wallaroo" else f"Python's own {module}"
                yield f"{quote(entry.name)} hides {what} from the script, which may break it."
