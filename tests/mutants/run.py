"""Change one expression at a time in a copy of the tree, and count how many of the changes the tests notice.

`nox -s mutants -- src/chatcore/live/room.py …` takes `CHATCORE_TEST_MUTANTS` (150) mutants of each module at random.
The printed `CHATCORE_TEST_MUTANTS_SEED` repeats a choice. cosmic-ray makes the mutants. Mutants in annotations are left
out, since the type checkers check these, and so are mutants in class decorators, which change no behaviour. Survivors
are printed: a test is missing, or the change makes no difference.
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
"""A mutant counts as noticed if its tests take longer: often the mutant is an endless loop."""
IMPORTED_BEFORE = (
    *("aiohttp.web", "anyio.pytest_plugin", "anyio._backends._asyncio", "anyio._backends._trio", "argon2", "cattrs"),
    *("hypothesis.strategies", "jwt", "limits.aio", "socketio", "structlog", "trio.testing"),
)
"""Third-party modules that the parent imports for all mutants: their import takes longer than most tests."""

PRINTED = "printed"
"""The file in the copy with the output of the last test run."""

FORK = multiprocessing.get_context("fork")


@frozen
class Mutant:
    operator: str
    occurrence: int
    line: int


def main(modules: Sequence[str]) -> int:
    """Count for each module. Returns 1 if the tests fail without a mutant, else 0, also if mutants survive."""
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
        return max(count_noticed(copy, module) for module in modules)


def count_noticed(copy: Path, module: str) -> int:
    file, tests = copy / module, tests_of(module)
    right = file.read_text(encoding="utf-8")
    sys.dont_write_bytecode = False
    if is_noticed(copy, tests):
        print((copy / PRINTED).read_text()[-2000:])
        print(f"{module}: its tests fail as it is, or take more than {SECONDS} s", flush=True)
        return 1
    # Bytecode of the other modules saves half a second per mutant. Bytecode of this module must go: Python would take
    # it for that of a mutant with the same size and modification time.
    sys.dont_write_bytecode = True
    Path(cache_from_source(str(file))).unlink()
    candidates = list(mutants(right))
    chosen = random.Random(f"{SEED} {module}").sample(candidates, min(COUNT, len(candidates)))
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
    print(f"{module}: {tried - survivors} of {tried} noticed, of {len(candidates)} in all; {took:.0f} s", flush=True)
    return 0


def tests_of(module: str) -> Sequence[str]:
    """Return the arguments of pytest for a module: the tests with the module's name come first."""
    tests = next(tests for prefix, tests in TESTS.items() if module.startswith(prefix))
    own = [str(path.relative_to(ROOT)) for path in ROOT.glob(f"tests/**/test_{Path(module).stem}.py")]
    # Nearly every mutant behaves alike on all event loops, so one of them is enough.
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
    """Return the code with the mutant, or None if the result is no Python or cosmic-ray can't make it."""
    try:
        wrong: str = mutate_code(code, get_operator(mutant.operator)(), mutant.occurrence) or code
        ast.parse(wrong)
    except (AttributeError, SyntaxError):  # an exception with a dotted name; the * of a signature
        return None
    return wrong


def spans_left_out(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield start and end, as line and column, of annotations and class decorators."""
    for node in ast.walk(tree):
        expressions: list[ast.expr | None] = []
        match node:
            case ast.ClassDef():
                expressions += node.decorator_list
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                expressions.append(node.returns)
            case ast.arg():
                expressions.append(node.annotation)
            case ast.AnnAssign():
                expressions.append(node.annotation)
                if isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias":
                    expressions.append(node.value)
            case _:
                pass
        for expression in expressions:
            if expression is not None:
                end = expression.end_lineno or expression.lineno, expression.end_col_offset or 0
                yield (expression.lineno, expression.col_offset), end


def is_noticed(copy: Path, tests: Sequence[str]) -> bool:
    process = FORK.Process(target=run_tests, args=(copy, tests))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # together with the programs that the tests have started
        process.join()
    return process.exitcode != 0


def run_tests(copy: Path, tests: Sequence[str]) -> NoReturn:
    """Run the tests in the process of a mutant, on the modules of the copy. Writes no bytecode."""
    os.setsid()
    os.chdir(copy)
    printed = os.open(PRINTED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # for the programs that the tests start
    folders = [copy, copy / "src", copy / "src" / "adapters", copy / "src" / "entrypoints"]
    sys.path[:0] = [str(folder) for folder in folders]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    imported = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the parent has imported the plugins
    os._exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *imported, *tests]))


def difference(right: str, wrong: str) -> str:
    lines = unified_diff(right.splitlines(), wrong.splitlines(), n=0, lineterm="")
    return "\n".join(f"    {line}" for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
