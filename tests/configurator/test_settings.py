"""Settings that administrators change while the service runs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.organisation import Organisation, open_organisation

PATH = "/admin/settings"


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def patch(organisation: Organisation, group: str, values: dict[str, Any], version: int | None) -> httpx.Response:
    """Change values of a group, from a version of it."""
    headers = {"Authorization": "Bearer admin-key-for-tests"}
    if version is not None:
        headers["If-Match"] = f'"{version}"'
    return await organisation.service.client.patch(f"{PATH}/{group}", json=values, headers=headers)


async def test_a_value_is_changed_shown_and_returned_to_its_default(organisation: Organisation) -> None:
    """Each value says where it comes from; null takes back what was saved."""
    before = await organisation.get(f"{PATH}/smart-routing")
    changed = await patch(organisation, "smart-routing", {"account_depth": 4}, 0)
    returned = await patch(organisation, "smart-routing", {"account_depth": None}, 1)
    assert changed.status_code == 200, changed.text
    assert changed.json()["values"]["account_depth"]["value"] == 4
    assert returned.json()["values"]["account_depth"]["source"] == "default"
