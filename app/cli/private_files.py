"""Keeps what a command writes to this user."""

import os

__all__ = ["keep_files_private"]


def keep_files_private() -> None:
    """Let nobody else on this machine read the database, journal and keys: they hold callers' numbers and secrets."""
    os.umask(0o077)
