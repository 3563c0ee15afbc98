"""The prefixes under which a host serves chatcore."""

import re

_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


def check_prefix(prefix: str) -> None:
    """Raise ValueError unless ``prefix`` is a plain path such as ``/chat`` or ``/apps/chat``."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"the prefix {prefix!r} must be a path such as '/chat', with a slash before and none after it")
