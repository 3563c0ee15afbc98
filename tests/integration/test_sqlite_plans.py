"""No statement of a request reads a whole table."""

import re
from pathlib import Path

import pytest

from chatcore.testing.builders import conversation, joined
from chatcore.testing.logs import write
from chatcore_sqlite import SqliteStore, statements

STATEMENTS = {
    name: sql
    for name, sql in vars(statements).items()
    if isinstance(sql, str) and sql.strip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))
}
STATEMENTS["WRITE_MESSAGES"] = statements.WRITE_MESSAGES[4]

_TRIGGER = statements.MESSAGE_WRITER.split(" BEGIN\n")[1].split("END;")[0]
STATEMENTS.update(
    {
        f"MESSAGE_WRITER_{number}": re.sub(r"RAISE\(.*\)", "NULL", re.sub(r"NEW\.\w+", "?", sql))
        for number, sql in enumerate(_TRIGGER.split(";")[:-1])
    }
)
"""Each statement of the trigger, as a statement of its own."""

ONE_ROW = {"SCAN store"}

BOUNDED = {
    "EPOCH": ONE_ROW,
    "REWRITE_EPOCH": ONE_ROW,
    "VIEWS": ONE_ROW,
    "VIEWS_FOLDED": ONE_ROW,
    "SET_VIEWS": ONE_ROW,
    "NEWEST_CHANGE": {"SCAN entries"},  # one row, from the end of the table
    "PAGE": {"SCAN listed", "SCAN (subquery-2)"},  # the rooms of the page, and a bounded number of messages
    "PUBLIC_ROOMS": {"SCAN listed", "SCAN looked_at", "SCAN (subquery-2)"},  # bounded numbers of rooms and messages
    "VIEWS_OF": {"SCAN (subquery-2)", "SCAN json_each VIRTUAL TABLE INDEX 1:"},  # the same, and the given rooms
    "UNREAD_ROOMS": {"SCAN (subquery-2)"},  # a bounded number of messages
    "LAST_ROOM_OF": {"SCAN (subquery-1)"},  # as many rows as a step of a rebuild has
    "COUNT_REACTION": {"SCAN (subquery-1)"},  # one row for each named user
    "WRITE_MESSAGES": {"SCAN (subquery-4)", "SCAN 4 CONSTANT ROWS"},  # the values
    "MESSAGE_WRITER_0": ONE_ROW,
    "MESSAGE_WRITER_1": {"SCAN CONSTANT ROW"},
    "MESSAGE_WRITER_3": {"SCAN CONSTANT ROW", "SCAN (subquery-1)"},  # the last run
}


def test_statements_are_found() -> None:
    assert len(STATEMENTS) > 25


INDEXES = {
    "MESSAGES_ABOVE": "entries_of_messages",
    "MESSAGES_BELOW": "entries_of_messages",
    "EDITS_OF": "entries_of_edits",
    "COUNT_REACTION": "reactors_in_order",
    "PUBLIC_ROOMS": "COVERING INDEX rooms_by_title ((form,room)>(?,?) AND form<?)",
    "LAST_LOOKED_AT": "COVERING INDEX rooms_by_title ((form,room)>(?,?) AND form<?)",
    "UNREAD_FROM": "PRIMARY KEY (room=? AND (run,seq)>(?,?))",
    "RUN_AT": "PRIMARY KEY (room=? AND run<?)",
}
"""Statements that could also use another index, with growing work."""


async def plan_of(name: str, folder: Path) -> list[str]:
    sql = STATEMENTS[name]
    values = dict.fromkeys(re.findall(r":(\w+)", sql)) or (None,) * sql.count("?")
    async with SqliteStore(folder) as store:
        await write(store, [*conversation(count=10), joined("room", 11, "carol")])
        plan = await store.database.write(
            lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        )
    return [step for *_, step in plan]


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(STATEMENTS))
async def test_statement_finds_its_rows_by_index(name: str, tmp_path: Path) -> None:
    steps = await plan_of(name, tmp_path)
    scans = {step for step in steps if step.startswith("SCAN")}
    assert scans <= BOUNDED.get(name, set()), steps


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(INDEXES))
async def test_statement_uses_its_intended_index(name: str, tmp_path: Path) -> None:
    steps = await plan_of(name, tmp_path)
    assert any(INDEXES[name] in step for step in steps), steps
