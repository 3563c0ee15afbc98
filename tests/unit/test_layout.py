"""The layout of the source tree, and what the core may import."""

import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PLAIN_FOLDERS = [SRC / "adapters", SRC / "entrypoints"]
PACKAGES = [
    SRC / "chatcore",
    *(path for folder in PLAIN_FOLDERS for path in folder.iterdir() if any(path.glob("*.py"))),
]

THIRD_PARTY = {"anyio", "attr", "attrs", "cattr", "cattrs"}
TEST_TOOLS = {"hypothesis", "pytest", "trio"}


@pytest.mark.parametrize("folder", PLAIN_FOLDERS, ids=lambda folder: folder.name)
def test_folder_of_packages_is_not_a_package(folder: Path) -> None:
    assert not list(folder.glob("*.py*"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_is_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_folder_of_modules_has_an_init_for_import_checks(package: Path) -> None:
    assert not [path for path in package.rglob("*.py") if not path.with_name("__init__.py").is_file()]


def test_import_linter_knows_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert sorted(settings["root_packages"]) == sorted(package.name for package in PACKAGES)


def test_core_imports_only_attrs_cattrs_anyio_and_the_standard_library() -> None:
    graph = grimp.build_graph("chatcore", include_external_packages=True, cache_dir=None)
    modules = {module for module in graph.modules if module.partition(".")[0] == "chatcore"}
    foreign_imports = {
        (importer, imported)
        for importer in modules
        for imported in graph.find_modules_directly_imported_by(importer) - modules - sys.stdlib_module_names
        if imported not in THIRD_PARTY and not (imported in TEST_TOOLS and importer.startswith("chatcore.testing"))
    }
    assert len(modules) > 1
    assert not foreign_imports
