"""The tests of live rooms run in virtual time."""

from typing import Any

import pytest

from chatcore.testing import virtual_time


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)
