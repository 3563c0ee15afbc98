"""A fault: a change to the source of one symbol that breaks a promise, and the test that must fail."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

from attrs import frozen

from tests.integration.javascript import NODE

SOURCES = ("src", "src/adapters", "src/entrypoints")
"""The folders with the packages, relative to the tree's root. `hatch_build` is in the root itself."""


@frozen
class Fault:
    """A change of one symbol, after which ``test`` must fail.

    Attributes:
        name: what the fault does; unique among all faults.
        symbol: ``package:name`` of a class, function, method or constant, as in ``chatcore.live:Hub.leave``.
            ``package`` is any package or module that defines the name exactly once. In JavaScript it is the path of a
            file below ``src/entrypoints``, and the name is that of a function, method or constant,
            after the names of the blocks around it where others have this name.
        right: text on one line that occurs once in the source of the symbol; None for the whole body of a function,
            in Python alone.
        wrong: the replacement. Further lines get the indentation of the first line.
        test: the pytest node that must fail.
    """

    name: str
    symbol: str
    right: str | None
    wrong: str
    test: str


class MisfitError(Exception):
    """A fault does not fit the code. The message names the symbol and the text."""


def faulty(root: Path, fault: Fault) -> tuple[Path, str]:
    """Return the file that a fault changes, and the text of the file with the fault. Raises `MisfitError`."""
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
    if complaint := _syntax_error(file, text):
        raise MisfitError(f"{fault.symbol} with {fault.wrong!r} does not parse: {complaint}")
    return file, text


def is_javascript(fault: Fault) -> bool:
    return fault.symbol.partition(":")[0].endswith(".js")


def _syntax_error(file: Path, text: str) -> str:
    """Return what is wrong with the syntax of a file's text, or nothing."""
    if file.suffix == ".js":
        command = [NODE, "--input-type=module", "--check", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stderr
    try:
        ast.parse(text)
    except SyntaxError as error:
        return str(error)
    return ""


def _place(root: Path, fault: Fault) -> tuple[Path, int, int]:
    """Return the file of the symbol, and the lines of the whole symbol or of its body only."""
    package, _, name = fault.symbol.partition(":")
    if is_javascript(fault):
        return _javascript_place(root / "src" / "entrypoints" / package, name)
    places = [(file, node) for file in _modules(root, package) for node in _definitions(file, name)]
    if len(places) != 1:
        where = ", ".join(str(file.relative_to(root)) for file, _ in places) or "no module"
        raise MisfitError(f"{fault.symbol} must be one symbol, and is defined in {where}")
    ((file, node),) = places
    if fault.right is not None:
        return file, node.lineno - 1, node.end_lineno or node.lineno
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise MisfitError(f"{fault.symbol} in {file.relative_to(root)} is no function, and has no body to replace")
    return file, node.body[0].lineno - 1, node.end_lineno or node.lineno


def _javascript_place(file: Path, name: str) -> tuple[Path, int, int]:
    """Return the lines of a definition: to the closing bracket with its indentation, or the one line."""
    lines = file.read_text(encoding="utf-8").split("\n")
    first, end = 0, len(lines)
    for part in name.split("."):
        begins = re.compile(rf"( *)(?:export )?(?:(?:const|let|class|async) )?{re.escape(part)}(?:\(| = |: | extends )")
        found = [(match, number) for number in range(first, end) if (match := begins.match(lines[number]))]
        outermost = min((len(match[1]) for match, _ in found), default=0)
        places = [number for match, number in found if len(match[1]) == outermost]
        if len(places) != 1:
            raise MisfitError(f"{name} is defined {len(places)} times in {file.name}")
        (first,) = places
        ends = re.compile(rf" {{{outermost}}}[}}\])]")
        is_block = lines[first].endswith(("{", "(", "["))
        end = 1 + (next(number for number in range(first + 1, end) if ends.match(lines[number])) if is_block else first)
    return file, first, end


def _modules(root: Path, package: str) -> Iterator[Path]:
    for source in (*SOURCES, "."):
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
        classes = (node for node in statements if isinstance(node, ast.ClassDef) and node.name == part)
        statements = [statement for node in classes for statement in node.body]
    yield from (statement for statement in statements if _name(statement) == last)


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
