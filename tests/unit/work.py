"""The number of lines of Python that run, which does not depend on the machine."""

import sys
from types import FrameType
from typing import Any, Self


class Work:
    """Counts the lines that run, each pass of a loop or a comprehension included.

    Args:
        file: the file of the test, which is left out.
    """

    def __init__(self, file: str) -> None:
        self.lines = 0
        self._left_out = (file, __file__)

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename in self._left_out:
            return None
        self.lines += event == "line"
        return self._trace
