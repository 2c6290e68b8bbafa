"""The token endpoint grants and refuses as Microsoft Entra does."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import trustme
import uvicorn
from azure.identity import ClientSecretCredential

from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID, create_dataverse_emulator

PATH = f"/{TENANT_ID}/oauth2/v2.0/token"
GOOD = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "grant_type": "client_credentials",
    "scope": "https://org.example/.default",
}
ASSERTED = {
    **{name: GOOD[name] for name in ("client_id", "grant_type", "scope")},
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


def assertion(subject: str) -> str:
    return jwt.encode({"iss": CLIENT_ID, "sub": subject}, "x" * 32, algorithm="HS256")


async def test_a_granted_token_opens_the_api(stranger: httpx.AsyncClient) -> None:
    """The right secret gets a bearer token for an hour."""
    granted = (await stranger.post(PATH, data=GOOD)).json()
    headers = {"Authorization": f"Bearer {granted.pop('access_token')}"}

    response = await stranger.get("/api/data/v9.2/WhoAmI", headers=headers)

    assert granted == {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
    assert response.status_code == 200


async def test_a_client_may_prove_itself_with_an_assertion(stranger: httpx.AsyncClient) -> None:
    """A certificate credential sends a signed statement about itself instead of a secret."""
    proofs = [assertion(CLIENT_ID), assertion("someone-else"), "nonsense"]

    answers = [await stranger.post(PATH, data={**ASSERTED, "client_assertion": proof}) for proof in proofs]

    assert [response.status_code for response in answers] == [200, 401, 401]
    assert answers[1].json()["error_codes"] == [700027]


@pytest.mark.parametrize(
    ("change", "tenant", "expected"),
    [
        ({"client_secret": "wrong"}, TENANT_ID, (401, "invalid_client", 7000215)),
        ({"client_id": "unknown"}, TENANT_ID, (400, "unauthorized_client", 700016)),
        ({"scope": "https://org.example"}, TENANT_ID, (400, "invalid_scope", 70011)),
        ({"grant_type": "password"}, TENANT_ID, (400, "unsupported_grant_type", 70003)),
        ({}, "other-tenant", (400, "invalid_request", 90002)),
    ],
)
async def test_a_refusal_names_its_aadsts_code(
    stranger: httpx.AsyncClient, change: dict[str, str], tenant: str, expected: tuple[int, str, int]
) -> None:
    """Clients tell a wrong secret from a wrong tenant by the number."""
    response = await stranger.post(f"/{tenant}/oauth2/v2.0/token", data={**GOOD, **change})

    body = response.json()
    assert (response.status_code, body["error"], *body["error_codes"]) == expected
    assert body["error_description"].startswith(f"AADSTS{expected[2]}: ")
    assert body.keys() >= {"timestamp", "trace_id", "correlation_id"}


async def test_a_token_of_another_emulator_opens_nothing(api: httpx.AsyncClient, clock: Any) -> None:
    """Each emulator signs with its own key."""
    other = create_dataverse_emulator(clock=clock)

    response = await api.get("WhoAmI", headers={"Authorization": f"Bearer {other.issue_token()}"})

    assert response.status_code == 401


async def test_static_tokens_are_accepted_as_their_client(clock: Any) -> None:
    """A development token stands for a client without asking the token endpoint."""
    emulator = create_dataverse_emulator(clock=clock, static_tokens={"dev-token": CLIENT_ID})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url="https://org.example") as client:
        response = await client.get("/api/data/v9.2/WhoAmI", headers={"Authorization": "Bearer dev-token"})

    assert response.status_code == 200


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[str]:
    """The sample organisation over TLS on a free port; `ca.pem` in `tmp_path` trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    emulator = create_dataverse_emulator(clock=lambda: datetime.now(UTC))
    server = uvicorn.Server(
        uvicorn.Config(emulator, lifespan="off", ws="none", log_config=None, ssl_certfile=str(tmp_path / "server.pem"))
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


async def test_azure_identity_gets_a_token_over_tls(authority: str, tmp_path: Path) -> None:
    """The real credential finds the token endpoint by discovery and its token opens the API."""
    trusted = str(tmp_path / "ca.pem")

    def fetch() -> str:
        with ClientSecretCredential(
            TENANT_ID,
            CLIENT_ID,
            CLIENT_SECRET,
            authority=authority,
            disable_instance_discovery=True,
            connection_verify=trusted,
        ) as credential:
            return credential.get_token(f"{authority}/.default").token

    token = await asyncio.to_thread(fetch)
    context = ssl.create_default_context(cafile=trusted)
    async with httpx.AsyncClient(base_url=authority, verify=context) as client:
        response = await client.get("/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200
