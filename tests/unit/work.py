"""Counts of the work of Python code, which do not depend on the machine."""

import gc
import sys
import tracemalloc
from types import FrameType
from typing import Any, Self


class Work:
    """Counts the lines that run, each pass of a loop or a comprehension included, and the bytes of memory they take.

    Memory counts if it is still in use when its line ends. The garbage collector rests meanwhile.

    Args:
        files: the files of the test, which are left out.
    """

    def __init__(self, *files: str) -> None:
        self.lines = 0
        self.bytes = 0
        self._in_use = 0
        self._left_out = (*files, __file__)

    def __enter__(self) -> Self:
        gc.disable()
        tracemalloc.start()
        self._tracer = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)
        tracemalloc.stop()
        gc.enable()

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        in_use, _ = tracemalloc.get_traced_memory()
        self.bytes += max(in_use - self._in_use, 0)
        traced = frame.f_code.co_filename not in self._left_out
        self.lines += traced and event == "line"
        self._in_use, _ = tracemalloc.get_traced_memory()
        return self._trace if traced else None
