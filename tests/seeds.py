"""Seeds that are new with each commit, so that campaigns see more than the same runs for ever."""

import subprocess
from pathlib import Path


def commit_id() -> str:
    """The checked-out commit, or "unknown" where there is no clone: a copy of the tree."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
