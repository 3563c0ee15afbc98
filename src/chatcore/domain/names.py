"""The form in which names are compared by a search."""

import unicodedata

FORMS = 2
"""The most forms of a user."""
LAST = "\U0010ffff"
"""A character above all characters of names."""


def search_form(text: str) -> str:
    """Return a text without the differences of case, width and composition: casefolded, between two NFKC."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_forms(user: str, name: str | None) -> list[str]:
    """Return the forms under which a search finds a user: of the id and of the name, each once."""
    return sorted({search_form(user), search_form(name or user)})
