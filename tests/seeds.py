"""Seeds that are new with each commit, so that campaigns see more than the same runs for ever."""

import hashlib
import subprocess
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commit_id() -> str:
    """The id of the checked-out commit; without git, as in an sdist, a digest of the source files."""
    if (ROOT / ".git").exists():  # otherwise git looks in the folders above, which may be of another project
        with suppress(OSError, subprocess.CalledProcessError):
            command = ["git", "rev-parse", "HEAD"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return digest(ROOT / "src")


def digest(folder: Path) -> str:
    """A hash of the Python files in a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        found.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()
