"""The page's third-party files: which ones there must be, and whether they are there.

It imports the standard library alone: `hatch_build.py` uses this file before chatcore's dependencies are installed.
"""

import base64
import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
VENDOR = HERE / "vendor"


class File(NamedTuple):
    """A file of a package, by its path there, and its name in `VENDOR`. ``integrity`` is its hash, as in HTML."""

    path: str
    kept_as: str
    integrity: str


class Package(NamedTuple):
    """An exact version of a package of npm. ``integrity`` is the hash of its tarball, as npm's registry has it."""

    name: str
    version: str
    integrity: str
    files: Sequence[File]


def packages() -> Sequence[Package]:
    """Return the packages in ``third_party.toml``."""
    table = tomllib.loads((HERE / "third_party.toml").read_text("utf-8"))
    return [
        Package(package["name"], package["version"], package["integrity"], [File(**file) for file in package["files"]])
        for package in table["packages"]
    ]


def missing(packages: Sequence[Package], folder: Path) -> Sequence[Package]:
    """Return the packages of which ``folder`` lacks a file, or has it with other content."""
    return [package for package in packages if any(not _is_kept(file, folder) for file in package.files)]


def names(packages: Sequence[Package]) -> Iterator[str]:
    """Yield the names that the files of ``packages`` have in `VENDOR`."""
    for package in packages:
        for file in package.files:
            yield file.kept_as


def integrity(content: bytes) -> str:
    """Return the hash of ``content`` as npm and HTML write it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def _is_kept(file: File, folder: Path) -> bool:
    try:
        return integrity((folder / file.kept_as).read_bytes()) == file.integrity
    except OSError:
        return False
