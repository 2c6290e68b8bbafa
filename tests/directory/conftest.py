"""Directory tests run on a clock that jumps."""

from typing import Any

import pytest

from tests.directory.jumping_loop import LOOP


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run async tests on the jumping loop."""
    return LOOP
