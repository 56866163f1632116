"""What arguments a script reads, as far as its text gives away. Nothing is executed."""

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from wallaroo_ui.json_text import JSON, parse_object, write_object

MAX_SOURCE_CHARACTERS: Final = 64 * 1024  # Its tree takes up to a thousand times as much.
MAX_NAMES: Final = 50
MAX_NAME_CHARACTERS: Final = 100
MAX_DEFAULT_CHARACTERS: Final = 1_000

# What Python says of a text which is no script, is too deep, or is no literal.
_UNREADABLE: Final = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)


def argument_names(source: str) -> dict[str, JSON]:
    """Return the names of the arguments that a script reads, in its order, with defaults.

    Where no default can be told, None stands. Seen are `wl.task_args()` and the variables
    which it is put into: `arguments["x"]`, `arguments.get("x", 3)`, `"x" in arguments`; and
    where one branch takes an argument, the literal of the other branch as its default.
    """
    if len(source) > MAX_SOURCE_CHARACTERS:
        return {}
    try:
        return _Script(source).argument_names()
    except _UNREADABLE:
        return {}


class _Script:
    """The syntax tree of a script, and the variables that hold its arguments."""

    def __init__(self, source: str) -> None:
        self.nodes = list(ast.walk(ast.parse(source)))
        self.variables: frozenset[str] = frozenset()
        self.variables = frozenset(
            target for target, value in _assigned(self.nodes) if self.is_arguments(value)
        )

    def argument_names(self) -> dict[str, JSON]:
        """Return each name with its first known default."""
        found: dict[str, JSON] = {}
        for name, default in [*self.reads(), *self.alternatives()]:
            if name not in found and (len(found) == MAX_NAMES or not _is_key(name)):
                continue
            if found.get(name) is None:
                found[name] = _literal(default)
        return found

    def reads(self) -> Iterator[tuple[str, ast.expr | None]]:
        """Yield what is read and the default given there, from the top of the script down."""
        expressions = (node for node in self.nodes if isinstance(node, ast.expr))
        for node in sorted(expressions, key=lambda node: (node.lineno, node.col_offset)):
            if read := self.read(node):
                yield read

    def read(self, node: ast.expr) -> tuple[str, ast.expr | None] | None:
        """Return which argument an expression reads, and with which default."""
        default = None
        match node:
            case (
                ast.Subscript(value=holder, slice=ast.Constant(value=str(name)), ctx=ast.Load())
                | ast.Compare(
                    left=ast.Constant(value=str(name)),
                    ops=[ast.In() | ast.NotIn()],
                    comparators=[holder],
                )
            ):
                pass
            case ast.Call(
                func=ast.Attribute(value=holder, attr="get" | "pop" | "setdefault"),
                args=[ast.Constant(value=str(name)), *defaults],
            ):
                default = defaults[0] if defaults else None
            case _:
                return None
        return (name, default) if self.is_arguments(holder) else None

    def is_arguments(self, node: ast.expr) -> bool:
        """Tell whether an expression gives the arguments, in one case at least."""
        match node:
            case ast.Call(func=ast.Attribute(attr="task_args")):
                return True
            case ast.Name(id=name):
                return name in self.variables
            case ast.IfExp(body=one, orelse=other):
                return self.is_arguments(one) or self.is_arguments(other)
            case ast.BoolOp(values=values):
                return any(map(self.is_arguments, values))
            case ast.NamedExpr(value=value) | ast.Call(func=ast.Name(id="dict"), args=[value]):
                return self.is_arguments(value)
        return False

    def alternatives(self) -> Iterator[tuple[str, ast.expr]]:
        """Yield an argument that one branch takes, and what the other has in its place."""
        for node in self.nodes:
            match node:
                case ast.If(body=body, orelse=orelse):
                    ours, theirs = dict(_assigned(body)), dict(_assigned(orelse))
                    pairs = [(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()]
                case ast.IfExp(body=body, orelse=orelse):
                    pairs = [(body, orelse)]
                case _:
                    continue
            for one, other in pairs:
                for taken, instead in ((one, other), (other, one)):
                    if argument := self.taken(taken):
                        yield argument, instead

    def taken(self, node: ast.expr) -> str | None:
        """Return which argument an expression is: itself, or made into something, as by int()."""
        read = self.read(node)
        if read is None and isinstance(node, ast.Call) and len(node.args) == 1:
            read = self.read(node.args[0])
        return read and read[0]


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=target)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value)
                | ast.NamedExpr(target=ast.Name(id=target), value=value)
            ):
                yield target, value


def _is_key(name: str) -> bool:
    """Tell whether a name can be shown, and be written as JSON."""
    try:
        write_object({name: None})
    except ValueError:
        return False
    return 0 < len(name) <= MAX_NAME_CHARACTERS


def _literal(node: ast.expr | None) -> JSON:
    """Return what a literal means in JSON; None for all that is no short literal."""
    if node is None:
        return None
    try:
        written = write_object({"default": ast.literal_eval(node)})
    except _UNREADABLE:
        return None
    return parse_object(written)["default"] if len(written) < MAX_DEFAULT_CHARACTERS else None
