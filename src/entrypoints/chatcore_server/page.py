"""The page at ``/``: what runs here, and how to say the first word."""

import base64
import hashlib
import html
import re
from importlib import resources
from importlib.metadata import version

from aiohttp import hdrs, web

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class Page:
    """``page.html``, with the version and the address at which its reader found it filled in."""

    def __init__(self) -> None:
        text = resources.files(__package__ or "").joinpath("page.html").read_text("utf-8")
        self._text = text.replace("{{version}}", html.escape(version("chatcore")))
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src {_hashes(text)}; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            hdrs.CACHE_CONTROL: "no-cache",
        }

    async def answer(self, request: web.Request) -> web.Response:
        text = self._text.replace("{{url}}", html.escape(_address(request)))
        return web.Response(text=text, content_type="text/html", headers=self._headers)


def _hashes(text: str) -> str:
    """The styles that the page itself has, and no others (Content Security Policy, "hash-source")."""
    digests = (hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(text))
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _address(request: web.BaseRequest) -> str:
    host = request.headers.get(hdrs.HOST, "")
    return f"{request.scheme}://{host}" if _HOST.fullmatch(host) else "http://localhost:3001"
