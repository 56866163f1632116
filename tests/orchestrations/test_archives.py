import io
import os
import random
import re
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from orchestrations.archives import (
    Archive,
    ArchiveFile,
    ArchiveRefused,
    Limits,
    inspect_archive,
    unpack_archive,
)
from tests.orchestrations import hostile
from tests.orchestrations.hostile import CASES, STREAMED, UNSAFE, UTF8, Member, names, pack

MEGABYTE = 1024**2
FUZZ_COUNT = int(os.environ.get("ARCHIVE_FUZZ_COUNT", "2000"))


def zipped(
    contents: dict[str, str], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, text in contents.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def streamed() -> bytes:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.py", "print(1)\n" * 99)
        archive.writestr("empty.txt", "")
    return pipe.data


def forced_zip64() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("main.py", "w", force_zip64=True) as file,
    ):
        file.write(b"print(1)")
    return buffer.getvalue()


def zip64_entry() -> bytes:
    member = Member()
    _, packed_size, size = member.numbers()
    wide = hostile.extra(1, struct.pack("<2Q", size, packed_size))
    return pack(Member(size=0xFFFFFFFF, packed_size=0xFFFFFFFF, extra=wide))


def name_in(info: zipfile.ZipInfo) -> str:
    """Read a name as UTF-8 also where the standard library takes it for CP437."""
    return info.filename if info.flag_bits & UTF8 else info.filename.encode("cp437").decode()


def snapshot(folder: Path) -> list[tuple[str, bytes]]:
    return sorted(
        (str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"/")
        for path in folder.rglob("*")
    )


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the bytes of each piece that comes out of zlib."""
    pieces: list[int] = []
    original = zlib.decompressobj

    class Counting:
        def __init__(self, window: int) -> None:
            self.inner = original(window)

        def decompress(self, data: bytes, most: int) -> bytes:
            piece = self.inner.decompress(data, most)
            pieces.append(len(piece))
            return piece

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    return pieces


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory for one who might write where they should not."""
    folder = tmp_path / "outer" / "inside"
    folder.mkdir(parents=True)
    (tmp_path / "outer" / "witness").write_bytes(b"untouched")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(("build", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_hostile_archive_is_refused(
    build: Callable[[], bytes], reason: str, inside: Path, tmp_path: Path, inflated: list[int]
) -> None:
    file = io.BytesIO(build())
    before = snapshot(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveRefused) as refusal:
            inspect_archive(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert any(reason in problem for problem in refusal.value.problems), refusal.value.problems
    assert all(problem.endswith(".") for problem in refusal.value.problems)
    assert all(line.isprintable() for line in refusal.value.problems)
    assert sum(inflated) < 3 * MEGABYTE
    assert peak < 50 * MEGABYTE
    assert snapshot(tmp_path) == before


def test_the_table_of_hostile_archives_is_long() -> None:
    assert len({name for name, *_ in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize(("build", "reason"), [c[1:] for c in UNSAFE], ids=[c[0] for c in UNSAFE])
def test_unpack_raises_and_writes_nothing_outside(
    build: Callable[[], bytes], reason: str, inside: Path, tmp_path: Path
) -> None:
    file = io.BytesIO(build())
    target = inside / "target"
    target.mkdir()
    before = snapshot(tmp_path)

    # The limits are inspect_archive's; here the truth behind the number shows.
    reason = {"too much": "size disagrees", "too many": "fewer entries"}.get(reason, reason)
    with pytest.raises(ArchiveRefused, match=re.escape(reason)):
        unpack_archive(file, target)

    written = {str(path.relative_to(tmp_path)) for path in target.rglob("*")}
    assert [item for item in snapshot(tmp_path) if item[0] not in written] == before
    assert not any(path.is_symlink() for path in target.rglob("*"))


HONEST: list[tuple[str, Callable[[], bytes], str]] = [
    ("deflated", lambda: zipped({"main.py": "print(1)"}), "main.py"),
    ("stored", lambda: zipped({"main.py": "print(1)"}, zipfile.ZIP_STORED), "main.py"),
    ("empty main.py", lambda: zipped({"main.py": ""}), "main.py"),
    ("comment", lambda: zipped({"main.py": ""}, comment=b"made by hand " * 99), "main.py"),
    ("longest comment", lambda: zipped({"main.py": ""}, comment=b"x" * 65_535), "main.py"),
    ("streamed", streamed, "main.py"),
    ("local ZIP64 header", forced_zip64, "main.py"),
    ("ZIP64 entry", zip64_entry, "main.py"),
    ("ZIP64 end record", hostile.zip64, "main.py"),
    (
        "streamed, trailer without a signature",
        lambda: pack(Member(flags=STREAMED, trailer=struct.pack("<3L", *Member().numbers()))),
        "main.py",
    ),
    (
        "streamed, sizes of ZIP64 in the trailer",
        lambda: pack(
            Member(
                flags=STREAMED,
                local={"crc": 0, "size": 0, "packed_size": 0},
                trailer=b"PK\7\b" + struct.pack("<L2Q", *Member().numbers()),
            )
        ),
        "main.py",
    ),
    (
        "made on Windows",
        lambda: pack(
            Member(mode=0, dos=0x20),
            Member(name=b"data/", data=b"", method=0, mode=0, dos=0x10),
            Member(name=b"data/x.csv", mode=0, dos=0x20),
        ),
        "main.py",
    ),
    (
        "made on macOS",
        lambda: zipped(
            {
                "job/": "",
                "job/main.py": "",
                "job/.DS_Store": "x",
                "__MACOSX/job/._main.py": "x",
                "__MACOSX/main.py": "x",
                "__MACOSX/requirements.txt": "x",
                "job/requirements.txt": "numpy\n",
            }
        ),
        "job/main.py",
    ),
    ("all in one folder", lambda: zipped({"job/main.py": "", "job/a.txt": ""}), "job/main.py"),
    ("root before folders", lambda: zipped({"a/main.py": "", "main.py": ""}), "main.py"),
    ("shallowest", lambda: zipped({"a/b/main.py": "", "z/main.py": ""}), "z/main.py"),
    ("alphabetical", lambda: zipped({"b/main.py": "", "a/main.py": ""}), "a/main.py"),
    ("not only by its ending", lambda: zipped({"amain.py": "", "b/main.py": ""}), "b/main.py"),
    ("empty requirements", lambda: zipped({"main.py": "", "requirements.txt": ""}), "main.py"),
    ("one newline", lambda: zipped({"main.py": "", "requirements.txt": "\n"}), "main.py"),
    (
        "unicode names",
        lambda: names("données/café 10\u202fAM.csv", "数据.csv", "👩\u200d🔬.txt"),
        "main.py",
    ),
    ("UTF-8 without the flag", lambda: pack(Member(), Member(name="é.csv".encode())), "main.py"),
    (
        "name repeated in the Unicode field",
        lambda: pack(
            Member(
                name="é/main.py".encode(),
                extra=hostile.extra(0x7075, bytes(5) + "é/main.py".encode()),
            )
        ),
        "é/main.py",
    ),
    (
        "inner archive",
        lambda: pack(Member(), Member(name=b"in.zip", data=hostile.plain(), method=0)),
        "main.py",
    ),
    (
        "names with dots",
        lambda: names(".env", "..a", "a..b", ".config/x", "v1.2/console.py"),
        "main.py",
    ),
    (
        "times of Unix",
        lambda: pack(Member(extra=hostile.extra(0x5455, bytes(9)) + bytes(3))),
        "main.py",
    ),
    ("shared folder with setgid", lambda: hostile.with_mode(0o42775, b"d/"), "main.py"),
    ("repetitive but small", lambda: zipped({"main.py": "", "zeros": "0" * 9_000_000}), "main.py"),
    ("an archive in a comment", lambda: zipped({"main.py": ""}, comment=b"PK\3\4"), "main.py"),
    (
        "10,000 files",
        lambda: zipped({"main.py": ""} | {f"f{i}": "" for i in range(9_999)}),
        "main.py",
    ),
]


@pytest.mark.parametrize(
    ("build", "entry_point"), [c[1:] for c in HONEST], ids=[c[0] for c in HONEST]
)
def test_honest_archive_is_accepted(
    build: Callable[[], bytes], entry_point: str, inside: Path, tmp_path: Path
) -> None:
    before = snapshot(tmp_path)
    archive = inspect_archive(io.BytesIO(build()))
    assert archive.entry_point == entry_point
    assert archive.warnings == ()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("build", [c[1] for c in HONEST], ids=[c[0] for c in HONEST])
def test_unpack_writes_what_was_packed(build: Callable[[], bytes], tmp_path: Path) -> None:
    data = build()
    unpack_archive(io.BytesIO(data), tmp_path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        packed = {
            name_in(info): archive.read(info)
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        }
    written = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert written == packed
    assert [file.name for file in inspect_archive(io.BytesIO(data)).files] == list(packed)


def test_archive_describes_what_it_holds() -> None:
    archive = inspect_archive(
        io.BytesIO(
            zipped({"job/main.py": "print()", "job/requirements.txt": "\ufeffnumpy==1.26.4\r\n"})
        )
    )
    assert archive == Archive(
        entry_point="job/main.py",
        requirements_path="job/requirements.txt",
        requirements="numpy==1.26.4\r\n",
        files=(
            ArchiveFile(name="job/main.py", size=7, crc=zlib.crc32(b"print()")),
            ArchiveFile(
                name="job/requirements.txt",
                size=18,
                crc=zlib.crc32("\ufeffnumpy==1.26.4\r\n".encode()),
            ),
        ),
        warnings=(),
    )


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ArchiveRefused) as refusal:
        inspect_archive(
            io.BytesIO(
                pack(
                    Member(name=b"../a"),
                    Member(name=b"b", crc=1),
                    Member(name=b"requirements.txt", data=b"numpy\n-e .\nx @ file:///x\n"),
                )
            )
        )
    problems = refusal.value.problems
    assert [any(word in p for p in problems) for word in ("“../a”", "No main", "“b”")] == [True] * 3
    assert [p[:26] for p in problems if "Line" in p] == [
        "“requirements.txt”: Line 2",
        "“requirements.txt”: Line 3",
    ]
    assert str(refusal.value) == " ".join(problems)


def test_two_requirements_are_both_named() -> None:
    with pytest.raises(ArchiveRefused, match=r"“requirements.txt”, “a/requirements.txt”"):
        inspect_archive(
            io.BytesIO(zipped({"main.py": "", "a/requirements.txt": "", "requirements.txt": ""}))
        )


def test_many_problems_are_cut_off() -> None:
    with pytest.raises(ArchiveRefused) as refusal:
        inspect_archive(io.BytesIO(names(*[f"../{number}" for number in range(5000)])))
    assert len(refusal.value.problems) == 101
    assert "more problems" in refusal.value.problems[-1]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_entries=1), "too many entries"),
        (Limits(max_entries=3), "too many folders"),
        (Limits(max_total_bytes=5), "too much"),
    ],
)
def test_limits_are_kept(limits: Limits, reason: str) -> None:
    file = io.BytesIO(names("a/b/c"))
    inspect_archive(file, limits=Limits(max_entries=4, max_total_bytes=16))
    with pytest.raises(ArchiveRefused, match=reason):
        inspect_archive(file, limits=limits)


def test_ratio_is_judged_of_large_archives_only() -> None:
    small, large = (zipped({"main.py": "0" * size}) for size in (10 * MEGABYTE, 11 * MEGABYTE))
    inspect_archive(io.BytesIO(small))
    inspect_archive(io.BytesIO(large), limits=Limits(max_ratio=2000))
    with pytest.raises(ArchiveRefused, match="times its packed size"):
        inspect_archive(io.BytesIO(large))


@pytest.mark.parametrize(
    ("contents", "hidden"),
    [
        (["main.py", "json.py"], ["json.py"]),
        (["main.py", "wallaroo/__init__.py"], ["wallaroo/__init__.py"]),
        (["a/main.py", "a/site.py", "sitecustomize.py"], ["a/site.py", "sitecustomize.py"]),
        (["main.py", "_ssl.cpython-311-x86_64-linux-gnu.so"], ["_ssl.cpython"]),
        (["main.py", "helpers/json.py", "json.txt", "json/data.csv", "my_json.py"], []),
        (["a/main.py", "b/json.py"], []),
    ],
)
def test_modules_that_hide_others_are_warned_of(contents: list[str], hidden: list[str]) -> None:
    warnings = inspect_archive(io.BytesIO(zipped(dict.fromkeys(contents, "")))).warnings
    assert len(warnings) == len(hidden)
    for name in hidden:
        assert any(warning.startswith(f"“{name}") for warning in warnings)


def test_sdk_in_requirements_is_warned_of() -> None:
    data = zipped({"main.py": "", "requirements.txt": "Wallaroo==2023.2.1\n"})
    [warning] = inspect_archive(io.BytesIO(data)).warnings
    assert warning == "Wallaroo==2023.2.1 left out: the Wallaroo SDK is already present."


def test_unpack_sets_modes_whatever_the_umask(tmp_path: Path) -> None:
    data = pack(
        Member(mode=0o100777),
        Member(name=b"d/e/x", mode=0o100600),
        Member(name=b"y", mode=0),
    )
    old = os.umask(0o077)
    try:
        unpack_archive(io.BytesIO(data), tmp_path)
    finally:
        os.umask(old)
    modes = {
        str(path.relative_to(tmp_path)): S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert modes == {"main.py": 0o755, "d": 0o755, "d/e": 0o755, "d/e/x": 0o644, "y": 0o644}


def test_unpack_does_not_follow_what_is_already_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "main.py").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        unpack_archive(io.BytesIO(zipped({"main.py": "evil"})), target)
    assert not (tmp_path / "victim").exists()


def test_unpack_stops_a_file_at_the_size_it_states(tmp_path: Path) -> None:
    data = pack(Member(data=bytes(10 * MEGABYTE), size=100))
    with pytest.raises(ArchiveRefused, match="size disagrees"):
        unpack_archive(io.BytesIO(data), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) <= 100


def mutations(seed: int, count: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    pool = [build() for _, build, _ in HONEST[:-3] + UNSAFE]
    pool = [data for data in pool if 30 < len(data) < 4000]
    for _ in range(count):
        data = bytearray(rng.choice(pool))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            mutate(data, rng, pool)
        yield bytes(data)


def mutate(data: bytearray, rng: random.Random, pool: list[bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    length = rng.choice((1, 2, 4, 8, 30, 200))
    match rng.randrange(8):
        case 0 if start < len(data):
            data[start] ^= 1 << rng.randrange(8)
        case 1 if start < len(data):
            data[start] = rng.choice((0, 1, 0xFF, 0x7F, rng.randrange(256)))
        case 2:
            data[start : start + 4] = rng.choice((b"\xff" * 4, bytes(4), b"PK\5\6", b"PK\1\2"))
        case 3:
            end = len(data) if start > len(data) // 2 else start + length
            del data[start:end]
        case 4:
            other = rng.choice(pool)
            data[start:start] = other[: rng.randrange(len(other))]
        case 5:
            table = data.find(b"PK\1\2")
            data[start:start] = data[table:] if table >= 0 else b"PK\5\6" + bytes(18)
        case 6:
            data[start:start] = data[start : start + length]
        case _:
            # The numbers of the headers are where the interesting disagreements are.
            header = rng.choice((b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"))
            found = data.find(header)
            at = max(found, 0) + rng.randrange(4, 46)
            if at < len(data):
                data[at] = rng.choice((0, 1, 8, 0xFF, rng.randrange(256)))


def test_mutated_archives_are_accepted_or_refused_and_nothing_else(tmp_path: Path) -> None:
    accepted = 0
    for number, data in enumerate(mutations(seed=20260301, count=FUZZ_COUNT)):
        file = io.BytesIO(data)
        try:
            archive = inspect_archive(file)
        except ArchiveRefused as refusal:
            assert refusal.problems  # noqa: PT017 - most mutations end here, and none must not
            continue
        accepted += 1
        target = tmp_path / str(number)
        target.mkdir()
        unpack_archive(file, target)
        for listed in archive.files:
            assert (target / listed.name).stat().st_size == listed.size
    assert 0 < accepted < FUZZ_COUNT / 2
