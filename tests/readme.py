"""The examples of the README, as they are printed."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def example(language: str, containing: str, page: Path = README) -> str:
    """The one code block of a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if containing in block]
    return str(found)
