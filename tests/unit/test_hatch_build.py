"""The build hook takes pinned third-party files, and nothing else, from tarballs."""

import importlib.util
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from chatcore_web.third_party import integrity

ROOT = Path(__file__).parents[2]


def module_at(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hatch_build = module_at(ROOT / "hatch_build.py", "hatch_build")
CODE, LICENCE = b"export const one = 1;\n", b"Do as you like.\n"


def tarball(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a tarball with files, and with members of any other kind."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


GOOD = tarball({"package/dist/one.mjs": CODE, "package/LICENSE": LICENCE, "package/dist/more.mjs": b"more"})
Pack = Callable[[Path, Sequence[str]], None]


def pins(*, packed: bytes = GOOD, code: bytes = CODE) -> str:
    return f"""
[[packages]]
name = "one"
version = "1.0.0"
integrity = "{integrity(packed)}"
[[packages.files]]
path = "dist/one.mjs"
kept_as = "one.mjs"
integrity = "{integrity(code)}"
[[packages.files]]
path = "LICENSE"
kept_as = "one.LICENSE.txt"
integrity = "{integrity(LICENCE)}"
"""


class Tree:
    """A package with a table of third-party files of its own, and what npm was asked for."""

    def __init__(self, root: Path) -> None:
        self.package = root / "src" / "entrypoints" / "chatcore_web"
        self.package.mkdir(parents=True)
        source = ROOT / "src" / "entrypoints" / "chatcore_web" / "third_party.py"
        (self.package / "third_party.py").write_bytes(source.read_bytes())
        self.pin(pins())
        self.root = root
        self.asked: list[Sequence[str]] = []

    def pin(self, table: str) -> None:
        (self.package / "third_party.toml").write_text(table)

    def take(self, packed: bytes = GOOD) -> None:
        def pack(folder: Path, packages: Sequence[str]) -> None:
            self.asked.append(packages)
            (folder / "any-name.tgz").write_bytes(packed)

        hatch_build.take_missing(hatch_build.load(self.root), pack)

    def kept(self) -> Mapping[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.package / "vendor").iterdir()}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_pinned_files_alone_are_kept(tree: Tree) -> None:
    tree.take()
    assert tree.asked == [["one@1.0.0"]]
    assert tree.kept() == {"one.mjs": CODE, "one.LICENSE.txt": LICENCE}


def test_files_with_their_hashes_are_not_taken_again(tree: Tree) -> None:
    tree.take()
    tree.take()
    assert len(tree.asked) == 1


@pytest.mark.parametrize("name", ["one.mjs", "one.LICENSE.txt"])
def test_changed_or_removed_file_is_taken_again(tree: Tree, name: str) -> None:
    tree.take()
    (tree.package / "vendor" / name).write_text("changed")
    tree.take()
    (tree.package / "vendor" / name).unlink()
    tree.take()
    assert len(tree.asked) == 3
    assert tree.kept() == {"one.mjs": CODE, "one.LICENSE.txt": LICENCE}


def test_file_that_is_not_pinned_any_more_is_removed(tree: Tree) -> None:
    tree.take()
    (tree.package / "vendor" / "old.mjs").write_text("old")
    tree.take()
    assert len(tree.asked) == 1
    assert sorted(tree.kept()) == ["one.LICENSE.txt", "one.mjs"]


def test_tarball_with_another_hash_is_refused(tree: Tree) -> None:
    with pytest.raises(hatch_build.NotTakenError, match=r"no one 1\.0\.0 with its pinned hash"):
        tree.take(tarball({"package/dist/one.mjs": CODE, "package/LICENSE": LICENCE}))
    assert tree.kept() == {}


@pytest.mark.parametrize(
    "code",
    [
        link("package/dist/one.mjs", "/etc/passwd"),
        link("package/dist/one.mjs", "../LICENSE"),
        b"export const one = 2;\n",
        b" " * (hatch_build.FILE_BYTES_MAX + 1),
    ],
    ids=["link", "link inside", "another hash", "large"],
)
def test_member_that_is_not_the_pinned_file_is_refused(tree: Tree, code: bytes | tarfile.TarInfo) -> None:
    """Also where the pin of the tarball itself is wrong."""
    packed = tarball({"package/LICENSE": LICENCE, "package/dist/one.mjs": code})
    tree.pin(pins(packed=packed))
    with pytest.raises(hatch_build.NotTakenError):
        tree.take(packed)
    assert tree.kept() == {}


def test_paths_in_a_tarball_are_written_nowhere(tree: Tree, tmp_path: Path) -> None:
    packed = tarball(
        {
            "package/dist/one.mjs": CODE,
            "package/LICENSE": LICENCE,
            "../../escaped": b"x",
            f"{tmp_path}/absolute": b"x",
            "package/link": link("package/link", str(tmp_path)),
            "package/link/through": b"x",
        }
    )
    tree.pin(pins(packed=packed))
    tree.take(packed)
    assert sorted(tree.kept()) == ["one.LICENSE.txt", "one.mjs"]
    assert {path.name for path in tmp_path.rglob("*")} & {"escaped", "absolute", "through"} == set()
