"""Files that nobody else on this machine may read, that are never half written, and that can be locked."""

import errno
import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Lock", "check_locking", "replace_file"]

Lock = Callable[[int, int], object]
"""Locks an open file, as `fcntl.flock` does."""


def replace_file(path: Path, content: bytes) -> None:
    """Put a whole file in the place of the old one: whoever reads it at any moment finds one of both."""
    draft = path.with_suffix(".new")
    with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def check_locking(folder: Path, *, lock: Lock = fcntl.flock) -> None:
    """Make, lock and delete a file in a folder; raises OSError.

    Where a lock does not keep others away (some network file systems), two processes would take each other's files:
    that is an OSError, too.
    """
    path = folder / f"check-{os.getpid()}-{secrets.token_hex(4)}"
    owner = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    other = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        lock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(BlockingIOError):
            lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise OSError(errno.ENOLCK, "locks of files do not work here")
    finally:
        path.unlink()
        os.close(owner)
        os.close(other)
