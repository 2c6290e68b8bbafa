"""Where measurements are written."""

import sys

__all__ = ["write"]


def write(line: str) -> None:
    """Write one line at once, so that a long measurement can be followed."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
