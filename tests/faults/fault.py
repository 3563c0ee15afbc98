"""A fault: one change of a symbol's source that breaks a promise, and the test that must notice."""

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

from attrs import frozen

SOURCES = ("src", "src/adapters", "src/entrypoints")
"""The folders with the packages, relative to the tree's root."""


@frozen
class Fault:
    """A change of one symbol, after which ``test`` must fail.

    Attributes:
        name: what the fault does.
        symbol: ``package:name`` of a class, function, method or constant, as in ``chatcore.live:Hub.leave``. Its module
            is looked up: ``package`` is any package or module in which one symbol alone has the name.
        right: text on one line that occurs once in the symbol's source; None for the whole body of a function.
        wrong: what replaces it. Further lines are indented as the first one.
        test: a pytest node.
    """

    name: str
    symbol: str
    right: str | None
    wrong: str
    test: str


class MisfitError(Exception):
    """A fault does not fit the code: its message names the symbol and the text."""


def faulty(root: Path, fault: Fault) -> tuple[Path, str]:
    """Return the file that a fault changes, and its text with the fault. Raises `MisfitError`."""
    file, first, last = _place(root, fault)
    lines = file.read_text(encoding="utf-8").split("\n")
    symbol = "\n".join(lines[first:last])
    if fault.right is None:
        symbol = _indentation(symbol) + _indented(fault.wrong, symbol)
    elif (count := symbol.count(fault.right)) != 1:
        raise MisfitError(f"{fault.symbol} in {file.relative_to(root)} has {count} times the text {fault.right!r}")
    else:
        (line,) = (line for line in symbol.split("\n") if fault.right in line)
        symbol = symbol.replace(fault.right, _indented(fault.wrong, line))
    text = "\n".join([*lines[:first], symbol, *lines[last:]])
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise MisfitError(f"{fault.symbol} with {fault.wrong!r} is no Python: {error}") from error
    return file, text


def _place(root: Path, fault: Fault) -> tuple[Path, int, int]:
    """The file of a fault's symbol, and its lines: of the whole symbol, or of its body alone."""
    package, _, name = fault.symbol.partition(":")
    found = [(file, node) for file in _modules(root, package) for node in _definitions(file, name)]
    if len(found) != 1:
        where = ", ".join(str(file.relative_to(root)) for file, _ in found) or "no module"
        raise MisfitError(f"{fault.symbol} must be one symbol, and is defined in {where}")
    ((file, node),) = found
    if fault.right is not None:
        return file, node.lineno - 1, node.end_lineno or node.lineno
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise MisfitError(f"{fault.symbol} in {file.relative_to(root)} is no function, and has no body to replace")
    return file, node.body[0].lineno - 1, node.end_lineno or node.lineno


def _modules(root: Path, package: str) -> Iterator[Path]:
    for source in SOURCES:
        path = root / source / package.replace(".", "/")
        yield from path.rglob("*.py")
        if path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")


def _definitions(file: Path, name: str) -> Iterator[ast.stmt]:
    """The statements that define a symbol, named as in ``Class.method``."""
    text = file.read_text(encoding="utf-8")
    statements = ast.parse(text).body if all(part in text for part in name.split(".")) else []
    *outer, last = name.split(".")
    for part in outer:
        classes = (one for one in statements if isinstance(one, ast.ClassDef) and one.name == part)
        statements = [statement for one in classes for statement in one.body]
    yield from (one for one in statements if _name(one) == last)


def _name(statement: ast.stmt) -> str | None:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return None


def _indented(text: str, line: str) -> str:
    first, *others = text.split("\n")
    return "\n".join([first, *(indent(other, _indentation(line)) for other in others)])


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]
