"""What changed between two archives."""

import itertools
import random

import pytest

from orchestrations.archives import ArchiveFile
from orchestrations.changes import (
    MAX_COMPARED_LINES,
    MAX_LINE_CHARACTERS,
    Content,
    Kind,
    TooMuchToCompare,
    compare,
    compare_texts,
)


def content(
    files: dict[str, str] | None = None, *requirements: str, entry_point: str = "main.py"
) -> Content:
    """Return an archive's content; a file's text stands for its checksum."""
    listed = [
        ArchiveFile(name=name, size=len(text), crc=hash(text))
        for name, text in (files or {"main.py": ""}).items()
    ]
    return Content(files=listed, requirements=requirements, entry_point=entry_point)


def test_files_are_added_removed_and_changed() -> None:
    before = content({"main.py": "a", "old": "", "same": "x"})
    after = content({"main.py": "bb", "new": "", "same": "x"})

    found = [(change.kind, change.name) for change in compare(before, after).files]

    assert found == [(Kind.CHANGED, "main.py"), (Kind.ADDED, "new"), (Kind.REMOVED, "old")]


def test_a_file_that_kept_its_size_may_have_changed() -> None:
    [change] = compare(content({"main.py": "a"}), content({"main.py": "b"})).files
    assert change.kind == Kind.CHANGED


def test_packages_are_compared_by_the_name_that_the_index_knows() -> None:
    before = content(None, "numpy==1.26", "Typing_Extensions", "six")
    after = content(None, "typing-extensions>=4", "numpy==1.26", "idna")

    found = [(each.kind, each.name) for each in compare(before, after).requirements]

    assert found == [
        (Kind.ADDED, "idna"),
        (Kind.REMOVED, "six"),
        (Kind.CHANGED, "typing-extensions"),
    ]


def test_the_order_of_a_list_is_no_change() -> None:
    assert not compare(content(None, "six", "idna"), content(None, "idna", "six"))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (content(), content(), "The same files, packed anew"),
        (content(), content({"main.py": "b"}), "main.py changed"),
        (
            content({"main.py": "a", "b": ""}),
            content({"main.py": "b", "c": "", "d": ""}),
            "1 file changed; 2 files added; 1 file removed",
        ),
        (
            content(None, "six"),
            content(None, "six>1", "a", "b"),
            "packages: a added, b added and 1 more",
        ),
        (content(), content({"job/main.py": ""}, entry_point="job/main.py"),
         "job/main.py added; main.py removed; entry point job/main.py"),
    ],
)  # fmt: skip
def test_changes_in_short(before: Content, after: Content, words: str) -> None:
    assert compare(before, after).in_short == words


def lines(before: str, after: str) -> list[tuple[str, str]]:
    hunks = compare_texts(before, after, seconds=10)
    return [(line.sign, line.text) for hunk in hunks for line in hunk]


def test_lines_come_and_go_with_a_few_around_them() -> None:
    before = "".join(f"{number}\n" for number in range(20))
    after = before.replace("10\n", "ten\n")

    [hunk] = compare_texts(before, after, seconds=10)

    assert [(line.before, line.after, line.text) for line in hunk] == [
        (8, 8, "7"),
        (9, 9, "8"),
        (10, 10, "9"),
        (11, None, "10"),
        (None, 11, "ten"),
        (12, 12, "11"),
        (13, 13, "12"),
        (14, 14, "13"),
    ]


def test_places_far_apart_are_shown_apart() -> None:
    before = "".join(f"{number}\n" for number in range(100))
    after = before.replace("10\n", "ten\n").replace("90\n", "ninety\n")
    assert len(compare_texts(before, after, seconds=10)) == 2


def test_a_text_that_came_or_went_is_shown_whole() -> None:
    assert lines("", "a\nb\n") == [("+", "a"), ("+", "b")]
    assert lines("a\nb", "") == [("-", "a"), ("-", "b")]


def test_the_end_of_lines_is_no_change() -> None:
    assert lines("a\r\nb\r\n", "a\nb") == []


def test_a_comparison_is_bounded_in_lines_and_in_their_length() -> None:
    with pytest.raises(TooMuchToCompare, match="more than 10,000 lines"):
        compare_texts("", "\n" * (MAX_COMPARED_LINES + 1), seconds=10)
    with pytest.raises(TooMuchToCompare, match="more than 1,000 characters"):
        compare_texts("x" * (MAX_LINE_CHARACTERS + 1), "", seconds=10)


def test_a_comparison_that_takes_too_long_is_given_up() -> None:
    chance = random.Random(1)
    words = [str(number) for number in range(100)] * 90
    before, after = (chance.sample(words, len(words)) for _ in range(2))
    with pytest.raises(TooMuchToCompare, match="too long"):
        compare_texts("\n".join(before), "\n".join(after), seconds=0.05)


def test_both_texts_can_be_told_from_their_comparison() -> None:
    chance = random.Random(2)
    for size, _ in itertools.product((0, 1, 5, 30), range(20)):
        before, after = (chance.choices("abc", k=size + offset) for offset in (0, 2))
        hunks = compare_texts("\n".join(before), "\n".join(after), seconds=10)
        shown = [line for hunk in hunks for line in hunk]
        for line in shown:
            assert line.before is None or before[line.before - 1] == line.text
            assert line.after is None or after[line.after - 1] == line.text
        gone = {line.before - 1 for line in shown if line.before and line.after is None}
        come = {line.after - 1 for line in shown if line.after and line.before is None}
        assert [x for at, x in enumerate(before) if at not in gone] == [
            x for at, x in enumerate(after) if at not in come
        ]
