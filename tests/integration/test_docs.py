"""The links of the docs lead to existing files and headings, those of the glossary to the symbols that it names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GLOSSARY = ROOT / "docs" / "glossary.md"

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SYMBOL_LINK = re.compile(r"\[`(\w+)`\]\((\.\./[^)]+\.py)\)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


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
