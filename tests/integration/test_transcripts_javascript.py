"""chatcore-client passes the public suite of transcripts: one process plays all of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transcripts.referee import Harness, play
from tests.transcripts.run import FOLDER, harness_of, transcripts
from tests.transcripts.story import Object

from .javascript import NODE

CLIENT = Path(__file__).parents[2] / "src/entrypoints/chatcore_web/chatcore-client"


@pytest.fixture(scope="module")
def harness(node_modules: Path) -> Iterator[Harness]:
    client = shutil.copytree(CLIENT, node_modules / "chatcore-client", dirs_exist_ok=True)
    with harness_of([NODE, str(FOLDER / "harness.mjs"), str(client)]) as harness:
        yield harness


@pytest.mark.parametrize(
    "transcript", [pytest.param(transcript, id=f"{file}-{transcript['name']}") for file, transcript in transcripts()]
)
def test_javascript_client_passes_transcript(transcript: Object, harness: Harness) -> None:
    play(transcript, harness)
