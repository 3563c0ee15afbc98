"""Text of other users for the terminal, which it can't control."""

import unicodedata

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories with control characters, bidirectional overrides and invisible characters, and with line separators."""
_JOINERS = frozenset("\u200c\u200d")
"""They join emoji, and letters of several scripts."""
_INDENT = "    "


def safe(text: str) -> str:
    """Return ``text`` on one line, with the characters escaped that control a terminal or reorder a line."""
    return text if text.isascii() and text.isprintable() else "".join(map(_safe_character, text))


def safe_lines(text: str) -> str:
    """Return ``text`` with its line breaks. Further lines are indented, so that none looks like another message."""
    lines = text.replace("\r\n", "\n").split("\n")
    return f"\n{_INDENT}".join(safe(line.replace("\t", _INDENT)) for line in lines)


def _safe_character(character: str) -> str:
    if unicodedata.category(character) in _ESCAPED and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character
