"""The start page at ``/start``. It names the program, and shows three steps to the first messages."""

import base64
import hashlib
import html
import re
from importlib import resources
from importlib.metadata import version

from aiohttp import hdrs, web

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")

CLOSED = """<p>Sign-up is closed on this server (<code>CHATCORE_SIGNUP</code>): take two users that have an account.</p>
"""


class StartPage:
    """``page.html`` with the version and the server's address, with `CLOSED` if sign-up is closed, and with ``notice``.

    A script in the page replaces the address by the browser's address: a proxy may change scheme and host, and add a
    path.
    """

    def __init__(self, is_sign_up_open: bool, notice: str = "") -> None:
        text = resources.files(__package__ or "").joinpath("page.html").read_text("utf-8")
        text = text.replace("{{notice}}", f'<p class="notice">{html.escape(notice)}</p>' if notice else "")
        text = text.replace("{{closed}}", "" if is_sign_up_open else CLOSED)
        self._text = text.replace("{{version}}", html.escape(version("chatcore")))
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src {_hash(text, 'style')}; "
            f"script-src {_hash(text, 'script')}; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            hdrs.CACHE_CONTROL: "no-cache",
        }

    async def answer(self, request: web.Request) -> web.Response:
        text = self._text.replace("{{url}}", html.escape(_address(request)))
        return web.Response(text=text, content_type="text/html", headers=self._headers)


def _hash(page: str, tag: str) -> str:
    """Return the source expression of the page's only element ``tag`` for its Content-Security-Policy."""
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _address(request: web.BaseRequest) -> str:
    host = request.headers.get(hdrs.HOST, "")
    return f"{request.scheme}://{host}" if _HOST.fullmatch(host) else "http://localhost:3001"
