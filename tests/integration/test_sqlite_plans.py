"""No statement that serves a request reads a whole table."""

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

BOUNDED = {
    "EPOCH": {"SCAN store"},  # a table of one row
    "NEWEST_CHANGE": {"SCAN entries"},  # from its end, and one row of it
    "UNREAD": {"SCAN (subquery-1)"},  # of a hundred rows at most
}


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 25


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(STATEMENTS))
async def test_a_statement_finds_its_rows_by_an_index(name: str, tmp_path: Path) -> None:
    sql = STATEMENTS[name]
    async with SqliteStore(tmp_path) as store:
        await write(store, [*conversation(count=10), joined("room", 11, "carol")])
        plan = await store.database.read(
            lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).fetchall()
        )
    steps = [step for *_, step in plan]
    scans = {step for step in steps if step.startswith("SCAN")}
    assert scans <= BOUNDED.get(name, set()), steps
