"""chatcore_client passes the public suite of transcripts."""

from collections.abc import Iterator

import pytest

from tests.transcripts.python_harness import PythonHarness
from tests.transcripts.referee import play
from tests.transcripts.run import transcripts
from tests.transcripts.story import Object


@pytest.fixture
def harness() -> Iterator[PythonHarness]:
    harness = PythonHarness()
    yield harness
    harness.close()


@pytest.mark.parametrize(
    "transcript", [pytest.param(transcript, id=f"{file}-{transcript['name']}") for file, transcript in transcripts()]
)
def test_python_client_passes_transcript(transcript: Object, harness: PythonHarness) -> None:
    play(transcript, harness)
