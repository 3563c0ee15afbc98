"""Lines of standard input, read in a thread: terminals, pipes and files alike."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from .errors import CommandError

STDIN = 0
LINE_MAX = 64 * 1024
"""Bytes of a line. The server takes less."""


async def given(text: str) -> AsyncIterator[str]:
    """Give one message."""
    yield text


async def typed_lines() -> AsyncIterator[str]:
    """Give the lines of standard input until its end, without empty ones. The next line is read when it is asked for.

    Raises:
        CommandError: a line is too long, or is not written in UTF-8.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    asked = threading.Semaphore()
    try:
        source = os.dup(STDIN)  # not sys.stdin, which is locked while a thread waits for a line: no program could end
    except OSError:  # it is closed
        return

    def read() -> None:
        with os.fdopen(source, "rb") as file, suppress(RuntimeError):  # the loop is closed
            line = b"\n"
            while line:
                asked.acquire()
                line = file.readline(LINE_MAX + 1)
                loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=read, daemon=True).start()
    number = 0
    while line := await lines.get():
        number += 1
        if len(line) > LINE_MAX:
            raise CommandError(
                f"Line {number} is longer than {LINE_MAX // 1024} KiB; it and what follows were not sent."
            )
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise CommandError(f"Line {number} is not in UTF-8; it and what follows were not sent.") from None
        if text:
            yield text
        asked.release()
