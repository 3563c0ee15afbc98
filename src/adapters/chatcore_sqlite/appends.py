"""Appends to many rooms, in one write transaction."""

import sqlite3
from collections.abc import Sequence

from chatcore.domain.entries import Deleted, Entry, Message
from chatcore.ports.entry_log import AppendResult

from . import driver_errors, statements, view_rebuild
from .log_writer import Append
from .rows import message_row


class Appends:
    """Batches of entries to append, each to one room.

    One statement writes the batches of all rooms that have only messages. If it refuses them, each half is tried by
    itself, so that a batch which cannot be written costs the others little. All other batches are written one by one.
    """

    def __init__(self, batches: Sequence[Sequence[Entry]]) -> None:
        self._batches = batches
        self._values = [_message_values(batch) for batch in batches]
        """Of each batch the values for `statements.WRITE_MESSAGES`; None if it must be appended by itself."""
        self.erases: bool = any(
            isinstance(entry.event, Deleted)
            for batch, values in zip(batches, self._values, strict=True)
            if values is None
            for entry in batch
        )

    def alone(self, connection: sqlite3.Connection) -> Sequence[AppendResult] | None:
        """Write all batches by one statement outside of a transaction, which makes it a transaction of its own.

        Between two statements another thread may take the interpreter's lock for milliseconds. Returns None if nothing
        was written and a transaction has to find out why, or if one statement is not enough. Raises `sqlite3.Error` if
        the outcome is unknown.
        """
        match self._together():
            case [numbers] if len(numbers) == len(self._batches) and self._write(connection, numbers):
                return [AppendResult(written=len(batch)) for batch in self._batches]
            case _:
                return None

    def __call__(self, connection: sqlite3.Connection) -> Sequence[AppendResult | Exception]:
        outcomes: list[AppendResult | Exception | None] = [None] * len(self._batches)
        for numbers in self._together():
            for number in self._written(connection, numbers):
                outcomes[number] = AppendResult(written=len(self._batches[number]))
        if None in outcomes:
            view_rebuild.check(connection)
        return [
            _outcome(connection, batch) if outcome is None else outcome
            for batch, outcome in zip(self._batches, outcomes, strict=True)
        ]

    def _together(self) -> Sequence[Sequence[int]]:
        """Return the numbers of the batches of messages, grouped by the statement that writes them."""
        groups: list[list[int]] = []
        left = 0
        for number, values in enumerate(self._values):
            if values is not None:
                if not groups or len(values) > left:
                    groups.append([])
                    left = statements.MESSAGES_MAX * statements.MESSAGE_COLUMNS
                groups[-1].append(number)
                left -= len(values)
        return groups

    def _written(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> Sequence[int]:
        """Write batches of messages. Return the numbers of those that could be written."""
        if self._write(connection, numbers):
            return numbers
        if len(numbers) == 1:
            return ()
        half = len(numbers) // 2
        return [*self._written(connection, numbers[:half]), *self._written(connection, numbers[half:])]

    def _write(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> bool:
        """Write batches of messages by one statement. Returns False if nothing was written."""
        values = [value for number in numbers for value in self._values[number] or ()]
        count = len(values) // statements.MESSAGE_COLUMNS
        size = next(size for size in statements.WRITE_MESSAGES if size >= count)
        values += [None] * ((size - count) * statements.MESSAGE_COLUMNS)
        in_transaction = connection.in_transaction
        try:
            connection.execute(statements.WRITE_MESSAGES[size], values)
        except Exception as error:  # noqa: BLE001  # raised again when the batch is appended by itself
            _raise_if_lost(connection, error, in_transaction=in_transaction)
            return False
        return True


def _message_values(batch: Sequence[Entry]) -> Sequence[object] | None:
    """Return the values for `statements.WRITE_MESSAGES`. None if the batch must be appended by itself."""
    if len(batch) > statements.MESSAGES_MAX or not all(map(_is_message, batch)):
        return None
    try:
        return [value for entry in batch for value in message_row(entry)]
    except Exception:  # noqa: BLE001  # raised again when the batch is appended by itself
        return None


def _is_message(entry: Entry) -> bool:
    return isinstance(entry.event, Message) and not entry.event.deleted and entry.opens is None


def _outcome(connection: sqlite3.Connection, batch: Sequence[Entry]) -> AppendResult | Exception:
    """Append a batch in a savepoint, so that its error does not affect the others."""
    outcome: AppendResult | Exception
    connection.execute("SAVEPOINT append")
    try:
        outcome = Append(batch)(connection)
    except Exception as error:  # noqa: BLE001  # returned to the caller
        _raise_if_lost(connection, error, in_transaction=True)
        connection.execute("ROLLBACK TO append")
        outcome = error
    connection.execute("RELEASE append")
    return outcome


def _raise_if_lost(connection: sqlite3.Connection, error: Exception, *, in_transaction: bool) -> None:
    """Raise an error that concerns the whole transaction, not one batch."""
    if driver_errors.is_temporary(error) or connection.in_transaction != in_transaction:
        raise error
