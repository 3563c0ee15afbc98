"""Distinguishes calls of a store from outside from the calls that its default views make to its log."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_inside: ContextVar[bool] = ContextVar("_inside", default=False)


def is_outer() -> bool:
    return not _inside.get()


async def carry_out(call: Callable[[], Awaitable[T]]) -> T:
    """Run a call. The calls that it makes are not outer calls."""
    token = _inside.set(True)
    try:
        return await call()
    finally:
        _inside.reset(token)
