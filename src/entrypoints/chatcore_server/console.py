"""The console command `chatcore`: a missing dependency is an error in one line."""

import sys

MISSING = 2
"""Exit code without the extra `server`, as for a wrong command line."""


def main() -> int:
    """Run the command line, and return the exit code."""
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
    return run()
