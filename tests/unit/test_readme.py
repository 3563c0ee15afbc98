"""The README's examples of the library."""

import re

from tests.readme import README, example


def test_readme_and_docs_have_the_store_of_the_examples() -> None:
    tests = (README.parent / "examples" / "test_journal_store.py").read_text(encoding="utf-8")
    assert example("python", "class TestJournalStore") in tests
    stores = (README.parent / "docs" / "stores.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"^# test_journal_store.py\n(.*?)^```$", stores, re.DOTALL | re.MULTILINE)
    assert printed in tests


def test_readme_example_runs_in_memory() -> None:
    exec(compile(example("python", "MemoryStore()"), "README.md", "exec"), {})
