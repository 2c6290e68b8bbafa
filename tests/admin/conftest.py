"""Where a service keeps what it keeps."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.people import PLACES
from tests.support.postgres import find_postgres, new_postgres_database


@pytest.fixture(params=[*PLACES, "postgresql"])
def where(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Each place where Enreach ids may be kept, and everything in PostgreSQL: arguments of `open_people`."""
    if request.param != "postgresql":
        yield {"place": request.param}
        return
    with new_postgres_database(find_postgres()) as url:
        yield {"place": "store", "store": {"url": url}}
