"""The entry point of the command `chatcore`.

A missing dependency is an error in one line, and Ctrl-C ends a starting server silently. The imports of the server take
a second. Until the server has its own signal handlers, an interrupt ends the process at once: an exception would print
a traceback, or get lost in a callback of an import.
"""

import gc
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
MISSING = 2
"""The exit code without the extra `server`, the same as for a wrong command line."""


def main() -> int:
    """Run the command line, and return the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # unless the parent process ignores it
        signal.signal(signal.SIGINT, _end)
    gc.disable()  # imports create many objects and hardly any garbage
    try:
        from .cli import main as run

        return run()
    except ImportError as error:
        missing = _missing_package(error)
        if missing is None:
            raise
        print(
            f"chatcore: this command needs {missing}. In a clone of chatcore: pip install '.[server]'", file=sys.stderr
        )
        return MISSING


def _missing_package(error: BaseException | None) -> str | None:
    """Return the package that is not installed, also if the error was raised because of its error; otherwise None."""
    while error and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    return None if name is None or name.startswith("chatcore") else name.partition(".")[0]


def _end(_: int, __: FrameType | None) -> None:
    os._exit(INTERRUPTED)
