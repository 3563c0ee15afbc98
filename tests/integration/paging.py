"""Pages through the history of a room over any transport: in both directions each seq comes exactly once."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[str, Object], Awaitable[Object]]
"""Sends a command with its object, and returns the answer without ``ok``."""

PAGE_MAX = 200


async def page(read: Read, where: Object, **fields: Any) -> Object:
    """Return a page of ``where`` (`room` or `with`), after checks that hold for every page."""
    answer = await read("history", {**where, **fields})
    seqs = _seqs(answer)
    assert all(later == earlier + 1 for earlier, later in pairwise(seqs)), seqs
    if seqs:
        assert answer["has_before"] == (seqs[0] > 1)
        assert answer["has_after"] == (seqs[-1] < answer["head"])
    return answer


async def walk_back(read: Read, where: Object, anchor: str | int, size: int) -> list[int]:
    """Return all seqs from ``anchor`` down to 1 in ascending order, with the anchor itself if it is a seq."""
    answer = await page(read, where, anchor=anchor, before=size)
    seqs = _seqs(answer)
    while answer["has_before"]:
        answer = await page(read, where, anchor=seqs[0], before=size)
        older = _seqs(answer)
        assert older[-1] == seqs[0]  # the page includes the anchor, which is not counted
        assert len(older) - 1 == min(size, seqs[0] - 1)
        seqs = older[:-1] + seqs
    return seqs


async def walk_on(read: Read, where: Object, anchor: str | int, size: int) -> list[int]:
    """Return all seqs from ``anchor`` up to head in ascending order, with the anchor itself if it is a seq."""
    answer = await page(read, where, anchor=anchor, after=size)
    seqs = _seqs(answer)
    while answer["has_after"]:
        answer = await page(read, where, anchor=seqs[-1], after=size)
        newer = _seqs(answer)
        assert newer[0] == seqs[-1]
        assert len(newer) - 1 == min(size, answer["head"] - seqs[-1])
        seqs = seqs + newer[1:]
    return seqs


async def walk_everywhere(read: Read, where: Object, head: int, first_unread: int) -> None:
    """Page in both directions from every kind of anchor, in several sizes. ``first_unread`` is a seq of the room."""
    everything = list(range(1, head + 1))
    for size in (1 if head <= 50 else 7, 50, 99, PAGE_MAX):
        assert await walk_back(read, where, "newest", size) == everything
        assert await walk_on(read, where, "oldest", size) == everything
        assert await walk_on(read, where, "newest", size) == []
        assert await walk_back(read, where, "oldest", size) == []
        for anchor, seq in _seq_anchors(head, first_unread):
            assert await walk_back(read, where, anchor, size) == everything[:seq]
            assert await walk_on(read, where, anchor, size) == everything[seq - 1 :]


async def look_at_nothing(read: Read, where: Object) -> None:
    """Check the pages of an unborn room."""
    for anchor in ("newest", "oldest", "first_unread", 1, 7):
        for fields in ({}, {"before": 200}, {"after": 200}, {"before": 0}):
            answer = await page(read, where, anchor=anchor, **fields)
            assert (answer["head"], answer["entries"], answer["has_before"], answer["has_after"]) == (
                0,
                [],
                False,
                False,
            )


async def look_at_sizes(read: Read, where: Object, head: int, first_unread: int) -> None:
    """Check the default and the maximum size of a page, in a room with enough entries."""
    for fields, expected in {
        (): _around(head + 1, 50, 0, head),
        (("anchor", "newest"),): _around(head + 1, 50, 0, head),
        (("anchor", "oldest"),): _around(0, 0, 50, head),
        (("anchor", "first_unread"),): _around(first_unread, 25, 25, head),
        (("anchor", head // 2),): _around(head // 2, 25, 25, head),
        (("anchor", head // 2), ("before", 3)): _around(head // 2, 3, 0, head),
        (("anchor", head // 2), ("after", 3)): _around(head // 2, 0, 3, head),
        (("anchor", head // 2), ("before", 0)): [head // 2],
        (("anchor", head // 2), ("before", 100), ("after", 100)): _around(head // 2, 100, 100, head),
        (("anchor", head + 1), ("before", 2)): [head - 1, head],
        (("anchor", 1),): _around(1, 25, 25, head),
        (("anchor", head),): _around(head, 25, 25, head),
        (("before", 0),): [],
        (("before", PAGE_MAX),): _around(head + 1, PAGE_MAX, 0, head),
    }.items():
        assert _seqs(await page(read, where, **dict(fields))) == expected, fields


TOO_MANY: Sequence[Mapping[str, int]] = (
    {"before": 201},
    {"after": 201},
    {"before": 101, "after": 100},
    {"before": 200, "after": 1},
)
"""Sizes above the maximum, which are `invalid`."""


def _seqs(answer: Object) -> list[int]:
    return [entry["seq"] for entry in answer["entries"]]


def _seq_anchors(head: int, first_unread: int) -> Iterator[tuple[str | int, int]]:
    yield "first_unread", first_unread
    for seq in sorted({1, 2, head // 2, head - 1, head} & set(range(1, head + 1))):
        yield seq, seq


def _around(place: int, before: int, after: int, head: int) -> list[int]:
    return [seq for seq in range(place - before, place + after + 1) if 1 <= seq <= head]
