"""Two questions at the same time, neither of which is left behind when the other fails."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["ask_both"]

A = TypeVar("A")
B = TypeVar("B")


async def ask_both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return both answers; raises what the first raised, else what the second did, once both have ended."""
    one, two = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(two, BaseException):
        raise two
    return one, two
