"""What every `Markers` has to do."""

import pytest

from ..domain.state import Marker
from ..ids import UserId
from ..ports.markers import Markers
from ..ports.room_log import RoomLog
from .builders import conversation, joined, message, opened, opens
from .logs import HOSTILE_NAMES, write


@pytest.mark.anyio
class MarkersContract:
    """Subclass it, with fixtures ``log`` and ``markers``: an open and empty log, and the markers beside it."""

    @pytest.fixture
    async def log(self) -> RoomLog:
        raise NotImplementedError

    @pytest.fixture
    async def markers(self) -> Markers:
        raise NotImplementedError

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_whoever_the_first_entry_names_starts_at_0(
        self, log: RoomLog, markers: Markers, user: UserId
    ) -> None:
        await write(log, [opened(user, user, opens=opens(user, "bob")), message(user, 2), message(user, 3)])
        assert await markers.markers(user, [user, "bob"]) == {user: Marker(0, 0), "bob": Marker(0, 0)}

    @pytest.mark.parametrize("user", ["carol", *HOSTILE_NAMES])
    async def test_whoever_joins_later_starts_at_the_entry_that_says_so(
        self, log: RoomLog, markers: Markers, user: UserId
    ) -> None:
        await write(log, [message(), message(seq=2), joined("room", 3, user), message(seq=4)])
        assert await markers.markers("room", [user]) == {user: Marker(3, 3)}

    async def test_messages_move_nobodys_marker_not_even_their_authors(self, log: RoomLog, markers: Markers) -> None:
        await write(log, [*conversation(count=9), joined("room", 10, "carol"), message(seq=11, author="carol")])
        expected = {"alice": Marker(0, 0), "bob": Marker(0, 0), "carol": Marker(10, 10)}
        assert await markers.markers("room", ["alice", "bob", "carol"]) == expected

    async def test_strangers_and_unborn_rooms_have_none(self, log: RoomLog, markers: Markers) -> None:
        await write(log, conversation())
        await write(log, [message("other", opens=opens("carol"))])
        assert await markers.markers("room", ["carol", "alice", *HOSTILE_NAMES]) == {"alice": Marker(0, 0)}
        assert await markers.markers("room", []) == {}
        for room in ("unborn", "", *HOSTILE_NAMES):
            assert await markers.markers(room, ["alice"]) == {}
