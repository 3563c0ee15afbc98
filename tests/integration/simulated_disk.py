"""A disk that loses power: the operations on it, and the possible contents afterwards.

Until a file is synced, each sector that was written since the last sync may be lost. A sector may be cut at any byte,
and the file may have grown without its new bytes. Until a folder is synced, each new name may be lost and each deleted
name may still exist. Everything that a completed sync covers is on the disk.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path, PurePosixPath
from random import Random
from typing import TypeAlias

from attrs import Factory, define, frozen

SECTOR = 512

Name: TypeAlias = PurePosixPath
"""The path of a file or folder relative to the disk's root, which is named `.`."""

Number: TypeAlias = int
"""The number of a file, which does not depend on its names."""

Image: TypeAlias = Mapping[Name, bytes | None]
"""The contents after a loss of power: files with their bytes, and folders."""


@frozen
class Write:
    file: Number
    offset: int
    data: bytes


@frozen
class Truncate:
    file: Number
    size: int


@frozen
class Link:
    """A new name of a file or folder."""

    name: Name
    file: Number | None


@frozen
class Unlink:
    name: Name


@frozen
class Sync:
    """A file's bytes, or a folder's names, are on the disk as of position ``began``."""

    what: Number | Name
    began: int


Operation: TypeAlias = Write | Truncate | Link | Unlink | Sync


class Survival(Enum):
    """Which operations survive that were not synced."""

    NOTHING = "nothing"
    ALL = "all, and the last write in part"
    SOME = "any of it"


@define
class Disk:
    """The disk below ``root``, and all operations on it since the image ``start``."""

    root: Path
    start: Image = Factory(dict[Name, bytes | None])
    operations: list[Operation] = Factory(list[Operation])
    _names: dict[Name, Number | None] = Factory(dict[Name, "Number | None"])

    def __attrs_post_init__(self) -> None:
        for number, (name, content) in enumerate(self.start.items()):
            self._names[name] = None if content is None else number

    @property
    def position(self) -> int:
        """The number of operations."""
        return len(self.operations)

    def make_folder(self, path: Path) -> None:
        self._link(self._name(path), None)

    def open(self, path: Path) -> Number:
        """Return the file of that name. If there is none, create it."""
        name = self._name(path)
        number = self._names.get(name)
        if number is None:
            number = len(self.start) + self.position
            self._link(name, number)
        return number

    def write(self, file: Number, offset: int, data: bytes) -> None:
        self.operations.append(Write(file, offset, data))

    def truncate(self, file: Number, size: int) -> None:
        self.operations.append(Truncate(file, size))

    def delete(self, path: Path) -> None:
        name = self._name(path)
        if self._names.pop(name, None) is not None:
            self.operations.append(Unlink(name))

    def sync(self, file: Number, began: int) -> None:
        self.operations.append(Sync(file, began))

    def sync_path(self, path: Path, began: int) -> None:
        name = self._name(path)
        number = self._names.get(name)
        self.operations.append(Sync(name if number is None else number, began))

    def path_of(self, identity: tuple[int, int]) -> Path:
        """Return the path of the file or folder with that device and inode."""
        paths = [self.root / name for name in (Name(), *self._names)]
        return {(path.stat().st_dev, path.stat().st_ino): path for path in paths}[identity]

    def image(self, position: int, survival: Survival, random: Random) -> Image:
        """Return the contents if the power is lost right after the operation before ``position``."""
        contents: dict[Number, bytearray] = {
            number: bytearray(content or b"") for number, content in enumerate(self.start.values())
        }
        names = {name: None if content is None else n for n, (name, content) in enumerate(self.start.items())}
        unsynced = _unsynced(self.operations[:position])
        for index, (synced, operation) in enumerate(unsynced):
            chance = 1.0 if synced or survival is Survival.ALL else random.choice((0.05, 0.5, 0.95))
            if not synced and survival is Survival.NOTHING:
                continue
            match operation:
                case Write(file, offset, data):
                    content = contents.setdefault(file, bytearray())
                    torn = not synced and (survival is Survival.SOME or index == len(unsynced) - 1)
                    if torn and random.random() < 0.5:
                        _put(content, offset + len(data), b"")
                    for start, part in _surviving(offset, data, chance, random if torn else None):
                        _put(content, start, part)
                case Truncate(file, size):
                    content = contents.setdefault(file, bytearray())
                    if random.random() < chance:
                        del content[size:]
                        content.extend(bytes(size - len(content)))
                case Link(name, number):
                    if random.random() < chance:
                        names[name] = number
                case Unlink(name):
                    if random.random() < chance:
                        names.pop(name, None)
                case Sync():
                    pass
        return {
            name: None if number is None else bytes(contents.get(number, b""))
            for name, number in sorted(names.items())
            if all(folder in names for folder in name.parents if folder != Name())
        }

    def _link(self, name: Name, number: Number | None) -> None:
        self._names[name] = number
        self.operations.append(Link(name, number))

    def _name(self, path: Path) -> Name:
        return Name(path.relative_to(self.root))


def _unsynced(operations: Sequence[Operation]) -> Sequence[tuple[bool, Operation]]:
    """Return the operations, each with whether a later sync covers it."""
    began: dict[Number | Name, int] = {}
    marked: list[tuple[bool, Operation]] = []
    for index in reversed(range(len(operations))):
        operation = operations[index]
        if isinstance(operation, Sync):
            began[operation.what] = max(operation.began, began.get(operation.what, 0))
            continue
        about = operation.file if isinstance(operation, Write | Truncate) else operation.name.parent
        marked.append((index < began.get(about, 0), operation))
    return marked[::-1]


def _surviving(offset: int, data: bytes, chance: float, random: Random | None) -> Sequence[tuple[int, bytes]]:
    """Return the sectors, or parts of them, that reach the disk. The last sector may be torn."""
    if random is None:
        return [(offset, data)]
    parts: list[tuple[int, bytes]] = []
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        if random.random() < chance:
            parts.append((offset + start, data[start:end]))
        start = end
    if parts and random.random() < 0.5:
        start, part = parts.pop()
        parts.append((start, part[: random.randrange(len(part))]))
    return parts


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
