"""Python's garbage collector, set for a server."""

import asyncio
import gc
import time
from collections.abc import Generator
from contextlib import contextmanager

BUSY_S = 0.2
"""Processor time of the event loop's thread between two collections."""
LOOK_S = 0.05
"""Time between two looks at that processor time."""
PAUSE_S = 0.001
"""Processor time of a collection above which its objects are frozen."""


@contextmanager
def set_for_serving() -> Generator[None]:
    """Collect after each fifth of a second of work while the block runs; the event loop stops for a bounded time only.

    Python itself collects when there are some hundred more objects than before, and looks through all of them again
    and again: with 4,000 open sockets that took up to 220 ms at a time, and a third of the processor under load.
    With higher thresholds collections are rare, and one takes seconds.

    Here a collection looks at the objects that are new since the last one. Once it takes more than `PAUSE_S`, it
    freezes them: they are freed when nothing refers to them, and never looked at again. So a collection takes
    `PAUSE_S` and what `BUSY_S` of work can create. More work in between makes longer pauses: with half a second they
    took 84 ms while 3,000 sockets opened at once, 11 ms under load and 26 ms when all of them closed.

    What this cannot free is a reference cycle that ends after it was frozen. No connection may leave one
    (``tests/integration/socketio/test_memory.py``).
    """
    loop = asyncio.get_running_loop()
    gc.collect()
    gc.freeze()
    gc.disable()
    collected = time.thread_time()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal collected, timer
        began = time.thread_time()
        if began - collected > BUSY_S:
            gc.collect()
            collected = time.thread_time()
            if collected - began > PAUSE_S:
                gc.freeze()
        timer = loop.call_later(LOOK_S, look)

    timer = loop.call_later(LOOK_S, look)
    try:
        yield
    finally:
        timer.cancel()
        gc.enable()
        gc.unfreeze()
