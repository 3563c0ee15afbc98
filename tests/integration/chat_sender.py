"""A program that sends messages with the Python client: chat_sender URL USER PASSWORD PEER STORE PREFIX COUNT.

It prints each body after `send` has returned, and `done` when all messages of its store are answered.
"""

import asyncio
import sys

from chatcore_client import FileStore, connect, session


async def main(url: str, user: str, password: str, peer: str, store: str, prefix: str, count: str) -> None:
    async with connect(url, session(url, user, password), store=FileStore(store)) as client:
        room = client.room(with_=peer)
        async for status in client.status:
            if status.state == "online":
                break
        for number in range(int(count)):
            body = f"{prefix} {number}"
            room.send(body)
            print(body, flush=True)
            await asyncio.sleep(0)
        async for messages in room.messages:
            if all(message.state == "sent" for message in messages):
                break
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
