"""Whoever is unknown learns nothing about bodies and parameters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation."""
    async with open_organisation(tmp_path) as people:
        yield people


async def list_operations(people: Organisation) -> list[tuple[str, str]]:
    """List method and path of every administrators' operation, placeholders filled with nonsense."""
    paths = (await people.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), "/".join("x" if part.startswith("{") else part for part in path.split("/")))
        for path, operations in paths.items()
        if path.startswith("/admin/")
        for method in operations
    ]


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer nobodys-key"}, {"Authorization": "Basic YTpi"}])
async def test_no_operation_looks_at_a_body_before_the_credential(
    people: Organisation, credential: dict[str, str]
) -> None:
    """Broken JSON and wrong parameters are a 401 to a stranger."""
    headers = {"Content-Type": "application/json", **credential}
    statuses = {
        (method, path): (await people.service.client.request(method, path, content=b"{", headers=headers)).status_code
        for method, path in await list_operations(people)
    }

    assert len(statuses) > 60
    assert {operation: status for operation, status in statuses.items() if status != 401} == {}


async def test_a_body_of_a_stranger_is_not_read(people: Organisation) -> None:
    """It may be as long as it likes."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("the body was read on")

    answer = await people.service.client.post("/admin/keys", content=endless())

    assert (answer.status_code, answer.json()["type"]) == (401, "urn:smartrouting:problem:missing-token")


async def test_a_known_credential_gets_to_know_what_is_wrong(people: Organisation) -> None:
    """Broken JSON is a 422 to an administrator."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    broken = await people.service.client.post("/admin/keys", content=b"{", headers=headers)

    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (422, "json-invalid")
