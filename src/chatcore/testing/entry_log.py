"""Tests of a store's log: of every `EntryLog`, and of the `RoomViews` of one room."""

import pytest

from ..ports.store import Store
from .log_append import AppendContract
from .log_following import CatchUpContract, ChangesContract
from .log_membership import MembershipContract
from .log_present import PresentContract, RedactionContract
from .log_reading import MembershipsContract, ReadOnContract, StateContract
from .log_windows import WindowContract


class EntryLogContract(
    AppendContract,
    ReadOnContract,
    WindowContract,
    PresentContract,
    RedactionContract,
    StateContract,
    MembershipsContract,
    MembershipContract,
    CatchUpContract,
    ChangesContract,
):
    """Subclass it, with a fixture ``log``: an open and empty log.

    The fixture may be an async function or generator. Every test runs on each backend of the fixture
    ``anyio_backend``; override it for an adapter that runs on asyncio only.
    """

    @pytest.fixture
    async def log(self) -> Store:
        raise NotImplementedError
