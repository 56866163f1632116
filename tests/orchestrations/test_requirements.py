import random

import pytest

from orchestrations.requirements import (
    Requirements,
    RequirementsRefused,
    parse_requirements,
)

SHA256 = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", []),
        ("# only a comment\n\n   \n\t\n", []),
        ("numpy", ["numpy"]),
        ("numpy==1.26.4\r\npandas>=2,<3\r\n", ["numpy==1.26.4", "pandas>=2,<3"]),
        ("numpy\rpandas", ["numpy", "pandas"]),
        ("\ufeffnumpy\n", ["numpy"]),
        ("b\na\n", ["b", "a"]),
        ("  numpy == 1.26.4   # the last one\n", ["numpy == 1.26.4"]),
        ("uvicorn[standard]~=0.30", ["uvicorn[standard]~=0.30"]),
        ("tomli; python_version < '3.11'", ["tomli; python_version < '3.11'"]),
        ("numpy>=1.26, \\\n  <2\npandas", ["numpy>=1.26, <2", "pandas"]),
        ("numpy==1.26.4 \\\n    --hash=" + SHA256, ["numpy==1.26.4 --hash=" + SHA256]),
        (f"a==1 --hash={SHA256} --hash={SHA256}", [f"a==1 --hash={SHA256} --hash={SHA256}"]),
        ("numpy \\\n# a comment ends the line \\\npandas", ["numpy", "pandas"]),
        ("numpy\\\n# a comment\npandas", ["numpy", "pandas"]),
        ("numpy \\", ["numpy"]),
        ("wallaroo-client-tools==1", ["wallaroo-client-tools==1"]),
        ("\n".join(f"package{i}" for i in range(1000)), [f"package{i}" for i in range(1000)]),
        ("x" * 1000, ["x" * 1000]),
        ("a==1" + f" \\\n--hash={SHA256}" * 40, ["a==1" + f" --hash={SHA256}" * 40]),
    ],
)
def test_requirements_are_read(text: str, lines: list[str]) -> None:
    assert parse_requirements(text) == Requirements(lines=tuple(lines), notes=())


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("wallaroo==2023.2.1", "wallaroo==2023.2.1 left out: the Wallaroo SDK is already present."),
        ("WALLAROO", "WALLAROO left out: the Wallaroo SDK is already present."),
        ("Wallaroo[all]>=1 ; python_version>'3'", "Wallaroo"),
    ],
)
def test_the_sdk_is_left_out_with_a_note(line: str, note: str) -> None:
    parsed = parse_requirements(f"numpy\n{line}\n")
    assert parsed.lines == ("numpy",)
    assert len(parsed.notes) == 1
    assert parsed.notes[0].startswith(note)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-r more.txt", "into this one file"),
        ("-r../../etc/passwd", "-r"),
        ("--requirement=more.txt", "into this one file"),
        ("-c limits.txt", "into this one file"),
        ("-e .", "beside main.py"),
        ("--editable ./x", "beside main.py"),
        ("-i https://evil", "operator"),
        ("--index-url https://evil", "operator"),
        ("--extra-index-url=https://evil", "operator"),
        ("--no-index", "operator"),
        ("-f /tmp", "operator"),
        ("--find-links /tmp", "operator"),
        ("--trusted-host evil", "operator"),
        ("--pre", "list packages only"),
        ("--" + "x" * 900, "list packages only"),
        ("-", "list packages only"),
        ("numpy --index-url https://evil", "only --hash"),
        ("numpy --global-option=x", "only --hash"),
        ("numpy --hash=md5:" + "0" * 32, "only --hash"),
        ("numpy --hash=sha256:short", "only --hash"),
        ("x @ https://evil/x.whl", "link or a path"),
        ("x@evil", "link or a path"),
        ("https://evil/x.tar.gz", "link or a path"),
        ("file:///etc/passwd", "link or a path"),
        ("file:x", "link or a path"),
        ("git+ssh://git@evil/x", "link or a path"),
        ("./x", "link or a path"),
        (".", "link or a path"),
        ("../x", "link or a path"),
        ("/x", "link or a path"),
        ("~/x", "link or a path"),
        ("..\\x", "link or a path"),
        ("C:\\x", "link or a path"),
        ("x-1.0-py3-none-any.whl", "link or a path"),
        ("x.tar.gz", "link or a path"),
        ("x[a/b]", "link or a path"),
        ("numpy==${VERSION}", "variables"),
        ("numpy 1.26", "not a package"),
        ("numpy#1", "not a package"),
        ("import numpy", "not a package"),
        ("numpy==1.0; os_nam == 'x'", "not a package"),
        ("numpy>>1", "not a package"),
        ("x;" + "(" * 900, "parentheses"),
        ("x;" + "(" * 20, "not a package"),
        ("x" * 1001, "1,000 characters"),
        ("#" * 1001, "1,000 characters"),
        ("num\x00py", "control"),
        ("numpy # \x1b[2J", "control"),
        ("num\x85py", "control"),
        ("num\u2028-r x", "control"),
    ],
)
def test_other_lines_are_refused_with_their_number(line: str, words: str) -> None:
    with pytest.raises(RequirementsRefused) as refusal:
        parse_requirements(f"numpy\n\n{line}\npandas\n")
    [problem] = refusal.value.problems
    assert problem.startswith("Line 3: ")
    assert problem.endswith(".")
    assert words in problem
    assert len(problem) < 300
    assert str(refusal.value) == problem


def test_a_continued_line_has_the_number_of_its_first_part() -> None:
    with pytest.raises(RequirementsRefused, match=r"^Line 2: "):
        parse_requirements("numpy\nx @ \\\n  https://evil\npandas\n")


def test_a_continued_line_cannot_hide_its_length() -> None:
    with pytest.raises(RequirementsRefused, match=r"1,000 characters"):
        parse_requirements("x" + "y\\\n" * 1000)


def test_every_problem_is_told() -> None:
    with pytest.raises(RequirementsRefused) as refusal:
        parse_requirements("-e .\nnumpy\n./x\nwallaroo\n\x00")
    assert [problem[:7] for problem in refusal.value.problems] == ["Line 1:", "Line 3:", "Line 5:"]


@pytest.mark.parametrize("line", ["numpy", "wallaroo"])
def test_the_number_of_requirements_is_bounded(line: str) -> None:
    with pytest.raises(RequirementsRefused) as refusal:
        parse_requirements(f"{line}\n" * 100_000)
    assert refusal.value.problems == ("Line 1001: more than 1,000 requirements.",)


@pytest.mark.parametrize("line", ["-e .", "\x01"])
def test_the_number_of_problems_is_bounded(line: str) -> None:
    with pytest.raises(RequirementsRefused) as refusal:
        parse_requirements(f"{line}\n" * 100_000)
    assert len(refusal.value.problems) == 101
    assert "more problems" in refusal.value.problems[-1]


def test_any_text_is_read_or_refused() -> None:
    rng = random.Random(7)
    words = [
        *"ab19=<>!~;,[]()@#\\/:.-' \t\n",
        "--hash=",
        "wallaroo",
        " and ",
        "python_version",
        "\0",
    ]
    for _ in range(3000):
        text = "".join(rng.choices(words, k=rng.randrange(30)))
        try:
            assert isinstance(parse_requirements(text), Requirements)
        except RequirementsRefused as refusal:
            assert refusal.problems  # noqa: PT017 - either is right
