"""Change one expression at a time in a copy of the tree, and count how many of the changes the tests notice.

`nox -s mutants -- src/chatcore/live/room.py …` takes `CHATCORE_TEST_MUTANTS` (150) mutants of each module at random:
`CHATCORE_TEST_MUTANTS_SEED`, which is printed, repeats a choice. Mutants are cosmic-ray's, without those in annotations
and in the decorators of classes: the type checkers see to the former, and the latter change no behaviour. What
survives is printed: a test is missing, or the change makes no difference.
"""

import ast
import multiprocessing
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import unified_diff
from importlib import import_module
from importlib.util import cache_from_source
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import frozen
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.faults.run import ROOT, copy_tree

from .table import ON_TRIO, TESTS

COUNT = int(os.environ.get("CHATCORE_TEST_MUTANTS", "150"))
SEED = os.environ.get("CHATCORE_TEST_MUTANTS_SEED") or secrets.token_hex(4)
SECONDS = 60
"""A mutant whose tests take longer is noticed: a loop without an end is what it often is."""
IMPORTED_BEFORE = (
    *("aiohttp.web", "anyio.pytest_plugin", "anyio._backends._asyncio", "anyio._backends._trio", "argon2", "cattrs"),
    *("hypothesis.strategies", "jwt", "limits.aio", "socketio", "structlog", "trio.testing"),
)
"""Third-party modules that a mutant's process has from its parent: to import them takes longer than most tests."""

PRINTED = "printed"
"""The file in the copy with what the tests printed last."""

FORK = multiprocessing.get_context("fork")


@frozen
class Mutant:
    operator: str
    occurrence: int
    line: int


def main(modules: Sequence[str]) -> int:
    """Count for each module. Returns 1 where the tests fail without a mutant, else 0: survivors are for people."""
    unknown = [module for module in modules if not (module.startswith(tuple(TESTS)) and (ROOT / module).is_file())]
    if unknown or not modules:
        print(f"Not a module with named tests: {', '.join(unknown) or 'nothing'}.")
        print(f"Name files below {' or '.join(TESTS)}, or add their tests to tests/mutants/table.py.")
        return 2
    for name in IMPORTED_BEFORE:
        import_module(name)
    print(f"CHATCORE_TEST_MUTANTS_SEED={SEED}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chatcore-mutants-") as folder:
        copy = Path(folder)
        copy_tree(copy)
        return max(counted(copy, module) for module in modules)


def counted(copy: Path, module: str) -> int:
    file, tests = copy / module, tests_of(module)
    right = file.read_text(encoding="utf-8")
    sys.dont_write_bytecode = False
    if is_noticed(copy, tests):
        print((copy / PRINTED).read_text()[-2000:])
        print(f"{module}: its tests fail as it is, or take more than {SECONDS} s", flush=True)
        return 1
    # Bytecode of the other modules saves half a second a mutant. That of this one could pass for a mutant's, which may
    # have its size and second.
    sys.dont_write_bytecode = True
    Path(cache_from_source(str(file))).unlink()
    everything = list(mutants(right))
    chosen = random.Random(f"{SEED} {module}").sample(everything, min(COUNT, len(everything)))
    began, tried, survivors = time.monotonic(), 0, 0
    for mutant in chosen:
        if (wrong := mutated(right, mutant)) is None:
            continue
        tried += 1
        file.write_text(wrong, encoding="utf-8")
        if not is_noticed(copy, tests):
            survivors += 1
            print(f"survived {module}:{mutant.line} {mutant.operator}\n{difference(right, wrong)}", flush=True)
    file.write_text(right, encoding="utf-8")
    took = time.monotonic() - began
    print(f"{module}: {tried - survivors} of {tried} noticed, of {len(everything)} in all; {took:.0f} s", flush=True)
    return 0


def tests_of(module: str) -> Sequence[str]:
    """Arguments of pytest: the tests named for a module, those of its name first."""
    tests = next(tests for prefix, tests in TESTS.items() if module.startswith(prefix))
    own = [str(path.relative_to(ROOT)) for path in ROOT.glob(f"tests/**/test_{Path(module).stem}.py")]
    # Nearly every mutant is as wrong on asyncio.
    return ["-k", "not uvloop" if module in ON_TRIO else "not trio and not uvloop", *own, *tests]


def mutants(code: str) -> Iterator[Mutant]:
    left_out = [*spans_left_out(ast.parse(code))]
    tree = get_ast(code)
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments():
            continue
        operator = operator_class()
        positions = (start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node))
        for occurrence, start in enumerate(positions):
            if not any(first <= start < last for first, last in left_out):
                yield Mutant(name, occurrence, start[0])


def mutated(code: str, mutant: Mutant) -> str | None:
    """The code with the mutant in it; None where that is no Python, or cosmic-ray can't make it."""
    try:
        wrong: str = mutate_code(code, get_operator(mutant.operator)(), mutant.occurrence) or code
        ast.parse(wrong)
    except (AttributeError, SyntaxError):  # an exception with a dotted name; the * of a signature
        return None
    return wrong


def spans_left_out(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where annotations and the decorators of classes reach: line and column."""
    for node in ast.walk(tree):
        found: list[ast.expr | None] = []
        match node:
            case ast.ClassDef():
                found += node.decorator_list
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.append(node.returns)
            case ast.arg():
                found.append(node.annotation)
            case ast.AnnAssign():
                found.append(node.annotation)
                if isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias":
                    found.append(node.value)
            case _:
                pass
        for expression in found:
            if expression is not None:
                end = expression.end_lineno or expression.lineno, expression.end_col_offset or 0
                yield (expression.lineno, expression.col_offset), end


def is_noticed(copy: Path, tests: Sequence[str]) -> bool:
    process = FORK.Process(target=run_tests, args=(copy, tests))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # with the programs that its tests have started
        process.join()
    return process.exitcode != 0


def run_tests(copy: Path, tests: Sequence[str]) -> NoReturn:
    """In the process of a mutant: it imports the copy, and writes nothing."""
    os.setsid()
    os.chdir(copy)
    printed = os.open(PRINTED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # for the programs that its tests start
    folders = [copy, copy / "src", copy / "src" / "adapters", copy / "src" / "entrypoints"]
    sys.path[:0] = [str(folder) for folder in folders]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    imported = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins, by the parent
    os._exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *imported, *tests]))


def difference(right: str, wrong: str) -> str:
    lines = unified_diff(right.splitlines(), wrong.splitlines(), n=0, lineterm="")
    return "\n".join(f"    {line}" for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
