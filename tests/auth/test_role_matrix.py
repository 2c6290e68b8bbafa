"""Every operation of the OpenAPI document with every kind of credential: a new one cannot be forgotten."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))
OPEN = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/health/dependencies"),
    ("GET", "/metrics"),
}
"""What needs no credential at all."""
WEBHOOK = {("POST", "/smartrouting"), ("POST", "/events/{event}")}
"""What takes the queue's credential."""
KEYS = {"Voice User": USER_KEY, "Voice ApiUser": PROGRAM_KEY, "Voice Admin User": ADMIN_KEY}
MAY = {
    "Voice User": {"Voice User", "Voice Admin User"},
    "Voice ApiUser": {"Voice ApiUser", "Voice Admin User"},
    "Voice Admin User": {"Voice Admin User"},
}
"""The role an operation names -> the roles that open it."""
JUNK = ("Bearer nobodys-key", "Bearer srk_0123456789ab_" + "x" * 43, "Bearer a.b.c", "Basic YTpi", "nobodys-key")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    roles: tuple[str, ...]
    """What its security requirements name."""

    @property
    def url(self) -> str:
        """Its path, with nonsense in the place of names."""
        return "/".join("x" if part.startswith("{") else part for part in self.path.split("/"))


def list_operations() -> list[Operation]:
    """List all of them."""
    return [
        Operation(
            method.upper(),
            path,
            tuple(role for needed in operation.get("security", []) for role in needed.get("AdministratorToken", [])),
        )
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    ]


ADMIN = [operation for operation in list_operations() if operation.path.startswith("/admin")]


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def ask(organisation: Organisation, operation: Operation, credential: str | None, **sent: Any) -> int:
    """Return the status an operation answers with; each operation is asked from an address of its own."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": credential} if credential else {})
    address = f"198.51.100.{ADMIN.index(operation)}"
    transport = httpx.ASGITransport(organisation.service.app, client=(address, 4000))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://service"))
        return (await client.request(operation.method, operation.url, headers=headers, **sent)).status_code


def test_every_operation_has_its_place() -> None:
    """Whatever is not for administrators is on a short list, and whatever is names a role, or two that are needed."""
    others = {(operation.method, operation.path) for operation in list_operations() if operation not in ADMIN}

    assert others == OPEN | WEBHOOK
    assert len(ADMIN) > 60
    assert [operation for operation in ADMIN if not operation.roles or not set(operation.roles) <= set(MAY)] == []


@pytest.mark.parametrize("credential", [None, *JUNK], ids=["none", "junk", "junk-of-our-form", "jwt", "basic", "bare"])
async def test_no_operation_opens_or_reads_a_body_without_a_credential(
    organisation: Organisation, credential: str | None
) -> None:
    """Broken JSON and wrong parameters are a 401 to a stranger."""
    statuses = {each: await ask(organisation, each, credential, content=b"{") for each in ADMIN}

    assert {operation: status for operation, status in statuses.items() if status != 401} == {}


@pytest.mark.parametrize("role", KEYS)
async def test_each_role_opens_what_names_it_and_nothing_else(organisation: Organisation, role: str) -> None:
    """A role that does not suffice is 403 on every operation; one that does is told what is wrong with its request."""
    sent: dict[str, Any] = {"content": b"{}", "params": {"nonsense": "x"}}
    statuses = {each: await ask(organisation, each, f"Bearer {KEYS[role]}", **sent) for each in ADMIN}

    allowed = {operation: all(role in MAY[needed] for needed in operation.roles) for operation in ADMIN}
    assert {each: status for each, status in statuses.items() if (status != 403) != allowed[each]} == {}
    assert {each: status for each, status in statuses.items() if status == 401 or status >= 500} == {}
