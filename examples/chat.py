"""Chat in a terminal: python chat.py alice bob [http://localhost:3001]

Each line typed is sent to bob; each message that alice may read is shown as `seq author: body`. CHAT_PASSWORD is the
password of alice. No message is lost, repeated or shown out of order, whatever the network or the server does.
"""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the program at once, also during the imports

import asyncio
import os
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

ANSWER_S = 5
READY_S = 10  # as long as the server gives a handshake
TEMPORARY = {429, *range(500, 600)}  # HTTP status
MESSAGE_TOO_BIG = 1009  # RFC 6455, section 7.4.1

Lines: TypeAlias = "asyncio.Queue[str | None]"


class Refused(Exception):
    """The server's refusal is final."""


class Chat:
    def __init__(self, user: str, peer: str, *, url: str, password: str, show: Callable[[str], object]) -> None:
        self.user, self.peer, self.url, self.password, self.show = user, peer, url, password, show
        self.session: Any = None  # the answer that has its tokens
        self.good_until = 0.0  # the time until which the access token is used
        self.has_account: bool | None = None  # unknown until a password was accepted or refused
        self.client: Any = None  # the client of the present connection
        self.online = False
        self.seen: dict[str, int] = {}  # the cursor of each room: every entry up to this seq was shown
        self.epoch = ""
        self.unanswered: Any = None  # the message that is being sent

    async def run(self, lines: Lines) -> None:
        """Chat until `lines` returns None and every message is answered. Raises `Refused`."""
        wait = 1.0
        while True:
            token = await self.sign_in()
            try:
                return await self.connection(token, lines)
            except (OSError, SocketIOError):
                wait = 1.0 if self.online else min(wait * 2, 5)
            if self.online:
                self.show(f"{self.user} is offline")
                self.online = False
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))

    async def post(self, path: str, body: dict[str, str]) -> Any:
        url = f"{self.url}/api/v1{path}"
        timeout = aiohttp.ClientTimeout(30 if "password" in body else 10)  # the hash of a password may have to wait
        try:
            async with aiohttp.request("POST", url, json=body, timeout=timeout) as answer:
                result = {"status": answer.status, "retry_after": int(answer.headers.get("Retry-After", 0))}
                return await answer.json(content_type=None) | result | {"temporary": answer.status in TEMPORARY}
        except (aiohttp.ClientError, OSError, ValueError):
            return {"temporary": True, "detail": "no answer", "retry_after": 0}

    async def sign_in(self) -> str:
        """Return an access token: reuse it, else refresh it, else sign in, which costs the server a slow hash.

        A temporary refusal is repeated after Retry-After and up to as long again, so that clients spread.
        """
        wait = 1
        while time.monotonic() > self.good_until:
            path = "/sessions/refresh" if self.session else "/accounts" if self.has_account is False else "/sessions"
            account = {"user": self.user, "password": self.password}
            answer = await self.post(
                path, {"refresh_token": self.session["refresh_token"]} if self.session else account
            )
            match path, answer:
                case _, {"access_token": _, "expires_in": seconds}:
                    self.session, self.good_until = answer, time.monotonic() + seconds * 0.9
                case _, {"temporary": True}:
                    self.show(f"sign-in failed, trying again: {answer['detail']}")
                    await asyncio.sleep((answer["retry_after"] or wait) * random.uniform(1, 2))
                    wait = min(wait * 2, 30)
                case "/sessions/refresh", _:
                    self.session = None
                case "/accounts", {"status": 201 | 409}:
                    self.has_account = True
                case "/sessions", {"status": 401} if self.has_account is None:
                    self.has_account = False
                case _:
                    raise Refused(answer.get("detail", f"{self.url} answers {answer['status']}"))
        return str(self.session["access_token"])

    async def connection(self, token: str, lines: Lines) -> None:
        """Chat over one connection until `lines` ends. Raises `OSError` or `SocketIOError` if it ends first.

        The client's own reconnection is off, because a cut handshake ends its task silently.
        """
        arrived: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        async with aiohttp.ClientSession() as http:
            self.client = socketio.AsyncClient(  # type: ignore[no-untyped-call]
                reconnection=False, handle_sigint=False, http_session=http
            )
            self.client.on("*", lambda event, body: arrived.put_nowait((event, body)))
            self.client.on("connect_error", self.connect_error)
            try:
                async with asyncio.timeout(READY_S):
                    await self.client.connect(self.url, auth={"token": token}, wait_timeout=READY_S)
            except Exception as error:  # if a handshake is cut, python-socketio raises any exception
                raise ConnectionError from error
            sending, taking = asyncio.create_task(self.send_all(lines)), asyncio.create_task(self.take_all(arrived))
            try:
                ended = asyncio.shield(self.client.wait())
                done, _ = await asyncio.wait({sending, taking, ended}, return_when=asyncio.FIRST_COMPLETED)
                if self.unanswered and self.client.eio.ws.close_code == MESSAGE_TOO_BIG:
                    self.not_sent("It is too large.")  # sent again, it would end the next connection too
                for task in done:
                    task.result()
                if sending not in done:
                    raise ConnectionError
            finally:
                sending.cancel()
                taking.cancel()
                await asyncio.gather(sending, taking, return_exceptions=True)

    def connect_error(self, error: Any) -> None:
        if isinstance(error, dict) and error["data"]["code"] == "unauthenticated":
            self.good_until = 0

    async def take_all(self, arrived: "asyncio.Queue[tuple[str, Any]]") -> None:
        """Take events one by one, in order: while a `sync` or a page is awaited, later entries wait."""
        while True:
            match await arrived.get():
                case "ready", page:
                    if page["epoch"] != self.epoch:
                        self.seen, self.epoch = (
                            {},
                            page["epoch"],
                        )  # another database has other messages at the same seqs
                    await self.resume(page["rooms"])
                    while after := page.get("next"):
                        page = await self.ask("rooms", {"after": after})
                        await self.resume(page["rooms"])
                    self.online = True
                    self.show(f"{self.user} is online")
                case "entry", entry:
                    await self.take(entry)
                case "room.gone", gone:
                    self.seen.pop(gone["room"], None)
                case "bye", {"resumable": False, "code": code}:
                    raise Refused(f"the server closed this session: {code}")
                case _:
                    pass

    async def resume(self, rooms: Any) -> None:
        cursors: dict[str, Any] = {room["room"]: {"seq": 0} for room in rooms}
        cursors |= {room: {"seq": seq, "epoch": self.epoch} for room, seq in self.seen.items() if room in cursors}
        for room, synced in (await self.ask("sync", {"cursors": cursors}))["rooms"].items():
            if synced["status"] in ("reset", "gone"):
                self.seen.pop(room, None)
            for entry in synced.get("entries", []):
                await self.take(entry)
            if synced["status"] in ("reset", "gap"):
                await self.page(room)

    async def take(self, entry: Any) -> None:
        room, seq, last = entry["room"], entry["seq"], self.seen.get(entry["room"], 0)
        if seq > last + 1:  # entries between are missing
            await self.page(room)
        elif seq == last + 1:  # a lower seq was shown before
            self.seen[room] = seq
            if entry["kind"] == "message":
                self.show(f"{seq} {entry['author']}: {entry.get('body', '(deleted)')}")

    async def page(self, room: str) -> None:
        more = True
        while more:
            anchor = self.seen.get(room, "oldest")
            answer = await self.ask("history", {"room": room, "anchor": anchor, "after": 200})
            if not answer["ok"]:  # not a member any more
                self.seen.pop(room, None)
                return
            for entry in answer["entries"]:
                await self.take(entry)
            more = answer["has_after"]

    async def ask(self, event: str, body: object) -> Any:
        """Return the first answer that is not temporary. Raises `SocketIOError` if there is no answer in time."""
        while True:
            answer = await self.client.call(event, body, timeout=ANSWER_S)
            if answer["ok"] or not answer["error"]["temporary"]:
                return answer
            await asyncio.sleep(answer["error"].get("retry_after_ms", 1000) / 1000)

    async def send_all(self, lines: Lines) -> None:
        """Send each message until it is answered, always with its key, so that the server stores it once."""
        while True:
            if self.unanswered is None:
                if (line := await lines.get()) is None:
                    return
                self.unanswered = {"to": self.peer, "body": line, "key": secrets.token_hex(8)}
            answer = await self.ask("message.send", self.unanswered)
            if not answer["ok"]:
                self.not_sent(answer["error"]["message"])
            self.unanswered = None

    def not_sent(self, why: str) -> None:
        if self.unanswered:
            self.show(f"not sent: {self.unanswered['body'][:60]} ({why})")
            self.unanswered = None


def read(lines: Lines, loop: asyncio.AbstractEventLoop) -> None:
    with open(0, encoding="utf-8", closefd=False) as typed:  # sys.stdin would be locked at the end of the program
        for line in typed:
            if line != "\n":
                loop.call_soon_threadsafe(lines.put_nowait, line.removesuffix("\n"))
    loop.call_soon_threadsafe(lines.put_nowait, None)
    time.sleep(10)
    print("not sent: the server does not answer", file=sys.stderr)
    os._exit(1)


async def main(user: str, peer: str, url: str = "http://localhost:3001") -> None:
    lines: Lines = asyncio.Queue()
    threading.Thread(target=read, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    password = os.environ.get("CHAT_PASSWORD", "correct horse")
    try:
        await Chat(user, peer, url=url.rstrip("/"), password=password, show=partial(print, flush=True)).run(lines)
    except Refused as refused:
        sys.exit(f"{user}: {refused}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        print("usage: python chat.py USER PEER [URL]", file=sys.stderr)
        sys.exit(2)
    asyncio.run(main(*sys.argv[1:]))
