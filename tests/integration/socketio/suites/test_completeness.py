"""Every case of the official suites has a test."""

from types import ModuleType

import pytest

from . import test_engine_io, test_socket_io
from .cases import BY_DESIGN, ENGINE_IO, SOCKET_IO, Suite, expected_tests


def defined_tests(module: ModuleType) -> set[tuple[str, str]]:
    classes = {name: value for name, value in vars(module).items() if name.startswith("Test")}
    return {(name, method) for name, value in classes.items() for method in vars(value) if method.startswith("test_")}


@pytest.mark.parametrize(
    ("suite", "module", "count"), [(ENGINE_IO, test_engine_io, 24), (SOCKET_IO, test_socket_io, 32)]
)
def test_official_cases_and_tests_are_the_same(suite: Suite, module: ModuleType, count: int) -> None:
    assert defined_tests(module) == expected_tests(suite)
    assert len(expected_tests(suite)) == count


def test_exceptions_by_design_name_official_cases() -> None:
    cases = {(group, case) for suite in (ENGINE_IO, SOCKET_IO) for group, names in suite.items() for case in names}
    assert BY_DESIGN.keys() <= cases
