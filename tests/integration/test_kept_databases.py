"""A server on a database of an earlier version."""

import json
from pathlib import Path

import pytest

from .kept_databases import ANSWERS, DATA, MONGODB, SQLITE, SQLITE_FILE, load_mongodb, load_sqlite, served

pytestmark = pytest.mark.anyio

VERSIONS = sorted(folder.name for folder in DATA.iterdir())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest) -> Path:
    return DATA / str(request.param)


async def test_sqlite_database_of_earlier_version_gives_same_answers(kept: Path, tmp_path: Path) -> None:
    load_sqlite(tmp_path / SQLITE_FILE, (kept / SQLITE).read_text())
    await check_answers((kept / ANSWERS.format("sqlite")).read_text(), tmp_path, "sqlite")


async def test_mongodb_database_of_earlier_version_gives_same_answers(
    kept: Path, tmp_path: Path, mongo_url: str
) -> None:
    load_mongodb(mongo_url, (kept / MONGODB).read_text())
    await check_answers((kept / ANSWERS.format("mongodb")).read_text(), tmp_path, mongo_url)


async def check_answers(answers: str, folder: Path, store: str) -> None:
    async with served(folder, store) as server:
        await server.sign_in()
        for line in answers.splitlines():
            kept = json.loads(line)
            assert await server.ask(kept["question"]) == kept["answer"], kept["question"]
