"""Methods that a path does not take."""

from pathlib import Path

import pytest

from tests.support.service import ADMIN_KEY, open_service

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/admin/rulesets/current", "DELETE, GET, PUT"),
        ("PUT", "/admin/rulesets/drafts", "GET, POST"),
        ("GET", "/admin/users/bulk-enable", "POST"),
        ("DELETE", "/admin/users/enreach-ids", "POST"),
        ("GET", "/admin/rulesets/current/publish", "POST"),
        ("GET", "/smartrouting", "POST"),
    ],
)
async def test_405_names_every_method_of_the_path(tmp_path: Path, method: str, path: str, allowed: str) -> None:
    """The path of an action is taken for nobody's name, and `Allow` tells all that is possible."""
    async with open_service(tmp_path) as service:
        answer = await service.client.request(method, path, headers=KEY)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["type"] == "urn:smartrouting:problem:method-not-allowed"
