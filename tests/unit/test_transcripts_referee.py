"""The referee of the transcripts notices clients that do less, more, or something else than they must."""

from collections.abc import Callable, Iterator

import pytest

from tests.transcripts.matching import Difference
from tests.transcripts.python_harness import PythonHarness
from tests.transcripts.referee import play
from tests.transcripts.run import transcripts
from tests.transcripts.story import Object

ALL = {transcript["name"]: transcript for _, transcript in transcripts()}
SENDING = ALL["messages_of_a_room_go_out_one_by_one"]
OPENING = ALL["opening_loads_the_newest_fifty"]


@pytest.fixture
def harness() -> Iterator[PythonHarness]:
    harness = PythonHarness()
    yield harness
    harness.close()


def altered(harness: PythonHarness, alter: Callable[[list[Object]], list[Object]]) -> Callable[[Object], Object]:
    """Return the harness of the Python client, with another account of what it did."""

    def ask(line: Object) -> Object:
        answer = harness(line)
        return {"did": alter(answer["did"])} if "did" in answer else answer

    return ask


def with_data(alter: Callable[[Object], Object]) -> Callable[[list[Object]], list[Object]]:
    """Return an alteration of the objects of commands."""

    def alter_all(did: list[Object]) -> list[Object]:
        return [
            {**each, "out": {**each["out"], "data": alter(each["out"]["data"])}} if "out" in each else each
            for each in did
        ]

    return alter_all


def test_client_as_it_is_passes(harness: PythonHarness) -> None:
    play(SENDING, altered(harness, lambda did: did))
    play(OPENING, altered(harness, lambda did: did))


@pytest.mark.parametrize("transcript", ALL.values(), ids=ALL)
def test_client_that_does_nothing_fails_every_transcript(transcript: Object) -> None:
    def idle(line: Object) -> Object:
        return {"shown": dict.fromkeys(line["show"])} if "show" in line else {"did": []}

    with pytest.raises(Difference):
        play(transcript, idle)


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(lambda did: did * 2, id="everything twice"),
        pytest.param(lambda did: [*did, {"close": True}], id="closes besides"),
        pytest.param(lambda did: [each for each in did if "out" not in each], id="sends nothing"),
        pytest.param(with_data(lambda data: {**data, "to": "bob"}), id="a further field"),
        pytest.param(with_data(lambda data: {**data, "body": "other"}), id="another value"),
        pytest.param(with_data(lambda data: {**data, "key": "short"}), id="a short key"),
        pytest.param(with_data(lambda data: {**data, "key": "the same key always"}), id="one key for all"),
        pytest.param(
            with_data(lambda data: {name: data[name] for name in data if name != "key"}), id="a missing field"
        ),
    ],
)
def test_other_messages_are_noticed(alter: Callable[[list[Object]], list[Object]], harness: PythonHarness) -> None:
    with pytest.raises(Difference, match="messages_of_a_room_go_out_one_by_one"):
        play(SENDING, altered(harness, alter))


@pytest.mark.parametrize(
    "data",
    [
        {"room": "pvt-alice-bob", "anchor": 80, "before": 48},
        {"room": "pvt-alice-bob", "anchor": 80, "before": 50},
        {"room": "pvt-alice-bob", "anchor": 79, "before": 48},
        {"room": "pvt-alice-bob", "anchor": "oldest", "after": 50},
        {"room": "pvt-alice-carol", "anchor": 80, "before": 49},
        {"room": "pvt-alice-bob", "anchor": 80, "before": 49, "messages_only": True},
    ],
    ids=str,
)
def test_other_range_of_history_is_noticed(data: Object, harness: PythonHarness) -> None:
    with pytest.raises(Difference, match="history"):
        play(OPENING, altered(harness, with_data(lambda _: data)))


@pytest.mark.parametrize(
    "data",
    [
        {"room": "pvt-alice-bob"},
        {"room": "pvt-alice-bob", "anchor": "newest", "before": 50},
        {"with": "bob", "anchor": 80, "before": 49},
        {"room": "pvt-alice-bob", "anchor": 31, "after": 49},
        {"room": "pvt-alice-bob", "anchor": 56, "before": 25, "after": 24},
    ],
    ids=str,
)
def test_every_way_to_ask_for_the_same_history_passes(data: Object, harness: PythonHarness) -> None:
    play(OPENING, altered(harness, with_data(lambda _: data)))
