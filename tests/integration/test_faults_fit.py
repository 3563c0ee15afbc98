"""The faults of `nox -s faults` fit the code, and every promise of the README has a fault."""

import ast
import builtins
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.faults.fault import Fault, faulty, is_javascript
from tests.faults.readme import PROMISES
from tests.faults.run import FAULTS, ROOT


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def dumped(file: Path) -> str:
    return ast.dump(parsed(file))


@cache
def used_in(file: Path) -> set[str]:
    return used(parsed(file))


def used(tree: ast.AST) -> set[str]:
    """Return the names and attributes that code reads."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def bound(tree: ast.AST) -> set[str]:
    """Return the names that code binds, except those of functions and classes."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return names | {node.name for node in nodes if isinstance(node, ast.alias)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_fits_one_symbol_and_its_test_exists(fault: Fault) -> None:
    file, text = faulty(ROOT, fault)
    if is_javascript(fault):
        assert text != file.read_text(encoding="utf-8")
    else:
        wrong = ast.parse(text)
        assert dumped(file) != ast.dump(wrong)
        unbound = used(wrong) - used_in(file) - bound(wrong)
        assert unbound <= vars(builtins).keys()  # otherwise the fault fails by a NameError
    test_file, *names = fault.test.partition("[")[0].split("::")
    defined = {
        node.name
        for node in parsed(ROOT / test_file).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(names[:1]) <= defined  # inherited tests are defined elsewhere


def test_names_of_faults_are_unique() -> None:
    counts = Counter(fault.name for fault in FAULTS)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_readme_promise_has_fault() -> None:
    promises = re.findall(r"^\| \*\*(.+?)\*\*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(promises) <= PROMISES.keys()
