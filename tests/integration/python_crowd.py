"""Many chat programs in one process, as `javascript/crowd.mjs`: python python_crowd.py EXAMPLES URL FIRST COUNT."""

import asyncio
import json
import sys
from functools import partial


async def main(url: str, first: int, count: int) -> None:
    from chat import Chat  # puts examples/ on the path

    loop = asyncio.get_running_loop()
    keyboards = {number: asyncio.Queue[str | None]() for number in range(first, count, 2)}

    def show(user: str, line: str) -> None:
        print(json.dumps([user, line]), flush=True)

    async def run(number: int) -> None:
        user = f"u{number}"
        chat = Chat(user, f"u{number ^ 1}", url=url, password="correct horse", show=partial(show, user))
        try:
            await chat.run(keyboards[number])
        except Exception as error:  # noqa: BLE001 - whatever ends a program, the test sees it
            show(user, f"ended: {error!r}")

    running = [asyncio.create_task(run(number)) for number in keyboards]
    input_ = asyncio.StreamReader()
    await loop.connect_read_pipe(partial(asyncio.StreamReaderProtocol, input_), sys.stdin)
    async for line in input_:
        user, typed = json.loads(line)
        keyboards[int(user[1:])].put_nowait(typed)
    for task in running:
        task.cancel()


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
