"""The error of a client's command, and its exit codes."""

from typing import Final

FAILED: Final = 1
"""The server has refused something, or a part of it."""
USAGE: Final = 2
"""The command line is wrong, or the user is not signed in."""
TEMPORARY: Final = 75
"""The server does not answer, and the same command may succeed later: EX_TEMPFAIL of sysexits.h."""
INTERRUPTED: Final = 130
"""Ctrl-C: 128 plus SIGINT."""


class CommandError(Exception):
    """A command can't be carried out. The message is one line: what is wrong, and what to do."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
