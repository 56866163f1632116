"""A strict reader of ZIP files, for bytes which a stranger sent.

Python's `zipfile` repairs what it reads: it strips `../`, cuts names at NUL, skips bytes
in front of the archive. This reader accounts for every byte instead. The files, laid end
to end, must fill the archive up to its table of contents, the table must fill the rest up
to the end record, and what a file says of itself must agree with the table. So two readers
cannot see two archives in one file, and no file can borrow the bytes of another.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from stat import S_IFDIR, S_IFMT, S_IFREG, S_ISUID, S_IXUSR
from typing import IO

MAX_PROBLEMS = 100
PIECE_BYTES = 64 * 1024
TABLE_BYTES_PER_ENTRY = 512
"""Room for one entry in the table of contents, on average; five times what is usual."""

_FULL = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_STREAMED = 1 << 3
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_DEFLATE_LEVEL = 1 << 1 | 1 << 2
_KNOWN_FLAGS = _STREAMED | _DEFLATE_LEVEL | 1 << 11

_DOS_FOLDER = 0x10
_DOS_SPECIAL = 0x08 | 0x40 | 0x400  # volume label, device, reparse point
_UNIX_SPECIAL_BITS = 0o7000

_ZIP64_FIELD, _UNICODE_NAME_FIELD = 0x0001, 0x7075
_LINK_FIELDS = {0x000D: 12, 0x756E: 14}
"""Extra fields of Unix tools, and their length as long as they name no link target."""
_KNOWN_FIELDS = {_ZIP64_FIELD, _UNICODE_NAME_FIELD, *_LINK_FIELDS}
_MAX_FIELDS = 16

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


class ArchiveRefused(Exception):
    """An archive is not accepted; `problems` says why, in sentences for its sender."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(self.problems)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file or folder, as the table of contents describes it; sizes are in bytes."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int
    attributes: int
    extra: bytes

    @property
    def is_folder(self) -> bool:
        """Tell whether this is a folder: its name ends in a slash."""
        return self.raw_name.endswith(b"/")

    @property
    def is_executable(self) -> bool:
        """Tell whether the owner may execute the file, by its Unix mode."""
        return bool(self.attributes >> 16 & S_IXUSR)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    offset: int
    size: int
    count: int


def quote(name: str) -> str:
    """Give a name as a message may show it: short, with unseen characters spelled out."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name[:120])
    return f"“{shown}{'…' if len(name) > 120 else ''}”"


def refuse_if_any(problems: Iterable[str]) -> None:
    """Raise ArchiveRefused if there are problems; the first hundred of them are named."""
    first = list(dict.fromkeys(islice(problems, MAX_PROBLEMS + 1)))
    if len(first) > MAX_PROBLEMS:
        first[MAX_PROBLEMS:] = [f"There are more problems; these are the first {MAX_PROBLEMS}."]
    if first:
        raise ArchiveRefused(*first)


def read_entries(file: IO[bytes], *, max_entries: int | None = None) -> list[Entry]:
    """Read the table of contents, and check it against the files' own headers.

    Nothing is inflated; `contents` does that, and checks what comes out.

    Raises:
        ArchiveRefused: this is no ZIP file, or one which is damaged, ambiguous, encrypted,
            split, or has links and the like. Names are not judged here.
    """
    size = file.seek(0, 2)
    table = _find_table(file, size)
    if max_entries is not None and table.count > max_entries:
        raise ArchiveRefused(
            f"The archive has too many entries: {table.count:,}, and {max_entries:,} may be sent."
        )
    entries = _read_table(file, table)
    refuse_if_any(
        chain(
            (
                f"{quote(entry.name)} {fault}."
                for entry in entries
                for fault in _entry_faults(entry)
            ),
            _layout_faults(file, entries, table.offset),
        )
    )
    return entries


def contents(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """Inflate one file, in pieces of at most 64 KB; never more than one piece too many.

    Raises:
        ArchiveRefused: the data are damaged, or not of the size and checksum given.
    """
    size = crc = 0
    try:
        for piece in _inflate(file, entry):
            size += len(piece)
            if size > entry.size:
                break
            crc = zlib.crc32(piece, crc)
            yield piece
    except zlib.error:
        raise ArchiveRefused(f"{quote(entry.name)} is damaged: it cannot be inflated.") from None
    if size != entry.size:
        raise ArchiveRefused(
            f"{quote(entry.name)} has a header whose size disagrees with its data."
        )
    if crc != entry.crc:
        raise ArchiveRefused(f"{quote(entry.name)} is damaged: its checksum does not match.")


def _inflate(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    file.seek(entry.offset + _LOCAL.size - 4)
    file.seek(sum(struct.unpack("<2H", file.read(4))), 1)
    left = entry.packed_size
    if entry.method == _STORED:
        for start in range(0, left, PIECE_BYTES):
            yield file.read(min(left - start, PIECE_BYTES))
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof:
        packed = inflater.unconsumed_tail
        if not packed:
            packed = file.read(min(left, PIECE_BYTES))
            left -= len(packed)
        piece = inflater.decompress(packed, PIECE_BYTES)
        if not packed and not piece:
            raise zlib.error("the data end too early")
        yield piece
    if left or inflater.unused_data:
        raise zlib.error("bytes follow the end of the data")


def _find_table(file: IO[bytes], size: int) -> _Table:
    """Find the table of contents, which must reach up to the end record."""
    table_end, numbers = _read_end(file, size)
    locator_start = table_end - _LOCATOR.size
    if locator_start >= 0 and _read(file, locator_start, 4) == b"PK\6\7":
        table_end, numbers64 = _read_end64(file, locator_start)
        full = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, _FULL, _FULL)
        if any(a not in (b, c) for a, b, c in zip(numbers, numbers64, full, strict=True)):
            raise ArchiveRefused("The archive's two end records (ZIP64 and plain) disagree.")
        numbers = numbers64
    disk, table_disk, here, count, table_size, offset = numbers
    if disk or table_disk or here != count:
        raise ArchiveRefused("The archive is one part of a split one: send it in one file.")
    surplus = table_end - offset - table_size
    if surplus < 0:
        raise ArchiveRefused("The archive is cut short: its table of contents is not whole.")
    if surplus:
        raise ArchiveRefused(
            f"The archive holds {surplus:,} bytes which belong to none of its files, "
            "in front of it or behind its table of contents."
        )
    if not count:
        raise ArchiveRefused("The archive is empty: it has no files.")
    return _Table(offset=offset, size=table_size, count=count)


def _read_end(file: IO[bytes], size: int) -> tuple[int, tuple[int, ...]]:
    """Find the end record: where it begins, and its numbers. Only its comment may follow."""
    if not size:
        raise ArchiveRefused("The file is empty.")
    tail_size = min(size, _END.size + 0xFFFF)
    tail = _read(file, size - tail_size, tail_size)
    start = tail.rfind(b"PK\5\6", 0, max(0, tail_size - _END.size + 4))
    if start < 0:
        if _read(file, 0, min(size, 4)).startswith(b"PK"):
            raise ArchiveRefused("The archive is cut short, or other data follow its end.")
        raise ArchiveRefused("The file is not a ZIP archive.")
    _, *numbers, comment_size = _END.unpack_from(tail, start)
    surplus = tail_size - start - _END.size - comment_size
    if surplus < 0:
        raise ArchiveRefused("The archive is cut short in its comment.")
    if surplus:
        raise ArchiveRefused(f"{surplus:,} bytes follow the end of the archive.")
    return size - tail_size + start, tuple(numbers)


def _read_end64(file: IO[bytes], locator_start: int) -> tuple[int, tuple[int, ...]]:
    """Read the ZIP64 end record, which must stand right before its locator."""
    start = locator_start - _END64.size
    _, locator_disk, located, disks = _LOCATOR.unpack(_read(file, locator_start, _LOCATOR.size))
    if start != located or locator_disk or disks > 1:
        raise ArchiveRefused("The archive's ZIP64 end record is not where it should be.")
    signature, size, _, _, *numbers = _END64.unpack(_read(file, start, _END64.size))
    if signature != b"PK\6\6" or size != _END64.size - 12:
        raise ArchiveRefused("The archive's ZIP64 end record is damaged.")
    return start, tuple(numbers)


def _read_table(file: IO[bytes], table: _Table) -> list[Entry]:
    if table.size > table.count * TABLE_BYTES_PER_ENTRY + 0x10000:
        raise ArchiveRefused("The archive's table of contents is too long for its entries.")
    data = _read(file, table.offset, table.size)
    entries = []
    start = 0
    for _ in range(table.count):
        if len(data) - start < _CENTRAL.size:
            raise ArchiveRefused("The archive has fewer entries than its end record counts.")
        header = _CENTRAL.unpack_from(data, start)
        signature, _, _, flags, method, _, _, crc, packed_size, size = header[:10]
        name_size, extra_size, comment_size, disk, _, attributes, offset = header[10:]
        name_start = start + _CENTRAL.size
        extra_start = name_start + name_size
        start = extra_start + extra_size + comment_size
        if signature != b"PK\1\2" or start > len(data) or disk:
            raise ArchiveRefused("The archive's table of contents is damaged.")
        raw_name = data[name_start:extra_start]
        extra = data[extra_start : extra_start + extra_size]
        size, packed_size, offset = _widen(extra, size, packed_size, offset)
        entries.append(
            Entry(
                raw_name=raw_name,
                name=raw_name.decode(errors="backslashreplace"),
                flags=flags,
                method=method,
                crc=crc,
                packed_size=packed_size,
                size=size,
                offset=offset,
                attributes=attributes,
                extra=extra,
            )
        )
    if start != len(data):
        raise ArchiveRefused("The archive has more entries than its end record counts.")
    return entries


def _entry_faults(entry: Entry) -> Iterator[str]:
    """Say what the table of contents alone gives away about a file."""
    if entry.flags & _ENCRYPTED:
        yield "is encrypted"
    elif entry.flags & ~_KNOWN_FLAGS:
        yield "uses a ZIP feature which is not supported"
    if entry.method not in (_STORED, _DEFLATED):
        yield f"is packed by method {entry.method}, but only “store” and “deflate” are supported"
    elif entry.method == _STORED and entry.size != entry.packed_size:
        yield "is stored, yet has a header whose size disagrees with its data"
    if entry.is_folder and entry.size:
        yield "is a folder with data of its own"
    yield from _kind_faults(entry)
    yield from _extra_faults(entry.extra, entry.raw_name)


def _kind_faults(entry: Entry) -> Iterator[str]:
    mode = entry.attributes >> 16
    kind = S_IFDIR if entry.is_folder else S_IFREG
    if S_IFMT(mode) not in (0, kind) or entry.attributes & _DOS_SPECIAL:
        yield "is neither a plain file nor a folder (but a link, a device, or the like)"
    elif entry.attributes & _DOS_FOLDER and not entry.is_folder:
        yield "is marked as a folder, but is named as a file"
    # A folder may inherit its group (setgid), as is usual in shared ones; nothing comes of it.
    if mode & (S_ISUID if entry.is_folder else _UNIX_SPECIAL_BITS):
        yield "has setuid, setgid or sticky bits"


def _extra_faults(extra: bytes, raw_name: bytes) -> Iterator[str]:
    fields = _fields(extra)
    known = [key for key, _ in fields if key in _KNOWN_FIELDS]
    if len(fields) > _MAX_FIELDS or len(known) > len(set(known)):
        yield "has a header with too many extra fields"
    values = dict(fields)
    if any(len(values.get(key, b"")) > size for key, size in _LINK_FIELDS.items()):
        yield "is a link"
    if values.get(_UNICODE_NAME_FIELD, bytes(5) + raw_name)[5:] != raw_name:
        yield "has a second name in its Unicode field"


def _layout_faults(file: IO[bytes], entries: list[Entry], table_offset: int) -> Iterator[str]:
    """Check that the files fill the archive up to its table, with no gap and no overlap."""
    ordered = sorted(entries, key=lambda entry: entry.offset)
    if start := ordered[0].offset:
        yield f"{start:,} bytes come before the first file of the archive."
    ends = [entry.offset for entry in ordered[1:]] + [table_offset]
    for entry, end in zip(ordered, ends, strict=True):
        for fault in _local_faults(file, entry, end):
            yield f"{quote(entry.name)} {fault}."


def _local_faults(file: IO[bytes], entry: Entry, end: int) -> Iterator[str]:
    """Compare a file's own header with the table; `end` is where the next thing begins."""
    data_size = end - entry.offset - _LOCAL.size
    if data_size < entry.packed_size:
        yield "overlaps what comes after it, or is cut short"
        return
    header = _LOCAL.unpack(_read(file, entry.offset, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed_size, size, name_size, extra_size = header
    data_size -= name_size + extra_size
    if signature != b"PK\3\4" or data_size < entry.packed_size:
        yield "has no header of its own where the table of contents says, or overlaps another"
        return
    raw_name = file.read(name_size)
    extra = file.read(extra_size)
    yield from _extra_faults(extra, raw_name)
    size, packed_size = _widen(extra, size, packed_size)
    true = (entry.crc, entry.packed_size, entry.size)
    streamed = bool(entry.flags & _STREAMED)
    for what, agrees in {
        "name": raw_name == entry.raw_name,
        "flags": not (flags ^ entry.flags) & ~_DEFLATE_LEVEL,
        "method": method == entry.method,
        "size or checksum": all(
            here == there or (streamed and not here)
            for here, there in zip((crc, packed_size, size), true, strict=True)
        ),
    }.items():
        if not agrees:
            yield f"has a header which disagrees with the table of contents ({what})"
    trailer_size = data_size - entry.packed_size
    trailer = _read(file, end - trailer_size, trailer_size) if trailer_size <= 24 else b"?"
    if not (_is_trailer(trailer, true) if streamed else trailer == b""):
        yield "is followed by bytes which belong to no file"


def _is_trailer(data: bytes, true: tuple[int, int, int]) -> bool:
    """Tell whether `data` repeat checksum and sizes, as they do behind a streamed file."""
    bare = data.removeprefix(b"PK\7\b")
    layouts = {12: "<3L", 20: "<L2Q"}
    return len(bare) in layouts and struct.unpack(layouts[len(bare)], bare) == true


def _fields(extra: bytes) -> list[tuple[int, bytes]]:
    """Split the extra data of a header, up to one field too many; a short rest is padding."""
    fields: list[tuple[int, bytes]] = []
    start = 0
    while start + 4 <= len(extra) and len(fields) <= _MAX_FIELDS:
        key, size = struct.unpack_from("<2H", extra, start)
        fields.append((key, extra[start + 4 : start + 4 + size]))
        start += 4 + size
    return fields


def _widen(extra: bytes, *values: int) -> tuple[int, ...]:
    """Give the values, but take those which are full from the ZIP64 field, in its order."""
    if _FULL not in values:
        return values
    field = dict(_fields(extra)).get(_ZIP64_FIELD, b"")
    wide = struct.iter_unpack("<Q", field[: len(field) // 8 * 8])
    return tuple(next(wide, (value,))[0] if value == _FULL else value for value in values)


def _read(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    if len(data) != size:
        raise ArchiveRefused("The archive is cut short.")
    return data
