"""The README's example of the domain in isolation."""

from typing import Any

import pytest

from tests.readme import example

pytestmark = pytest.mark.anyio


async def test_the_domain_runs_in_memory_as_the_readme_says() -> None:
    names: dict[str, Any] = {}
    exec(compile(example("python", "MemoryStore()"), "README.md", "exec"), names)
    await names["main"]()
