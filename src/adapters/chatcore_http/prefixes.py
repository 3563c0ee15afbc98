"""The prefixes under which a host serves chatcore."""

import re

_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
"""No ``.`` and ``..``: clients resolve these segments."""


def check_prefix(prefix: str) -> None:
    """Raise ValueError or TypeError unless ``prefix`` is a plain path such as ``/chat`` or ``/apps/chat``."""
    if not isinstance(prefix, str):
        raise TypeError(f"the prefix must be a str such as '/chat', not {type(prefix).__name__}")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"the prefix {prefix!r} must be a path such as '/chat', with a slash before and none after it")
