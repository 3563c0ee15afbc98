"""Asks the questions of the rights matrix, and maps each answer to a letter of the table."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import evolve, frozen

from chatcore.accounts import Session
from chatcore_security import JwtTokens
from tests.integration.http_node import SECRET, HttpNode
from tests.integration.rights_requests import HttpRequest, Question
from tests.integration.rights_rooms import Cast, Cell, Facts
from tests.integration.rights_table import UNKNOWING
from tests.integration.socket_clients import SocketClient

LETTERS = {"forbidden": "F", "not_found": "N", "invalid": "I", "unauthenticated": "U"}
STATUSES = {"forbidden": 403, "not_found": 404, "invalid": 400, "unauthenticated": 401}


@frozen
class Response:
    """An answer over any transport: its text, its object, and the code of a refusal."""

    text: str
    body: Mapping[str, Any]
    code: str | None

    @property
    def refusal(self) -> str | None:
        """Return the letter of the refusal, or the code itself if the table has no letter for it."""
        return None if self.code is None else LETTERS.get(self.code, self.code)


async def over_http(node: HttpNode, request: HttpRequest, token: str | None, *, success: int = 200) -> Response:
    """Send a request with a token. Asserts that the status is that of the answer's code."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = await node.ask(request.method, request.path, request.body, headers=headers)
    body = answer.json if answer.body else {}
    code = body.get("code") if answer.status >= 400 else None
    assert answer.status == (success if code is None else STATUSES.get(code, answer.status)), answer
    own = {name.lower(): value for name, value in answer.headers.items()}
    compared = sorted((name, value) for name, value in own.items() if name not in ("date", "content-length"))
    return Response(f"{answer.status} {compared} {answer.body.decode()}", body, code)


async def over_socket(client: SocketClient, command: str, fields: Mapping[str, Any]) -> Response:
    """Send a command on a socket, and return its answer."""
    body = await client.call(command, fields)
    return Response(client.last_answer, body, None if body["ok"] else body["error"]["code"])


def expired_token(node: HttpNode, user: str) -> str:
    """Return an expired access token of an open session."""
    principal = JwtTokens(SECRET).read_access(node.tokens[user])
    assert principal is not None
    assert principal.session is not None
    session = Session(id=principal.session, user=user, device="a device", generation=1)
    return JwtTokens(SECRET, clock=lambda: time.time() - 1_000).issue_access(session)[0]


@frozen
class Asking:
    """A cell and a way to ask. ``ask`` sends the question about the room of a cell."""

    cast: Cast
    cell: Cell
    ask: Callable[[Cell], Awaitable[Response]]

    async def letter(self, question: Question) -> str:
        """Return the letter for the table, or a text if the letter is right but its side effects are not."""
        before = await self.cast.facts(self.cell)
        response = await self.ask(self.cell)
        unborn = await self.ask(evolve(self.cell, room=self.cell.unborn)) if self.cell.rank in UNKNOWING else None
        after = await self.cast.look_again(self.cell)
        if after == before:
            self.cast.give_back(self.cell)
        found = response.refusal or _letter(question, self.cell, response.body, before.head, after.head)
        if found != "+" and after != before:
            return f"{found}, but something has changed"
        if unborn and found in ("N", "F", "-") and not self._is_the_same(response, unborn, after):
            return f"{found}, but not as for an unborn room"
        return found

    def _is_the_same(self, response: Response, unborn: Response, after: Facts) -> bool:
        return unborn.text.replace(self.cell.unborn, self.cell.room) == response.text and after.unborn == 0


def _letter(question: Question, cell: Cell, body: Mapping[str, Any], before: int, after: int) -> str:
    if question.appends:
        if "seq" not in body:
            return "="
        return "+" if body["seq"] == after == before + 1 else f"seq {body['seq']} after {before}"
    match question.command:
        case "room.get":
            return _view(body)
        case "rooms.public":
            (room,) = body["rooms"] or [None]
            return "-" if room is None else _view(room)
        case "rooms":
            return "+" if cell.room in [room["room"] for room in body["rooms"]] else "-"
        case "sync":
            found = body["rooms"][cell.room if cell.room in body["rooms"] else cell.unborn]
            return "-" if found == {"status": "gone"} else "+"
        case _:
            return "+"


def _view(room: Mapping[str, Any]) -> str:
    match room:
        case {"me": {"state": "member", "unread": _}, "last": _, "markers": _}:
            return "+"
        case {"me": {"state": "invited", **me}} if me.keys() == {"role"} and not room.keys() & {"last", "markers"}:
            return "i"
        case _ if not room.keys() & {"me", "last", "markers"}:
            return "s"
        case _:
            return f"shows {sorted(room)}"
