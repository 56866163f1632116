"""The official SDK in an interpreter of its own, used from here as if it were here.

The SDK pins old versions of what the server has in newer ones, so the tests cannot import
it. What a call over there returns comes back as it is if it is plain (text, numbers, lists
of such), and else as a `Remote`, whose attributes, items and calls are the object's own.
So a test is written as a user's script is. What the SDK raises is raised here as `Raised`,
with its traceback.

This file is also the program over there, `python remote.py PIPE`: it needs the standard
library alone.
"""

import io
import pickle
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Of exactly these types: a list or a text of the SDK's own kind can do more than its content.
PLAIN = (type(None), bool, int, float, str, bytes, list, tuple, set, dict)
PATIENCE_SECONDS = 120


class Raised(Exception):
    """What was raised over there.

    Attributes:
        kind: the name of its class.
    """

    def __init__(self, kind: str, text: str, story: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.add_note(story)


class Remote:
    """An object over there."""

    def __init__(self, interpreter: "Interpreter", number: int) -> None:
        self._interpreter = interpreter
        self._number = number

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for such by itself.
            raise AttributeError(name)
        return self._interpreter.call("builtins.getattr", self, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._interpreter.call("operator.call", self, *arguments, **named)

    def __getitem__(self, key: Any) -> Any:
        return self._interpreter.call("operator.getitem", self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._interpreter.call("builtins.list", self))

    def __len__(self) -> int:
        length: int = self._interpreter.call("builtins.len", self)
        return length

    def __bool__(self) -> bool:
        return bool(self._interpreter.call("builtins.bool", self))

    def __eq__(self, other: object) -> bool:
        return bool(self._interpreter.call("operator.eq", self, other))

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self._interpreter.call("builtins.str", self))

    def __repr__(self) -> str:
        return str(self._interpreter.call("builtins.repr", self))


class Interpreter:
    """A Python that runs as long as this object is open."""

    def __init__(self, python: Path) -> None:
        self._pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            # -P: the folder of this file holds nothing for the SDK.
            [str(python), "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def call(self, function: str, *arguments: Any, **named: Any) -> Any:
        """Call what a dotted name means over there, importing it first if need be."""
        self._pipe.send_bytes(dumps((function, arguments, named), _number_of))
        if not self._pipe.poll(PATIENCE_SECONDS):
            raise TimeoutError(f"{function} did not return for {PATIENCE_SECONDS} s")
        succeeded, result = loads(self._pipe.recv_bytes(), lambda number: Remote(self, number))
        if not succeeded:
            raise Raised(*result)
        return result

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.wait(timeout=PATIENCE_SECONDS)


def _number_of(value: object) -> int:
    if not isinstance(value, Remote):
        raise TypeError(f"{value!r} is nothing that can be sent over")
    return value._number


def dumps(value: object, number_of: Callable[[object], int]) -> bytes:
    """Pack a value; of what is not plain, only its number."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> int | None:
            return None if type(value) in PLAIN else number_of(value)

    packed = io.BytesIO()
    Pickler(packed).dump(value)
    return packed.getvalue()


def loads(packed: bytes, object_of: Callable[[int], object]) -> Any:
    """Unpack a value."""

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, number: int) -> object:
            return object_of(number)

    return Unpickler(io.BytesIO(packed)).load()


def serve(pipe: Connection) -> None:
    """Answer calls until the other side closes. Every object that went over is kept."""
    objects: list[object] = []

    def number_of(value: object) -> int:
        objects.append(value)
        return len(objects) - 1

    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:
            return
        try:
            function, arguments, named = loads(message, objects.__getitem__)
            answer = (True, pkgutil.resolve_name(function)(*arguments, **named))
        except Exception as error:  # noqa: BLE001 whatever it is, the other side wants it
            answer = (False, (type(error).__name__, str(error), traceback.format_exc()))
        pipe.send_bytes(dumps(answer, number_of))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
