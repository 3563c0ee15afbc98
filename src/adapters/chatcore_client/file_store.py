"""A file that keeps what is not sent yet.

The file is a log of lines of JSON: `{"put": item}` and `{"drop": key}`, below a header. A line counts once its newline
is there, so a process that is killed while it writes leaves at most a line that the next one cuts off.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Generator, Iterable
from pathlib import Path

from .transport import Object

HEADER = b'{"chatcore_client": "outbox", "generation": "'
HEADER_END = b'"}\n'
GENERATION_BYTES = 16
HEADER_SIZE = len(HEADER) + 2 * GENERATION_BYTES + len(HEADER_END)
REWRITE_ABOVE = 256 * 1024
"""Bytes above which the file is written anew when less than half of it counts."""


class FileStore:
    """Keeps messages in a file that only its user can read, for one server and user.

    `put` returns when the message is on the disk. The file survives `kill -9` of its processes, and several processes,
    or clients of one process, may share it. It needs file locks as Unix has them.

    Args:
        path: the file. It is created, with its folder, when it is first used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._generation = b""
        self._offset = 0
        """The bytes of this generation of the file that `_lines` has."""
        self._lines: dict[str, bytes] = {}
        """The lines of the items that count, by key."""

    def load(self) -> Iterable[Object]:
        """Return the items.

        Raises:
            ValueError: The file is not one of this class.
            OSError: The file can't be read or created.
        """
        with self._locked():
            return [json.loads(line)["put"] for line in self._lines.values()]

    def put(self, item: Object) -> None:
        """Keep an item. Raises as `load`."""
        line = _line("put", item)
        with self._locked() as file:
            self._append(file, line)
            os.fsync(file)
            self._lines[item["key"]] = line

    def drop(self, key: str) -> None:
        """Remove an item. Raises as `load`."""
        with self._locked() as file:
            if self._lines.pop(key, None) is None:
                return
            if not self._lines:
                self._begin(file)
            elif self._offset > REWRITE_ABOVE and self._offset > 2 * sum(map(len, self._lines.values())):
                self._rewrite()
            else:
                self._append(file, _line("drop", key))

    @contextlib.contextmanager
    def _locked(self) -> Generator[int]:
        """Lock the file, and take over what others have written to it."""
        import fcntl  # not on Windows, where the rest of the package works

        file = self._open()
        fcntl.flock(file, fcntl.LOCK_EX)
        while not self._is_current(file):  # rewritten by another process while this one waited
            os.close(file)
            file = self._open()
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            self._catch_up(file)
            yield file
        finally:
            os.close(file)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, flags, 0o600)

    def _is_current(self, file: int) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(file), named)

    def _catch_up(self, file: int) -> None:
        header = os.pread(file, HEADER_SIZE, 0)
        if not header.endswith(b"\n") and _begins_like_a_header(header):
            self._begin(file)  # new, or its creator was killed
            self._sync_folder()
            return
        generation = header.removeprefix(HEADER).removesuffix(HEADER_END)
        if HEADER + generation + HEADER_END != header:
            raise ValueError(f"{self._path} is not an outbox of chatcore_client. Choose another path.")
        if generation != self._generation:
            self._generation, self._offset, self._lines = generation, len(header), {}
        *lines, _torn = _read_from(file, self._offset).split(b"\n")
        for line in lines:
            self._take(line + b"\n")
            self._offset += len(line) + 1

    def _take(self, line: bytes) -> None:
        try:
            match json.loads(line):
                case {"put": {"key": str(key)}}:
                    self._lines[key] = line
                case {"drop": str(key)}:
                    self._lines.pop(key, None)
                case _:
                    pass
        except ValueError:
            pass  # a line that a loss of power has torn: the others count

    def _append(self, file: int, line: bytes) -> None:
        os.ftruncate(file, self._offset)  # what is behind it is a torn line
        try:
            _write(file, line, self._offset)
        except OSError:
            os.ftruncate(file, self._offset)
            raise
        self._offset += len(line)

    def _begin(self, file: int) -> None:
        """Make the file empty, for a new generation of lines."""
        self._generation, self._lines = secrets.token_hex(GENERATION_BYTES).encode(), {}
        header = HEADER + self._generation + HEADER_END
        os.ftruncate(file, 0)
        _write(file, header, 0)
        self._offset = len(header)

    def _rewrite(self) -> None:
        """Write a new file with the lines that count, and put it in the place of this one."""
        generation = secrets.token_hex(GENERATION_BYTES).encode()
        content = HEADER + generation + HEADER_END + b"".join(self._lines.values())
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _write(file, content, 0)
                os.fsync(file)
            finally:
                os.close(file)
            new.replace(self._path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        self._sync_folder()
        self._generation, self._offset = generation, len(content)

    def _sync_folder(self) -> None:
        """Make the file's name durable, where folders can be synced."""
        with contextlib.suppress(OSError):
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _line(what: str, value: object) -> bytes:
    return json.dumps({what: value}, allow_nan=False).encode() + b"\n"


def _begins_like_a_header(text: bytes) -> bool:
    """Return whether a header may have been cut off here."""
    return text[: len(HEADER)] == HEADER[: len(text)]


def _read_from(file: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while part := os.pread(file, 1024 * 1024, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _write(file: int, text: bytes, offset: int) -> None:
    while text:
        written = os.pwrite(file, text, offset)
        text, offset = text[written:], offset + written
