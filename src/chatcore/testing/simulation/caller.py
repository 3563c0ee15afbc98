"""Somebody who commands without a socket, as HTTP requests and hosts do: through `Chat.execute`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from ...errors import ChatError, Internal
from ...ids import UserId
from ...protocol import Object, answer_object, error_object, read_command
from .attempts import Attempt, Attempts
from .faults import Injected
from .world import World

if TYPE_CHECKING:
    from .cluster import Cluster, Node

PATIENCE_S = (0.05, 1)


class Caller:
    """One command, tried again with its key, at any node, until it has an answer that is not temporary."""

    def __init__(
        self,
        world: World,
        cluster: "Cluster",
        user: UserId,
        event: str,
        data: Object,
        then: Callable[[Object], None] | None = None,
    ) -> None:
        self.ended = anyio.Event()
        """Set once no further attempt is made."""
        self._then = then
        self._world = world
        self._cluster = cluster
        self._user = user
        self._event = event
        self._data = data

    def __repr__(self) -> str:
        return f"{self._user}: {self._event} {self._data}"

    def try_at(self, node: "Node | None") -> None:
        """Try once more, at this node."""
        if node is None:
            self._later()
            return
        attempt = self._cluster.attempts.begin(self._user, self._event, self._data, node.owner, over_socket=False)
        task = node.owner.start(self._call(node, attempt))
        task.add_done_callback(lambda _: self._ended(attempt))
        if self._world.faults.happens("caller: cancelled"):
            self._world.later(self._world.random.choice((0, self._world.delay(), 1)), task.cancel)

    async def _call(self, node: "Node", attempt: Attempt) -> None:
        attempts: Attempts = self._cluster.attempts
        try:
            command = read_command(self._event, self._data)
            executing = node.chat.execute(self._user, command)
            answer = await self._world.cancellation.of(f"execute: {self._event}", executing)
        except ChatError as error:
            attempts.end(attempt, {"ok": False, "error": error_object(error)})
        except Injected:
            attempts.end(attempt, {"ok": False, "error": error_object(Internal())})  # as a transport answers
        else:
            attempts.end(attempt, {"ok": True, **answer_object(answer)})

    def _ended(self, attempt: Attempt) -> None:
        answer = attempt.answer
        if answer is None or (not answer["ok"] and answer["error"]["temporary"]):
            if attempt.key is None:
                self._world.excuse("a caller gives a command without a key up")
                self.ended.set()
            else:
                self._later()
            return
        self.ended.set()
        if answer["ok"] and self._then:
            self._then(answer)

    def _later(self) -> None:
        self._world.later(self._world.random.uniform(*PATIENCE_S), self._again)

    def _again(self) -> None:
        self.try_at(self._cluster.any())
