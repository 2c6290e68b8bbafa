"""Whoever is unknown learns nothing about bodies and parameters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def test_a_body_of_a_stranger_is_not_read(organisation: Organisation) -> None:
    """It may be as long as it likes."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("the body was read on")

    answer = await organisation.service.client.post("/admin/keys", content=endless())

    assert (answer.status_code, answer.json()["type"]) == (401, "urn:smartrouting:problem:missing-token")


async def test_a_known_credential_gets_to_know_what_is_wrong(organisation: Organisation) -> None:
    """Broken JSON is a 422 to an administrator."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    broken = await organisation.service.client.post("/admin/keys", content=b"{", headers=headers)

    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (422, "json-invalid")
