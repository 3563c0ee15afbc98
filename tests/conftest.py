"""Settings for every suite. Async tests carry `@pytest.mark.anyio` and run on asyncio and on trio.

A suite for asyncio alone overrides the fixture: `def anyio_backend(): return "asyncio"`.
"""

from hypothesis import settings

settings.register_profile("chatcore", deadline=None)  # a loaded machine is slow, not wrong
settings.load_profile("chatcore")
