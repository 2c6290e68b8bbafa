"""If-Match, as the clients of this world send it."""

from pathlib import Path

import pytest

from tests.support.service import ADMIN_KEY, open_service

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.mark.parametrize("write", ["{}", '"{}"', 'W/"{}"'], ids=["bare", "quoted", "weak"])
async def test_etags_are_taken_in_every_spelling(tmp_path: Path, write: str) -> None:
    """With quotes, without them, and weak, as proxies make them."""
    async with open_service(tmp_path) as service:
        made = await service.client.post("/admin/rulesets/drafts", json={"name": "a", "document": {}}, headers=KEY)
        tag = write.format(made.json()["draft"]["etag"])
        path = f"/admin/rulesets/{made.json()['ref']}"
        removed = await service.client.delete(path, headers={**KEY, "If-Match": tag})

    assert removed.status_code == 204


async def test_an_etag_in_a_body_is_the_token_of_the_header(tmp_path: Path) -> None:
    """What a draft calls its `etag` is the version without quotes; without If-Match, 428 comes before all else."""
    async with open_service(tmp_path) as service:
        made = await service.client.post("/admin/rulesets/drafts", json={"name": "a", "document": {}}, headers=KEY)
        draft = made.json()["draft"]
        lost = await service.client.patch("/admin/settings/smart-routing", json=[], headers=KEY)

    assert made.headers["ETag"] == f'"{draft["etag"]}"'
    assert '"' not in draft["etag"]
    assert (lost.status_code, lost.json()["type"]) == (428, "urn:smartrouting:problem:precondition-required")
