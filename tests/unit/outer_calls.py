"""Calls of a store from outside, as opposed to those that its default views make of its log."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_inside: ContextVar[bool] = ContextVar("_inside", default=False)


def is_outer() -> bool:
    return not _inside.get()


async def carry_out(call: Callable[[], Awaitable[T]]) -> T:
    """Carry out a call; what it calls is not outer."""
    token = _inside.set(True)
    try:
        return await call()
    finally:
        _inside.reset(token)
