"""Settings for every suite. Async tests carry `@pytest.mark.anyio` and run on asyncio and on trio.

A suite for asyncio alone overrides the fixture: `def anyio_backend(): return "asyncio"`.
"""

import gc
import warnings
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("chatcore", deadline=None)  # a loaded machine is slow, not wrong
settings.load_profile("chatcore")


def pytest_collection_finish() -> None:
    """Hide the collected tests from the garbage collector: it would stop a test for a second to look through them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def sockets_of_the_driver_are_collected(request: pytest.FixtureRequest) -> Generator[None]:
    """A client of pymongo that met a dead server leaves a socket open, one time in three: not in another's test."""
    yield
    if "mongo" in request.module.__name__:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
