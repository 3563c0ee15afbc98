"""The links of the docs lead to existing files and headings, those of the glossary to the symbols that it names.

The programs for hosts that `docs/embedding.md` lists are short, and use public names alone. The classes in its examples
can be imported.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import chatcore

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GLOSSARY = ROOT / "docs" / "glossary.md"
EMBEDDING = ROOT / "docs" / "embedding.md"
PROGRAM_LINES_MAX = 60

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SYMBOL_LINK = re.compile(r"\[`(\w+)`\]\((\.\./[^)]+\.py)\)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PROGRAM = re.compile(r"^\| \[\w+\.py\]\((\.\./examples/\w+\.py)\)", re.MULTILINE)
_PRIVATE = re.compile(r"_(?!_)\w+")


def _text(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings; equal headings would share one, so they must not occur."""
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(_text(page))]
    assert len(anchors) == len(set(anchors)), f"{page.name} has two equal headings"
    return set(anchors)


def _broken_links(page: Path) -> Iterator[str]:
    for link in _LINK.findall(_text(page)):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_page_lead_to_existing_file_and_heading(page: Path) -> None:
    assert list(_broken_links(page)) == []


def _defines(module: Path, symbol: str) -> bool:
    """Return whether a class, function, attribute or name is defined in a module."""
    definition = rf"^ *(?:(?:class|def|async def) {symbol}\b|{symbol}\s*[:=])"
    return re.search(definition, module.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_glossary_symbols_are_defined_in_linked_modules() -> None:
    links = _SYMBOL_LINK.findall(_text(GLOSSARY))
    assert links
    missing = [f"{symbol} in {path}" for symbol, path in links if not _defines(GLOSSARY.parent / path, symbol)]
    assert missing == []


def test_each_row_of_glossary_links_to_file() -> None:
    rows = [row for row in _text(GLOSSARY).splitlines() if row.startswith("| ") and not row.startswith("| term ")]
    assert rows
    assert [row for row in rows if not _LINK.search(row)] == []


def _programs() -> list[Path]:
    return [(EMBEDDING.parent / path).resolve() for path in _PROGRAM.findall(_text(EMBEDDING))]


def _used_names(program: Path) -> Iterator[str]:
    """The names that a program imports, and those of the attributes and variables that it uses."""
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=module, names=names):
                yield from (module or "").split(".")
                yield from (name.name for name in names)
            case ast.Import(names=names):
                yield from (part for name in names for part in name.name.split("."))
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case _:
                pass


def _imported_and_used(code: str) -> tuple[Mapping[str, str], set[str]]:
    """The names that code imports, with their modules, and the classes that it uses."""
    tree = compile(code, "embedding.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    imported: dict[str, str] = {}
    used: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                imported |= {name.name: module for name in names}
            case ast.Name(id=name) if name[0].isupper():
                used.add(name)
            case _:
                pass
    return imported, used


@pytest.mark.parametrize("code", _PYTHON.findall(EMBEDDING.read_text(encoding="utf-8")))
def test_classes_in_examples_of_embedding_page_can_be_imported(code: str) -> None:
    imported, used = _imported_and_used(code)
    for name, module in imported.items():
        if module.startswith("chatcore"):
            assert hasattr(importlib.import_module(module), name), name
    assert [name for name in used - imported.keys() if not hasattr(chatcore, name)] == []


def test_embedding_page_lists_every_program_of_host() -> None:
    others = {"chat.py", "journal_store.py", "test_journal_store.py", "test_search_index.py"}
    assert {path.name for path in ROOT.glob("examples/*.py")} - others == {path.name for path in _programs()}


@pytest.mark.parametrize("program", _programs(), ids=lambda program: program.name)
def test_program_of_host_is_short_and_uses_public_names_alone(program: Path) -> None:
    assert len(program.read_text(encoding="utf-8").splitlines()) <= PROGRAM_LINES_MAX
    assert [name for name in _used_names(program) if _PRIVATE.fullmatch(name)] == []
