"""The suites run on asyncio: each test on its default event loop and on uvloop."""

from collections.abc import AsyncGenerator

import pytest

from .node import SocketioNode, socketio_node


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def node() -> AsyncGenerator[SocketioNode]:
    """A node with the default deadlines and bounds."""
    async with socketio_node() as served:
        yield served
