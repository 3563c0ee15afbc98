"""A worker that sends notices: one for each line `USER TEXT` of its input, in the order of the lines.

    pip install '.[mongo]'     # in a clone of chatcore
    echo "alice Your parcel has arrived." | python notices.py mongodb://localhost/chat

A notice's key is made from its line. So the worker may be killed and started again with the same input, and sends no
notice twice. While the database is away, the worker waits.
"""

import asyncio
import hashlib
import sys

import anyio

from chatcore import Chat, ChatError, SendMessage
from chatcore_mongo import MongoStore

SENDER = "notices"


async def send(chat: Chat, line: str) -> None:
    user, _, text = line.partition(" ")
    message = SendMessage(to=user, body=text, key=hashlib.sha256(line.encode()).hexdigest())
    while True:
        try:
            sent = await chat.execute(SENDER, message, trusted=True)
        except ChatError as error:
            if not error.temporary:
                raise
            await anyio.sleep(1)
        else:
            print(f"{user} {sent.seq} {'repeated' if sent.duplicate else 'sent'}", flush=True)
            return


async def main(url: str) -> None:
    async with Chat(MongoStore(url)) as chat:
        async for line in anyio.wrap_file(sys.stdin):
            try:
                await send(chat, line.rstrip("\n"))
            except ChatError as error:
                print(f"not sent: {line.rstrip()}: {error.message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
