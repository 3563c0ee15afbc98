"""Idempotency keys: the outcome of a command whose key its room already has."""

from typing import TypeAlias

from attrs import frozen

from ..errors import ChatError, KeyReused
from ..ids import Seq
from .decider import AppendCommand
from .entries import Entry


@frozen
class CommandDone:
    """A command that was carried out.

    Attributes:
        entry: the command's entry; None where the command changed nothing.
        duplicate: whether an earlier attempt wrote the entry.
    """

    entry: Entry | None
    duplicate: bool = False


Outcome: TypeAlias = CommandDone | ChatError


def outcome_of_used_key(command: AppendCommand, entry: Entry, unsure_above: Seq | None) -> Outcome:
    """Return the outcome of a command whose author and key ``entry`` already has.

    It is a duplicate if the content is the same, else `KeyReused`. A redacted entry has no digest and matches any
    content.

    Args:
        unsure_above: an entry above this seq comes from this very command, whose append had an unknown outcome; None
            if no append of the command had one.
    """
    if entry.digest is not None and entry.digest != command.digest:
        return KeyReused()
    own = unsure_above is not None and entry.seq > unsure_above
    return CommandDone(entry, duplicate=not own)
