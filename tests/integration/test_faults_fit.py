"""The faults that `nox -s faults` plants are still about the code that is there."""

import ast

import pytest

from tests.faults.run import FAULTS, ROOT
from tests.faults.table import Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_a_fault_replaces_stands_once_in_its_file_and_its_test_is_there(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.right) == 1
    file, *names = fault.test.partition("[")[0].split("::")
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    defined = {
        one.name for one in module.body if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(names[:1]) <= defined  # what a class inherits stands elsewhere
