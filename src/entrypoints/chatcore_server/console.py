"""The console command `chatcore`: a missing dependency is an error in one line, and Ctrl-C ends the start silently.

The imports of the server take a second. Until the server has its own signal handlers, an interrupt ends the process at
once: as an exception it would show a traceback, or get lost in a callback of an import.
"""

import gc
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
MISSING = 2
"""Exit code without the extra `server`, as for a wrong command line."""


def main() -> int:
    """Run the command line, and return the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, _end)
    gc.disable()  # imports create many objects and hardly any garbage
    try:
        from .cli import main as run
    except ModuleNotFoundError as missing:
        if (missing.name or "chatcore").startswith("chatcore"):
            raise
        print(
            f"chatcore: the server needs {missing.name}. In a clone of chatcore: pip install '.[server]'",
            file=sys.stderr,
        )
        return MISSING
    finally:
        gc.enable()
    gc.freeze()  # no collection looks through them
    return run()


def _end(_: int, __: FrameType | None) -> None:
    os._exit(INTERRUPTED)
