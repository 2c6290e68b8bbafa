"""Every documented operation, tried with generated requests against the demo: no 5xx, nothing undocumented."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from structlog.testing import capture_logs

from app.bootstrap.upstreams import Upstreams
from tests.support.document import read_document
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY, Service, open_service

SCHEMA = schemathesis.openapi.from_dict(read_document())
OPERATIONS: dict[str, Any] = {
    operation.label: operation for found in SCHEMA.get_all_operations() for operation in [found.ok()]
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KEYS = {"X-Benemen-APIKey": WEBHOOK_KEY, "Authorization": f"Bearer {ADMIN_KEY}"}
FEW = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_SECONDS = 20
_ENDLESS = {"GET /admin/decisions/events"}
"""What goes on for minutes; `tests/calls/test_decision_events.py` tries it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A service whose event loop turns while something is asked of it."""

    runner: asyncio.Runner
    service: Service

    def send(self, case: Case) -> httpx.Response:
        """Send a generated request with valid credentials."""
        prepared = requests.Request(**case.as_transport_kwargs(base_url="http://service")).prepare()
        prepared.headers.update(KEYS)
        return self.runner.run(self._send(prepared))

    async def _send(self, prepared: requests.PreparedRequest) -> httpx.Response:
        headers = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
        async with asyncio.timeout(_SECONDS):
            return await self.service.client.request(
                str(prepared.method), str(prepared.url), headers=headers, content=prepared.body
            )


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Serve one demo to all tests of a process."""
    folder = tmp_path_factory.mktemp("demo")
    demo = open_service(folder, upstreams=Upstreams(), demo=True, dataverse={"url": None, "token": None})
    with asyncio.Runner() as runner, capture_logs():
        stack = AsyncExitStack()
        try:
            yield Loop(runner, runner.run(enter(stack, demo)))
        finally:
            runner.run(stack.aclose())


async def enter(stack: AsyncExitStack, demo: Any) -> Service:
    """Open the service."""
    service: Service = await stack.enter_async_context(demo)
    return service


def list_trials() -> Iterator[Any]:
    """List every operation with valid requests, and with invalid ones where a request can be invalid."""
    for label, operation in OPERATIONS.items():
        if label in _ENDLESS:
            continue
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{label} valid")
        if operation.body or list(operation.iter_parameters()):
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{label} invalid")


@pytest.mark.parametrize(("operation", "mode"), list(list_trials()))
def test_operation_keeps_its_word(loop: Loop, operation: Any, mode: GenerationMode) -> None:
    """Valid and invalid requests are answered with a documented status, type and body, and never with 5xx."""

    @FEW
    @seed(1)
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case) -> None:
        case.validate_response(loop.send(case), checks=CHECKS)

    check()
