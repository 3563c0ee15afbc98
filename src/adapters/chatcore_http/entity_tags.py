"""Entity tags: a client that has a document gets 304 instead of the document (RFC 9110, section 13.1.2)."""

import base64
import hashlib

from .requests import Request


def entity_tag(content: bytes) -> str:
    """Return a strong entity tag: another one for other content."""
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:12]).decode()}"'


def has_one_of(request: Request, *tags: str) -> bool:
    """Return whether the client has a document with one of ``tags``."""
    kept = [
        value.strip().removeprefix("W/")
        for line in request.headers.getall("If-None-Match")
        for value in line.split(",")
    ]
    return "*" in kept or any(tag in kept for tag in tags)
