"""What a host is asked before a command is queued: its gate, and its rules for new rooms and private messages."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final, Literal, TypeAlias

import attrs
from attrs import frozen

from ..domain.decider import Rules
from ..errors import ChatError, Forbidden, Unavailable
from ..fault_log import reason
from ..ids import UserId, private_room_users
from ..live.event_loop import TimeLimit
from ..log_throttle import LogThrottle
from .command import Command, RoomCommand
from .messages import EditMessage, React, SendMessage
from .rooms import CreateRoom

GATE_S = 2
"""Seconds that a gate has, unless the host gives another number."""
RULE_S = 2
"""Seconds that a rule of the host has."""
UNCHECKED = "The command can't be checked now; repeat it with the same key."
REWRITABLE = frozenset({"body", "data", "title"})
"""The fields that a gate may change."""

Via: TypeAlias = Literal["socket", "http"]
log: Final = logging.getLogger(__name__)


@frozen
class Ask:
    """A client's command that is about to be queued.

    Attributes:
        user: the user who sends the command.
        command: a command that appends.
        via: the kind of transport.
    """

    user: UserId
    command: RoomCommand[Any]
    via: Via


Gate: TypeAlias = Callable[[Ask], Awaitable[Command[Any]]]
"""Returns the command of an `Ask`, or a copy with another ``body``, ``data`` or ``title``, or raises a `ChatError`."""


class HostChecks:
    """Asks a host about commands, within deadlines.

    Args:
        gate: asked about every command of a client that appends.
        gate_s: seconds that the gate has.
        gate_open: whether a command passes as it is if the gate fails; otherwise it fails with `Unavailable`.
        rules: ``may_create`` and ``may_write`` are asked about commands of clients and of the host.
    """

    def __init__(self, gate: Gate | None, gate_s: float, *, gate_open: bool, rules: Rules) -> None:
        self._gate = gate
        self._gate_limit = TimeLimit(gate_s)
        self._gate_s = gate_s
        self._gate_open = gate_open
        self._may_create = rules.may_create
        self._may_write = rules.may_write
        self._rule_limit = TimeLimit(RULE_S)
        self._throttle = LogThrottle()
        self.asks_rules: bool = rules.may_create is not None or rules.may_write is not None
        self.is_needed: bool = gate is not None or self.asks_rules
        """Whether there is anything to ask."""

    async def check(
        self, user: UserId, command: RoomCommand[Any], via: Via | None
    ) -> tuple[RoomCommand[Any], ChatError | None]:
        """Return the command to queue, and the host's refusal, if there is one.

        The returned command has the digest of ``command``: a retry with its key gets the first answer, whatever the
        gate says then.

        Args:
            via: None for a command of the host, about which the gate is not asked.
        """
        passed = command
        if self._gate is not None and via is not None:
            try:
                asked: Any = self._gate(Ask(user, command, via))
                if not isawaitable(asked):
                    raise TypeError("the gate is not async: write `async def gate(ask)`")
                answer: object = await self._gate_limit.run(asked)
            except ChatError as refusal:
                return command, refusal.with_traceback(None)
            except Exception as fault:  # noqa: BLE001  # whatever the host's code raises
                answer = fault
            if answer is not command:
                rewritten = _rewritten(command, answer)
                if rewritten is None:
                    self._log_gate_fault(answer)
                    if not self._gate_open:
                        return command, Unavailable(UNCHECKED)
                else:
                    passed = rewritten
        if self.asks_rules:
            return passed, await self._refusal_of_rules(user, command)
        return passed, None

    async def _refusal_of_rules(self, user: UserId, command: RoomCommand[Any]) -> ChatError | None:
        if self._may_create and isinstance(command, CreateRoom):
            return await self._refusal_of("may_create", self._may_create, user, command.kind)
        if self._may_write and isinstance(command, SendMessage | EditMessage | React):
            peer = _peer(user, command)
            return await self._refusal_of("may_write", self._may_write, user, peer) if peer is not None else None
        return None

    async def _refusal_of(
        self, name: str, rule: Callable[[UserId, Any], bool | Awaitable[bool]], user: UserId, about: str
    ) -> ChatError | None:
        try:
            answer = rule(user, about)
            allowed = await self._rule_limit.run(answer) if isawaitable(answer) else answer
        except ChatError as refusal:
            return refusal.with_traceback(None)
        except Exception as fault:  # noqa: BLE001
            self._log(f"rule failed: rule={name}", _described(fault, RULE_S), fault)
            return Unavailable(UNCHECKED)
        return None if allowed else Forbidden("You are not allowed to do this.")

    def _log_gate_fault(self, answer: object) -> None:
        event = f"gate failed: passed={self._gate_open}"
        if isinstance(answer, Exception):
            self._log(event, _described(answer, self._gate_s), answer)
        else:
            self._log(
                event, f"{type(answer).__name__} is not the command, or differs in more than body, data and title"
            )

    def _log(self, event: str, fault: str, error: Exception | None = None) -> None:
        if self._throttle.admits((event, fault)):
            what = fault if error is None else f"{fault}: {reason(error)}"
            log.error("%s reason=%s", event, what, exc_info=error)


def _peer(user: UserId, command: SendMessage | EditMessage | React) -> UserId | None:
    """Return the other user of the private room to which the command writes, or None."""
    if isinstance(command, SendMessage) and command.to is not None:
        return command.to if command.to != user else None
    users = private_room_users(command.room or "")
    if users is None or user not in users:
        return None
    peer = users[1] if users[0] == user else users[0]
    return peer if peer != user else None


def _rewritten(command: RoomCommand[Any], answer: object) -> RoomCommand[Any] | None:
    """Return the command as the gate rewrote it, or None if the gate's answer is none that it may give."""
    if type(answer) is not type(command) or not isinstance(answer, RoomCommand):
        return None
    for attribute in attrs.fields(type(command)):
        name = attribute.name
        if name not in REWRITABLE and getattr(answer, name) != getattr(command, name):
            return None
    return answer.with_digest_of(command)


def _described(fault: Exception, seconds: float) -> str:
    return f"no answer within {seconds:g} s" if isinstance(fault, TimeoutError) else type(fault).__name__
