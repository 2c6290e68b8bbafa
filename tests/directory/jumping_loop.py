"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
from typing import Any

from typing_extensions import override


class _JumpingSelector(selectors.DefaultSelector):
    """Passes time by jumping when there is nothing to do but wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout is None or timeout <= 0:
            return events or (super().select(None) if timeout is None else [])
        self.now += timeout
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """Makes tests of deadlines exact and quick; real sockets and threads see no time pass."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.now

    def jump(self, seconds: float) -> None:
        """Let time pass without doing what is due meanwhile."""
        self._jumping.now += seconds


LOOP: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": JumpingLoop})
"""What the `anyio_backend` fixture answers to run a test on this loop."""


def jump_clock(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let time pass as work does that holds the loop up."""
    assert isinstance(loop, JumpingLoop)
    loop.jump(seconds)
