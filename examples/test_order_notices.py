"""A host's unit test: its code runs against a real Chat in memory, and recorders stand for the clients."""

import pytest

from chatcore import Chat, SendMessage
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore


async def ship(chat: Chat, order: str, customer: str) -> str:
    """The host's code under test. It returns the room of the notice."""
    message = SendMessage(to=customer, body=f"Order {order} is on its way.", key=f"shipped {order}")
    return (await chat.execute("shop", message, trusted=True)).room


@pytest.mark.anyio
async def test_shipment_is_shown_once_on_every_device_of_the_customer() -> None:
    phone, laptop = Recorder(), Recorder()
    async with Chat(MemoryStore()) as chat, chat.connect(phone, user="alice"), chat.connect(laptop, user="alice"):
        room = await ship(chat, "A-17", "alice")
        assert await ship(chat, "A-17", "alice") == room
        assert phone.bodies(room) == laptop.bodies(room) == ["Order A-17 is on its way."]
