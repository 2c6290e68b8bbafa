"""Lines no database took."""

import os
from pathlib import Path

import pytest

from app.calls.erasure import erase_rejected_lines, purge_rejected_lines


@pytest.fixture
def rejected(tmp_path: Path) -> Path:
    """A file with lines of two callers, however damaged."""
    path = tmp_path / "1.rejected"
    path.write_bytes(b'{"caller_e164":"+358501234567"\n00358501234567 \xff\n{"caller_e164":"+4687654321"}\n')
    return path


def test_lines_of_one_number_are_erased(rejected: Path) -> None:
    """Erasing a number removes the lines that name it and keeps the others."""
    assert [erase_rejected_lines(rejected.parent, "+358501234567") for _ in range(2)] == [2, 0]
    assert rejected.read_bytes() == b'{"caller_e164":"+4687654321"}\n'


def test_old_files_are_purged(rejected: Path) -> None:
    """A file that got no line for long is deleted."""
    os.utime(rejected, (100.0, 100.0))

    assert [purge_rejected_lines(rejected.parent, 100.0), purge_rejected_lines(rejected.parent, 101.0)] == [0, 1]
    assert not rejected.exists()
