"""The path of a request below the prefix under which an application is mounted."""

from urllib.parse import quote, unquote

from .protocol import Scope


def path_below(scope: Scope, prefix: str) -> str | None:
    """Return the path below ``prefix`` and the mounts around it as it was sent; None if it is not below them.

    Only ``raw_path`` tells a slash from ``%2F``, but it has the prefixes of all mounts. ``path`` is decoded, and
    frameworks leave prefixes out of it or name them in ``root_path``. So this is the end of ``raw_path`` that has as
    many parts as the rest of ``path``.
    """
    rest = _rest(scope)
    if prefix:
        if not rest.startswith(f"{prefix}/"):
            return None
        rest = rest.removeprefix(prefix)
    segments = _raw_path(scope).split("/")
    # Litestar collapses slashes in `path` and adds one at its end: empty parts do not count.
    missing, first = _parts(rest), len(segments)
    while missing > 0 and first > 0:
        first -= 1
        missing -= _parts(unquote(segments[first]))
    if missing:
        return None
    return "/" + "/".join(segments[first:])


def _rest(scope: Scope) -> str:
    """Return the decoded path without the prefixes that servers and frameworks name in ``root_path``."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    # Some servers leave their own root path out of `path`. Starlette keeps it in `app_root_path`.
    for outer in (root, root.removeprefix(scope.get("app_root_path", ""))):
        if outer and path.startswith(f"{outer.rstrip('/')}/"):
            return path.removeprefix(outer.rstrip("/"))
    return path


def _raw_path(scope: Scope) -> str:
    """Return the encoded path. Servers may leave it out: then ``%2F`` counts as a slash."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")


def _parts(path: str) -> int:
    return sum(1 for part in path.split("/") if part)
