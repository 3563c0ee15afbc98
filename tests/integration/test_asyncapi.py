"""The parser of the AsyncAPI project finds no fault in the document, and finds one that is planted."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract_documents import asyncapi_document
from tests.integration.javascript import HERE, NODE, install_package

pytestmark = pytest.mark.anyio

PARSER = "@asyncapi/parser@3.6.6"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asyncapi")
    install_package(folder, PARSER)
    program = folder / "asyncapi.mjs"
    program.write_bytes((HERE / "asyncapi.mjs").read_bytes())
    return program


async def faults(program: Path, document: Any) -> str:
    file = program.with_name(f"{id(document)}.json")
    file.write_text(json.dumps(document), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(NODE, str(program), str(file), stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


async def test_document_follows_asyncapi(program: Path) -> None:
    broken = copy.deepcopy(asyncapi_document())
    del broken["components"]["schemas"]["Room"]
    found, planted = await asyncio.gather(faults(program, asyncapi_document()), faults(program, broken))
    assert found == ""
    assert "Room" in planted
