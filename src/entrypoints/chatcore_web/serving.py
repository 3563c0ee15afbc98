"""The addresses of the page: ``/``, and one for each of its files below ``/page``."""

import base64
import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, field, frozen

from chatcore_http.endpoints import Endpoint
from chatcore_http.entity_tags import entity_tag, has_one_of
from chatcore_http.requests import Request
from chatcore_http.responses import Response
from chatcore_http.urls import Segments

from .third_party import VENDOR, missing, packages

HERE = Path(__file__).parent
INDEX = HERE / "page" / "index.html"
FOLDERS: Mapping[str, str] = {"page": "/page", "chatcore-client": "/page/chatcore-client", "vendor": "/page/vendor"}
"""The folders with the page's files, and the paths at which they are served."""

TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
}
"""The files that are served, by their suffix."""

MISSING = (
    "The chat page is not here, because npm did not give its third-party files when chatcore was installed. Install "
    "chatcore again when npm's registry can be reached; in a clone: rm .venv/serve; make serve"
)

_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_OF_BODY = {"Content-Type", "Content-Encoding"}
_IS_CLONE = (HERE.parents[2] / "pyproject.toml").is_file()
"""Whether files may change while the server runs: in a clone, a developer edits the page and reloads it."""


def is_complete() -> bool:
    """Return whether all third-party files of the page are there. If not, `MISSING` says what to do."""
    return not missing(packages(), VENDOR)


def page_endpoints() -> Sequence[Endpoint]:
    """Return the endpoints of the page.

    The table of files is made once, and nothing else is served. In a clone a file that has changed is read again.
    """
    return [Endpoint("GET", path, _answer(_Served(file))) for path, file in _files()]


def _files() -> Iterator[tuple[str, Path]]:
    """Yield the path and the file of everything that is served."""
    yield "/", INDEX
    for name, path in FOLDERS.items():
        folder = HERE / name
        for file in sorted(folder.rglob("*")):
            relative = file.relative_to(folder)
            if file != INDEX and file.suffix in TYPES and file.is_file() and "node_modules" not in relative.parts:
                yield f"{path}/{relative.as_posix()}", file


@frozen
class _Content:
    """A file as it is sent: with and without compression."""

    identity: Response
    gzipped: Response | None

    @classmethod
    def of(cls, file: Path) -> "_Content":
        body = file.read_bytes()
        headers = {
            "Content-Type": TYPES[file.suffix],
            "Cache-Control": "no-cache",
            "Vary": "Origin, Accept-Encoding",
            "Cross-Origin-Resource-Policy": "same-origin",
            **(_document_headers(body.decode()) if file == INDEX else {}),
        }
        compressed = gzip.compress(body, mtime=0)
        gzipped = None
        if len(compressed) < len(body):
            gzipped = _tagged(compressed, {**headers, "Content-Encoding": "gzip"})
        return cls(_tagged(body, headers), gzipped)


@define
class _Served:
    """A file that is read at first, and in a clone again when it has changed."""

    _file: Path
    _stamp: tuple[int, int] = field(init=False)
    _content: _Content = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._stamp = self._stamp_now()
        self._content = _Content.of(self._file)

    def content(self) -> _Content:
        if _IS_CLONE and self._file.exists() and self._stamp_now() != self._stamp:
            self.__attrs_post_init__()
        return self._content

    def _stamp_now(self) -> tuple[int, int]:
        status = self._file.stat()
        return status.st_mtime_ns, status.st_size


def _answer(served: _Served) -> Callable[[Request, Segments], Awaitable[Response]]:
    async def answer(request: Request, _: Segments) -> Response:
        content = served.content()
        chosen = content.gzipped if content.gzipped and _takes_gzip(request) else content.identity
        if has_one_of(request, chosen.headers["ETag"]):
            return Response(
                304, headers={name: chosen.headers[name] for name in chosen.headers if name not in _OF_BODY}
            )
        return chosen

    return answer


def _tagged(body: bytes, headers: Mapping[str, str]) -> Response:
    return Response(200, body, {**headers, "ETag": entity_tag(body)})


def _document_headers(page: str) -> Mapping[str, str]:
    """Return the headers of the document. Its only inline script, the import map, is allowed by its hash."""
    (import_map,) = _IMPORT_MAP.findall(page)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }


def _takes_gzip(request: Request) -> bool:
    """Return whether the client takes gzip (RFC 9110, section 12.5.3)."""
    weights: dict[str, str] = {}
    for line in request.headers.getall("Accept-Encoding"):
        for value in line.split(","):
            coding, _, weight = value.partition(";")
            weights[coding.strip().lower()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not re.fullmatch(r"q=0(\.0*)?", weight, re.IGNORECASE)
