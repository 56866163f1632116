"""Archives as no honest tool writes them, put together byte by byte."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, S_ISGID, S_ISUID

UTF8 = 1 << 11
STREAMED = 1 << 3
_FULL = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file; whatever is not set tells the truth, and `local` overrides its own header."""

    name: bytes = b"main.py"
    data: bytes = b"print('hello')\n"
    method: int = 8
    flags: int = 0
    mode: int = S_IFREG | 0o644
    dos: int = 0
    extra: bytes = b""
    disk: int = 0
    signature: bytes = b"PK\1\2"
    packed: bytes | None = None
    trailer: bytes = b""
    size: int | None = None
    crc: int | None = None
    packed_size: int | None = None
    offset: int | None = None
    local: dict[str, object] = field(default_factory=dict)

    def body(self) -> bytes:
        """Give the bytes which stand in the archive as the file's data."""
        if self.packed is not None:
            return self.packed
        return deflate(self.data) if self.method == 8 else self.data

    def numbers(self) -> tuple[int, int, int]:
        """Give checksum, packed size and size, as the header states them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed_size = len(self.body()) if self.packed_size is None else self.packed_size
        return crc, packed_size, len(self.data) if self.size is None else self.size


@cache
def deflate(data: bytes) -> bytes:
    """Pack without a header, as in ZIP files."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def local_part(member: Member) -> bytes:
    """Write a file's own header, its data, and what follows them."""
    here = replace(member, **member.local)  # type: ignore[arg-type]
    signature = b"PK\3\4" if here.signature == b"PK\1\2" else here.signature
    header = struct.pack(
        "<4s5H3L2H",
        *(signature, 20, here.flags, here.method, 0, 33),
        *(*here.numbers(), len(here.name), len(here.extra)),
    )
    return header + here.name + here.extra + member.body() + member.trailer


def table_part(member: Member, offset: int) -> bytes:
    """Write a file's entry in the table of contents."""
    header = struct.pack(
        "<4s6H3L5H2L",
        *(member.signature, 0x031E, 20, member.flags, member.method, 0, 33),
        *(*member.numbers(), len(member.name), len(member.extra), 0, member.disk, 0),
        *(member.mode << 16 | member.dos, offset if member.offset is None else member.offset),
    )
    return header + member.name + member.extra


def pack(
    *members: Member,
    prefix: bytes = b"",
    gap: bytes = b"",
    suffix: bytes = b"",
    comment: bytes = b"",
    end64: bytes = b"",
    **end: int,
) -> bytes:
    """Write an archive; `end` overrides numbers of the end record, `gap` precedes it."""
    body, table = prefix, b""
    for member in members:
        table += table_part(member, len(body))
        body += local_part(member)
    numbers = {
        "disk": 0,
        "table_disk": 0,
        "here": len(members),
        "count": len(members),
        "table_size": len(table),
        "offset": len(body),
        "comment_size": len(comment),
    } | end
    record = struct.pack("<4s4H2LH", b"PK\5\6", *numbers.values())
    return body + table + gap + end64 + record + comment + suffix


def write_end64(start: int, table_size: int, **wrong: int) -> bytes:
    """Write the ZIP64 end record of one file and its locator, for a table at `start`."""
    numbers = {"size": 44, "disk": 0, "here": 1, "count": 1, "offset": start} | wrong
    record = struct.pack(
        "<4sQ2H2L4Q",
        *(b"PK\6\6", numbers["size"], 45, 45, numbers["disk"], 0),
        *(numbers["here"], numbers["count"], table_size, numbers["offset"]),
    )
    located = wrong.get("located", start + table_size)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, located, wrong.get("disks", 1))


def extra(key: int, data: bytes) -> bytes:
    """Write one extra field."""
    return struct.pack("<2H", key, len(data)) + data


def files(**contents: bytes) -> bytes:
    """Pack files by the names of keywords, `__` being a dot."""
    return pack(
        *(Member(name=key.replace("__", ".").encode(), data=data) for key, data in contents.items())
    )


def names(*raw_names: bytes | str) -> bytes:
    """Pack a sound main.py, and files of these names beside it."""
    return pack(
        Member(),
        *(
            Member(
                name=name.encode() if isinstance(name, str) else name,
                flags=UTF8,
                data=b"" if name[-1:] in ("/", b"/") else b"x",
                mode=(S_IFDIR | 0o755) if name[-1:] in ("/", b"/") else (S_IFREG | 0o644),
            )
            for name in raw_names
        ),
    )


def with_requirements(text: bytes) -> bytes:
    """Pack a main.py and this requirements.txt."""
    return pack(Member(), Member(name=b"requirements.txt", data=text))


def with_mode(mode: int, name: bytes = b"thing") -> bytes:
    """Pack a main.py, and something of this Unix mode."""
    return pack(Member(), Member(name=name, data=b"" if name[-1:] == b"/" else b"x", mode=mode))


def overlapping() -> bytes:
    """Let a thousand entries share one file's data."""
    return pack(Member(), *[Member(name=b"f%d" % i, offset=0) for i in range(1000)])


def quoted_bomb() -> bytes:
    """Nest headers as stored blocks of deflate data, as the best known bomb does."""
    inner = local_part(Member(name=b"b", data=bytes(10_000_000)))
    block = b"\0" + struct.pack("<2H", len(inner), len(inner) ^ 0xFFFF)
    first = Member(name=b"main.py", data=b"", packed=block, trailer=inner, size=20_000_000)
    second = replace(first, name=b"b", data=bytes(10_000_000), packed=None, trailer=b"", size=None)
    body = local_part(replace(first, packed_size=len(block + inner)))
    table = table_part(replace(first, packed_size=len(block + inner)), 0)
    table += table_part(second, len(body) - len(inner))
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(table), len(body), 0)
    return body + table + record


def plain() -> bytes:
    """Pack a sound archive of two files."""
    return files(main__py=b"print(1)\n" * 99, requirements__txt=b"numpy==1.26.4\n")


def zip64(*, plain_disk: int = 0, **wrong: int) -> bytes:
    """Pack a sound archive with a ZIP64 end record, but for what is `wrong`."""
    member = Member()
    offset, table_size = len(local_part(member)), len(table_part(member, 0))
    return pack(
        member,
        end64=write_end64(offset, table_size, **wrong),
        disk=plain_disk,
        here=0xFFFF,
        count=0xFFFF,
        table_size=_FULL,
        offset=_FULL,
    )


def lying_count() -> bytes:
    """Say 2, and list 20,000."""
    return pack(*[Member(name=b"f%d" % i) for i in range(20_000)], here=2, count=2)


def hundred_thousand() -> bytes:
    """Pack as many empty files, with an honest ZIP64 end record."""
    members = [Member(name=b"f%06d" % i, data=b"", method=0) for i in range(100_000)]
    bodies = [local_part(member) for member in members]
    step = len(bodies[0])
    table = b"".join(table_part(member, i * step) for i, member in enumerate(members))
    end = write_end64(step * len(members), len(table), here=len(members), count=len(members))
    full = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _FULL, _FULL, 0)
    return b"".join(bodies) + table + end + full


def many_folders() -> bytes:
    """Name two million folders in 10,000 short entries."""
    deep = b"a/" * 200
    return pack(Member(), *[Member(name=b"%d/%sf" % (i, deep), data=b"") for i in range(9_999)])


def costly_names() -> bytes:
    """Send names which are slow to normalise, and names which grow eighteenfold."""
    slow = "/".join(["\u0315\u0300" * 63] * 3)
    large = "\ufdfa" * 84
    return names(*[f"{i}/{slow}" for i in range(2500)], *[f"{i}{large}" for i in range(5000)])


def packed_by_bzip2() -> bytes:
    """Pack with bzip2, which the standard library also writes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("main.py", "print(1)")
    return buffer.getvalue()


def utf16(text: str) -> bytes:
    """Write text as old Windows programs do."""
    return b"\xff\xfe" + text.encode("utf-16-le")


ZEROS = bytes(50_000_000)
SHEBANG = b'#!/bin/sh\nexec python3 "$0"\n'
HTML = b"<html><script>alert(1)</script></html>\n"

Case = tuple[str, Callable[[], bytes], str]

STRUCTURE: list[Case] = [
    ("empty file", lambda: b"", "empty"),
    ("no zip but text", lambda: b"print('hello')\n" * 99, "not a ZIP"),
    ("a tar with the wrong extension", lambda: b"main.py\0".ljust(1024, b"\0"), "not a ZIP"),
    ("only the letters PK", lambda: b"PK", "cut short"),
    ("zeros", lambda: bytes(100_000), "not a ZIP"),
    ("no entries", pack, "empty"),
    ("cut in the end record", lambda: plain()[:-1], "cut short"),
    ("cut in the table", lambda: plain()[:-60], "cut short"),
    ("cut in the data", lambda: plain()[:50], "cut short"),
    ("table without data", lambda: plain()[50:], "cut short"),
    ("comment cut short", lambda: pack(Member(), comment=b"x" * 9)[:-1], "comment"),
    ("HTML in front", lambda: HTML + plain(), "belong to none"),
    ("HTML in front, offsets made to fit", lambda: pack(Member(), prefix=HTML), "before the first"),
    ("shell stub in front", lambda: pack(Member(), prefix=SHEBANG), "before the first"),
    ("data after the end", lambda: plain() + HTML, "follow the end"),
    ("70 kB after the end", lambda: plain() + bytes(70_000), "cut short"),
    ("two archives in one file", lambda: files(a=b"1") + plain(), "belong to none"),
    ("gap before the end record", lambda: pack(Member(), gap=b"x" * 7), "belong to none"),
    (
        "gap between files",
        lambda: pack(Member(trailer=b"x" * 7), Member(name=b"b")),
        "belong to no",
    ),
    ("split over disks", lambda: pack(Member(), disk=1, table_disk=1), "split"),
    ("fewer entries on this disk", lambda: pack(Member(), count=2), "split"),
    ("entry on another disk", lambda: pack(Member(disk=3)), "damaged"),
    ("entry without its signature", lambda: pack(Member(signature=b"PK\1\3")), "damaged"),
    ("count too high", lambda: pack(Member(), here=2, count=2), "fewer entries"),
    ("count too low", lambda: pack(Member(), Member(name=b"b"), here=1, count=1), "more entries"),
    ("table too long for its count", lying_count, "too long"),
    ("ZIP64 record elsewhere", lambda: zip64(located=7), "ZIP64"),
    ("ZIP64 record of odd length", lambda: zip64(size=99), "ZIP64"),
    ("ZIP64 count is huge", lambda: zip64(here=2**60, count=2**60), "too many"),
    ("ZIP64 offset is huge", lambda: zip64(offset=2**63), "cut short"),
    ("ZIP64 and plain disagree", lambda: zip64(plain_disk=4), "disagree"),
    ("ZIP64 over disks", lambda: zip64(disks=9), "ZIP64"),
    ("encrypted", lambda: pack(Member(flags=1)), "encrypted"),
    ("strongly encrypted", lambda: pack(Member(flags=1 << 6 | 1)), "encrypted"),
    ("masked headers", lambda: pack(Member(flags=1 << 13)), "encrypted"),
    ("patch data", lambda: pack(Member(flags=1 << 5)), "not supported"),
    ("bzip2", packed_by_bzip2, "method 12"),
    ("AES", lambda: pack(Member(method=99, flags=1)), "method 99"),
    ("overlapping entries", overlapping, "overlap"),
    ("quoted bomb", quoted_bomb, "overlap"),
    ("table inside a file", lambda: pack(Member(packed_size=10**6)), "overlap"),
    ("offset beyond the end", lambda: pack(Member(offset=10**6)), "before the first"),
    ("offset into data", lambda: pack(Member(), Member(name=b"b", offset=35)), "no header"),
    ("own header is none", lambda: pack(Member(local={"signature": b"PK\3\5"})), "no header"),
    ("local name differs", lambda: pack(Member(local={"name": b"evil.py"})), "(name)"),
    ("local method differs", lambda: pack(Member(local={"method": 0})), "(method)"),
    ("local flags differ", lambda: pack(Member(local={"flags": 1})), "(flags)"),
    ("local size differs", lambda: pack(Member(local={"size": 5})), "disagrees"),
    ("local checksum differs", lambda: pack(Member(local={"crc": 5})), "disagrees"),
    (
        "local packed size differs",
        lambda: pack(Member(flags=STREAMED, local={"packed_size": 5})),
        "disagrees",
    ),
    ("streamed without a trailer", lambda: pack(Member(flags=STREAMED)), "belong to no"),
    (
        "streamed with a wrong trailer",
        lambda: pack(Member(flags=STREAMED, trailer=b"PK\7\b" + bytes(12))),
        "belong to no",
    ),
    ("size smaller than the data", lambda: pack(Member(data=b"x" * 99, size=5)), "size disagrees"),
    ("size larger than the data", lambda: pack(Member(size=9000)), "size disagrees"),
    ("stored size differs", lambda: pack(Member(method=0, size=3)), "size disagrees"),
    ("wrong checksum", lambda: pack(Member(crc=7)), "checksum"),
    ("damaged data", lambda: pack(Member(packed=b"\xff" * 20)), "inflated"),
    (
        "data end too early",
        lambda: pack(Member(data=bytes(99), packed=deflate(bytes(99))[:-1])),
        "inflated",
    ),
    ("no data at all", lambda: pack(Member(packed=b"")), "inflated"),
    ("bytes hidden behind the data", lambda: pack(Member(packed=deflate(b"x") + b"!")), "inflated"),
    ("a folder with data", lambda: pack(Member(), Member(name=b"d/", mode=0)), "folder"),
    ("too much extra data", lambda: pack(Member(extra=extra(0xCAFE, b"") * 17)), "extra fields"),
    (
        "a second name in the Unicode field",
        lambda: pack(Member(extra=extra(0x7075, b"\1" + bytes(4) + b"../evil.py"))),
        "second name",
    ),
    (
        "a second name in the local header only",
        lambda: pack(Member(local={"extra": extra(0x7075, b"\1" + bytes(4) + b"x/main.py")})),
        "second name",
    ),
    (
        "ZIP64 sizes of 2 TB",
        lambda: pack(Member(size=0xFFFFFFFF, extra=extra(1, struct.pack("<Q", 2**41)))),
        "too much",
    ),
    (
        "ZIP64 field twice",
        lambda: pack(Member(extra=extra(1, bytes(8)) + extra(1, b"\1" * 8))),
        "extra fields",
    ),
    ("ZIP64 size missing", lambda: pack(Member(size=0xFFFFFFFF)), "too much"),
]

KINDS: list[Case] = [
    ("symlink", lambda: with_mode(S_IFLNK | 0o777), "link"),
    ("symlink named main.py", lambda: pack(Member(data=b"/etc/passwd", mode=S_IFLNK)), "link"),
    ("block device", lambda: with_mode(S_IFBLK | 0o644), "device"),
    ("character device", lambda: with_mode(S_IFCHR | 0o644), "device"),
    ("FIFO", lambda: with_mode(S_IFIFO | 0o644), "neither"),
    ("socket", lambda: with_mode(S_IFSOCK | 0o644), "neither"),
    ("symlink named as a folder", lambda: with_mode(S_IFLNK | 0o777, b"d/"), "link"),
    ("folder named as a file", lambda: with_mode(S_IFDIR | 0o755), "neither"),
    ("setuid", lambda: with_mode(S_IFREG | S_ISUID | 0o755), "setuid"),
    ("setgid", lambda: with_mode(S_IFREG | S_ISGID | 0o755), "setgid"),
    ("setuid folder", lambda: with_mode(S_IFDIR | S_ISUID | 0o755, b"d/"), "setuid"),
    ("Windows reparse point", lambda: pack(Member(dos=0x400)), "link"),
    ("volume label", lambda: pack(Member(dos=0x08)), "neither"),
    ("Windows folder bit", lambda: pack(Member(dos=0x10)), "marked as a folder"),
    ("link target of PKWARE", lambda: pack(Member(extra=extra(0xD, bytes(12) + b"/x"))), "link"),
    ("link target of Ant", lambda: pack(Member(extra=extra(0x756E, bytes(14) + b"/x"))), "link"),
    ("symlink in __MACOSX", lambda: with_mode(S_IFLNK | 0o777, b"__MACOSX/x"), "link"),
]

NAMES: list[Case] = [
    ("parent", lambda: names("../evil.py"), "leads out"),
    ("parent as main.py", lambda: pack(Member(name=b"../main.py")), "leads out"),
    ("parent in the middle", lambda: names("a/../../evil"), "leads out"),
    ("parent at the end", lambda: names("a/.."), "leads out"),
    ("parent in __MACOSX", lambda: names("__MACOSX/../../evil"), "leads out"),
    ("parent by one dot leader", lambda: names("\u2025/evil"), "leads out"),
    ("absolute", lambda: names("/etc/cron.d/evil"), "absolute"),
    ("double slash", lambda: names("//server/share"), "absolute"),
    ("drive letter", lambda: names("C:/evil"), "drive"),
    ("drive letter alone", lambda: names("c:evil"), "drive"),
    ("backslash", lambda: names("a\\b"), "backslash"),
    ("backslash parent", lambda: names("..\\evil"), "backslash"),
    ("UNC path", lambda: names("\\\\server\\share"), "backslash"),
    ("full-width backslash", lambda: names("a\uff3cb"), "backslash"),
    ("full-width slash", lambda: names("a\uff0fb"), "slash"),
    ("NUL", lambda: names("main.py\0.txt"), "control"),
    ("empty name", lambda: names(""), "empty"),
    ("empty part", lambda: names("a//b"), "empty part"),
    ("only a slash", lambda: names("/"), "empty"),
    ("dot", lambda: names("./evil"), "mere dot"),
    ("dot in the middle", lambda: names("a/./evil"), "mere dot"),
    ("trailing dot", lambda: names("evil."), "ends in a dot"),
    ("three dots", lambda: names(".../evil"), "ends in a dot"),
    ("trailing space", lambda: names("main.py "), "space"),
    ("folder with a trailing space", lambda: names("a /b"), "space"),
    ("long name", lambda: names("a" * 256), "255"),
    ("long name in bytes", lambda: names("é" * 128), "255"),
    ("long path", lambda: names("abcdefg/" * 130 + "x"), "1,024"),
    ("line feed", lambda: names("a\nb"), "control"),
    ("escape sequence", lambda: names("\x1b[2Jx"), "control"),
    ("delete", lambda: names("a\x7f"), "control"),
    ("C1 control", lambda: names("a\x85b"), "control"),
    ("line separator", lambda: names("a\u2028b"), "control"),
    ("right-to-left override", lambda: names("a\u202eyp.txt"), "direction"),
    ("isolate", lambda: names("a\u2066b"), "direction"),
    ("zero-width space", lambda: names("main\u200b.py"), "seen"),
    ("byte order mark", lambda: names("\ufeffmain.py"), "seen"),
    ("invalid UTF-8", lambda: names(b"caf\xe9.txt"), "UTF-8"),
    ("overlong UTF-8", lambda: names(b"\xc0\xae\xc0\xae/x"), "UTF-8"),
    ("surrogate in UTF-8", lambda: names(b"\xed\xa0\x80"), "UTF-8"),
    ("legacy character set", lambda: pack(Member(), Member(name=b"donn\x82es.csv")), "UTF-8"),
    ("Windows device", lambda: names("NUL"), "device"),
    ("Windows device with an ending", lambda: names("a/com1.txt"), "device"),
    ("Windows device as a folder", lambda: names("aux/x"), "device"),
    ("Windows device, superscript", lambda: names("COM\u00b9"), "device"),
    ("twice the same", lambda: pack(Member(), Member(data=b"evil")), "more than once"),
    ("twice the same folder", lambda: names("d/", "d/"), "more than once"),
    ("same but for case", lambda: names("MAIN.py"), "one file on some"),
    ("same but for case of sharp s", lambda: names("straße", "STRASSE"), "one file on some"),
    ("same in NFC", lambda: names("caf\u00e9", "cafe\u0301"), "one file on some"),
    ("same in NFKC", lambda: names("\uff4dain.py"), "one file on some"),
    ("folders same but for case", lambda: names("Data/a", "data/b"), "share a folder"),
    ("file and folder", lambda: names("a", "a/b"), "also the folder"),
    ("file and folder entry", lambda: names("a", "a/"), "one file on some"),
    ("file and folder, other case", lambda: names("A", "a/b"), "also the folder"),
    ("file and folder, far apart", lambda: names("a", "a b", "a/b/c", "a-"), "also the folder"),
]

SIZES: list[Case] = [
    ("50 MB of zeros", lambda: pack(Member(), Member(name=b"z", data=ZEROS)), "times its packed"),
    (
        "bomb over many files",
        lambda: pack(Member(), *[Member(name=b"%d" % i, data=bytes(10**6)) for i in range(50)]),
        "times its packed",
    ),
    (
        "bomb behind a small size",
        lambda: pack(Member(), Member(name=b"z", data=ZEROS, size=10)),
        "size disagrees",
    ),
    (
        "three bytes for 4 GB",
        lambda: pack(Member(), Member(name=b"z", data=b"x", size=0xFFFFFFFE)),
        "too much",
    ),
    (
        "100,000 tiny files",
        hundred_thousand,
        "too many",
    ),
    (
        "more entries than may be",
        lambda: files(**{f"f{i}": b"" for i in range(10_001)}),
        "too many",
    ),
    ("millions of folders", many_folders, "too many folders"),
    ("costly names", costly_names, "stand for many"),
]

CONTENTS: list[Case] = [
    ("no main.py", lambda: files(other__py=b""), "No main.py"),
    ("main.py in another case", lambda: files(Main__py=b""), "No main.py"),
    (
        "main.py is a folder",
        lambda: pack(Member(name=b"main.py/", data=b"", mode=S_IFDIR)),
        "No main.py",
    ),
    ("main.py only in __MACOSX", lambda: pack(Member(name=b"__MACOSX/main.py")), "No main.py"),
    ("main.py in an inner archive", lambda: files(inner__zip=plain()), "No main.py"),
    ("two requirements", lambda: names("requirements.txt", "a/requirements.txt"), "a/requirements"),
    ("requirements of 2 MB", lambda: with_requirements(b"# \n" * 700_000), "1 MB"),
    ("requirements in UTF-16", lambda: with_requirements(utf16("numpy\n")), "UTF-8"),
    ("requirements in Latin-1", lambda: with_requirements(b"# caf\xe9\n"), "UTF-8"),
    ("-r", lambda: with_requirements(b"numpy\n-r ../../etc/passwd\n"), "Line 2"),
    ("-e", lambda: with_requirements(b"-e .\n"), "-e"),
    ("--index-url", lambda: with_requirements(b"--index-url https://evil\n"), "operator"),
    ("--extra-index-url", lambda: with_requirements(b"--extra-index-url=//e\n"), "operator"),
    ("--find-links", lambda: with_requirements(b"--find-links /tmp\n"), "operator"),
    ("file URL", lambda: with_requirements(b"file:///etc/passwd\n"), "link or a path"),
    ("git", lambda: with_requirements(b"git+ssh://git@evil/x\n"), "link or a path"),
    ("direct URL", lambda: with_requirements(b"x @ https://evil/x.whl\n"), "link or a path"),
    ("NUL in requirements", lambda: with_requirements(b"numpy\0\n"), "control"),
    ("deep marker", lambda: with_requirements(b"x;" + b"(" * 900), "parentheses"),
]

CASES = STRUCTURE + KINDS + NAMES + SIZES + CONTENTS
UNSAFE = STRUCTURE + KINDS + NAMES
