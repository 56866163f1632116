"""What an archive's requirements.txt asks for, and what it may not ask for.

The server's operator chooses the package index, so a requirement is a name and a version:
no options, links or paths.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

MAX_LINE_CHARACTERS = 1_000
MAX_REQUIREMENTS = 1_000
MAX_PARENTHESES = 20
MAX_PROBLEMS = 100

_OPERATOR_CHOOSES = "the operator of this server chooses the package index, so leave it out"
_ONE_FILE = "write the packages themselves into this one file"
_ADVICE = {
    "-r": _ONE_FILE,
    "--requirement": _ONE_FILE,
    "-c": _ONE_FILE,
    "--constraint": _ONE_FILE,
    "-e": "put the code into the archive, beside main.py, and import it from there",
    "--editable": "put the code into the archive, beside main.py, and import it from there",
    "-i": _OPERATOR_CHOOSES,
    "--index-url": _OPERATOR_CHOOSES,
    "--extra-index-url": _OPERATOR_CHOOSES,
    "--no-index": _OPERATOR_CHOOSES,
    "-f": _OPERATOR_CHOOSES,
    "--find-links": _OPERATOR_CHOOSES,
    "--trusted-host": _OPERATOR_CHOOSES,
}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_OPTION = re.compile(r"-[a-z](?=\W|$)|--[\w-]+|-\S*", re.IGNORECASE)
_HASH = re.compile(r"--hash=(?:sha256|sha384|sha512):[0-9a-f]{64,128}", re.IGNORECASE)
_LINK = re.compile(r"[/\\:@]|^[.~]|\.(?:whl|zip|tar|tgz|tar\.\w+)$", re.IGNORECASE)


class RequirementsRefused(Exception):
    """A requirements file is not accepted; `problems` says why, each with its line."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(self.problems)


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What to install: `lines` in the sender's order, and `notes` on what was left out."""

    lines: tuple[str, ...]
    notes: tuple[str, ...]


def parse_requirements(text: str) -> Requirements:
    """Read the text of a requirements file: names, versions, extras, markers and hashes.

    The Wallaroo SDK is left out with a note: every run has it already.

    Raises:
        RequirementsRefused: some lines ask for something else, or cannot be read; the
            first hundred are named, by their number from 1.
    """
    lines: list[str] = []
    notes: list[str] = []
    problems: list[str] = []
    for number, line, fault in _logical_lines(text):
        if len(lines) + len(notes) == MAX_REQUIREMENTS:
            problems.append(f"Line {number}: more than {MAX_REQUIREMENTS:,} requirements.")
            break
        if len(problems) == MAX_PROBLEMS:
            problems.append(f"Line {number}: there may be more problems from here on.")
            break
        try:
            requirement = _parse_line(line, fault)
        except ValueError as error:
            problems.append(f"Line {number}: {error}.")
            continue
        if canonicalize_name(requirement.name) == "wallaroo":
            notes.append(f"{requirement} left out: the Wallaroo SDK is already present.")
        else:
            lines.append(line)
    if problems:
        raise RequirementsRefused(*problems)
    return Requirements(lines=tuple(lines), notes=tuple(notes))


def _logical_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Join what backslashes continue, drop comments and blank lines.

    Yields the number of the first line, the text, and what is wrong with its characters.
    """
    parts: list[str] = []
    first, fault = 1, ""
    physical = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    for number, part in enumerate(physical, start=1):
        if not parts:
            first, fault = number, ""
        fault = fault or _character_fault(part)
        is_comment = part.lstrip().startswith("#")
        # As pip has it, a comment ends the line which goes on into it.
        parts.append(" " + part if is_comment else part.removesuffix("\\"))
        if part.endswith("\\") and not is_comment and number < len(physical):
            continue
        line = " ".join(_COMMENT.sub("", "".join(parts)).split())
        if line or fault:
            yield first, line, fault
        parts = []


def _character_fault(part: str) -> str:
    if len(part) > MAX_LINE_CHARACTERS:
        return f"the line is longer than {MAX_LINE_CHARACTERS:,} characters"
    return "the line holds a control character" if _CONTROL.search(part) else ""


def _parse_line(line: str, fault: str) -> Requirement:
    """Read one requirement; a ValueError says what is wrong with it, and what to do."""
    if fault:
        raise ValueError(fault)
    if option := _OPTION.match(line):
        advice = _ADVICE.get(option[0], "list packages only")
        raise ValueError(f"the option {_shorten(option[0])} is not accepted: {advice}")
    named, *options = re.split(r"\s(?=-)", line)
    for option_text in options:
        if not _HASH.fullmatch(option_text):
            raise ValueError(f"{_shorten(option_text)} is not accepted: only --hash may follow")
    if len(named) > MAX_LINE_CHARACTERS:
        raise ValueError(f"the line is longer than {MAX_LINE_CHARACTERS:,} characters")
    if "${" in line:
        raise ValueError("variables (${…}) are not accepted: write the value itself")
    if _LINK.search(named.partition(";")[0].strip()):
        raise ValueError(
            f"{_shorten(named)} is a link or a path: name a package and its version, "
            "or put the code itself into the archive, beside main.py"
        )
    # The reader of markers calls itself for each one, and would run out of stack.
    if named.count("(") > MAX_PARENTHESES:
        raise ValueError(f"{_shorten(named)} has too many parentheses")
    try:
        return Requirement(named)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{_shorten(named)} is not a package and its version ({reason})") from None


def _shorten(text: str) -> str:
    return f"“{text[:80]}{'…' if len(text) > 80 else ''}”"
