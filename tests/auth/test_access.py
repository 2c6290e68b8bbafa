"""What a route asks of whoever calls it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import Body, FastAPI

from app.auth.access import AdminAccess, IdentifyFirst, requires
from app.auth.api_keys import SettingsKeys
from app.auth.guessing import GuessBrake
from app.auth.networks import ClientAddresses
from app.auth.principals import Authenticator, Permission, Principal, Role
from app.settings import AdminKey
from app.web.errors import add_error_handlers

KEYS = {
    "boss": AdminKey.model_validate({"key": "fake-boss-key", "role": Role.VOICE_ADMIN_USER}),
    "script": AdminKey.model_validate({"key": "fake-script-key", "role": Role.VOICE_API_USER}),
}
EditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]


WHO = ("boss", "script", "stranger", "boss")


def make_app(authenticator: Authenticator | None = None) -> FastAPI:
    """Make an application with protected routes."""
    access = AdminAccess(
        authenticator=authenticator or SettingsKeys(KEYS),
        clients=ClientAddresses(trusted=()),
        brake=GuessBrake(monotonic=time.monotonic),
        count_refusal=lambda _: None,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"admin_access": access}

    app = FastAPI(lifespan=lifespan)
    add_error_handlers(app)

    @app.get("/rules")
    async def read_rules(editor: EditorDep) -> dict[str, str]:
        return {"name": editor.name, "role": editor.role, "kind": editor.kind}

    @app.post("/rules")
    async def write_rule(rule: Annotated[int, Body()], _editor: EditorDep) -> int:
        return rule

    app.add_middleware(IdentifyFirst, prefix="/rules")
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application, its lifespan running."""
    async with (
        LifespanManager(make_app()) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://test") as client,
    ):
        yield client


async def test_a_principal_with_the_permission_reaches_the_route(client: httpx.AsyncClient) -> None:
    """The route is given the principal."""
    answer = await client.get("/rules", headers={"Authorization": "bearer  fake-boss-key"})

    assert (answer.status_code, answer.json()) == (
        200,
        {"name": "boss", "role": "Voice Admin User", "kind": "api_key"},
    )


@pytest.mark.parametrize("value", [None, "Basic ZmFrZTpmYWtl", "Bearer", "Bearer   "])
async def test_a_request_without_a_token_is_challenged(client: httpx.AsyncClient, value: str | None) -> None:
    """A missing token is a 401 that names the scheme."""
    answer = await client.get("/rules", headers={"Authorization": value} if value else {})

    assert (answer.status_code, answer.headers["WWW-Authenticate"], answer.json()) == (
        401,
        'Bearer realm="smartrouting"',
        {
            "type": "urn:smartrouting:problem:missing-token",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Send Authorization: Bearer with an API key or an access token.",
        },
    )


async def test_a_strangers_token_is_told_invalid(client: httpx.AsyncClient) -> None:
    """An unknown token is a 401 that says so (RFC 6750, section 3.1) and does not repeat it."""
    answer = await client.get("/rules", headers={"Authorization": "Bearer fake-stolen-key"})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Bearer realm="smartrouting", error="invalid_token"',
    )
    assert answer.json()["type"] == "urn:smartrouting:problem:invalid-token"
    assert "stolen" not in answer.text


async def test_a_role_without_the_permission_is_forbidden(client: httpx.AsyncClient) -> None:
    """A known principal who may not is told which role it takes."""
    answer = await client.get("/rules", headers={"Authorization": "Bearer fake-script-key"})

    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "This needs the role Voice Admin User; yours is Voice ApiUser.",
    )


async def test_a_credential_is_judged_once_for_each_request() -> None:
    """What was found out before the body was read is not asked again by the route."""
    keys, asked = SettingsKeys(KEYS), []

    class Counted:
        async def authenticate(self, token: str) -> Principal | None:
            asked.append(token)
            return await keys.authenticate(token)

    async with (
        LifespanManager(make_app(Counted())) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://test") as client,
    ):
        answers = [
            await client.post("/rules", json=1, headers={"Authorization": f"Bearer fake-{who}-key"}) for who in WHO
        ]

    assert [answer.status_code for answer in answers] == [200, 403, 401, 200]
    assert asked == [f"fake-{who}-key" for who in WHO]


def test_the_openapi_document_states_the_role() -> None:
    """The security requirement of the operation names the weakest role that suffices."""
    document = make_app().openapi()

    assert document["paths"]["/rules"]["get"]["security"] == [{"AdministratorToken": ["Voice Admin User"]}]
    assert document["components"]["securitySchemes"]["AdministratorToken"]["scheme"] == "bearer"
