"""Writes log lines in batches while an event loop runs: a line must not cost every call a system call."""

import asyncio
from typing import BinaryIO

__all__ = ["LineWriter"]

_LATENCY_SECONDS = 0.05
_LARGEST_BATCH = 65_536


class LineWriter:
    """A logger for structlog, one for each stream.

    Lines are in the stream at the latest 50 ms after they were logged, at once outside of an event loop, and before the
    process ends. What a killed process loses is log lines only; decisions are in the journal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._size = 0
        self._scheduled = False

    def write(self, line: bytes) -> None:
        """Take one line without its end."""
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= _LARGEST_BATCH:
            self.flush()
        elif not self._scheduled:
            self._schedule()

    debug = info = warning = error = critical = msg = log = write

    def flush(self) -> None:
        """Write what waits."""
        self._scheduled = False
        if self._waiting:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._stream.write(b"\n".join((*lines, b"")))
            self._stream.flush()

    def _schedule(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._scheduled = True
            loop.call_later(_LATENCY_SECONDS, self.flush)
