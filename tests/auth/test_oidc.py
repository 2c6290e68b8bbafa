"""Access tokens, against a real OpenID Connect provider over TLS."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.issuer import AUDIENCE, Issuer, make_key, serve_issuer
from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY

AINO = "60000000-0000-4000-8000-000000000001"
"""The object id of a sample user in Entra ID."""


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """A provider that answers."""
    with serve_issuer(tmp_path) as issuer:
        yield issuer


@pytest.fixture
async def organisation(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Organisation]:
    """The service, set up for that provider."""
    async with open_signed_in(tmp_path, issuer) as organisation:
        yield organisation


def open_signed_in(folder: Path, issuer: Issuer, **more: Any) -> Any:
    """Open a service that trusts the provider's certificate."""
    admin = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, **more}
    return open_organisation(folder, issuer=issuer.trust(), admin=admin)


async def ask(organisation: Organisation, token: str, path: str = "/admin/me") -> int:
    """Return the status a token gets."""
    return (await organisation.get(path, key=token)).status_code


def encode(part: dict[str, Any] | bytes) -> str:
    """Encode a part of a token by hand."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_payload(token: str) -> dict[str, Any]:
    """Read the claims of a token."""
    text = token.split(".")[1]
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return payload


async def test_a_good_token_opens_with_the_role_of_its_claim(organisation: Organisation, issuer: Issuer) -> None:
    """The subject names the principal; of several roles the strongest counts."""
    me = await organisation.get("/admin/me", key=issuer.issue(sub="anna", roles=["Voice User", "voice_admin_user"]))

    assert (me.status_code, me.json()["name"], me.json()["kind"], me.json()["role"]) == (
        200,
        "anna",
        "oidc",
        "Voice Admin User",
    )


async def test_no_forged_or_stale_token_lets_anyone_in(organisation: Organisation, issuer: Issuer) -> None:
    """Whatever is wrong with a token, the answer is 401, and the good one still works."""
    now = int(time.time())
    good = issuer.issue()
    claims, signature = read_payload(good), good.rsplit(".", 1)[1]
    stranger = make_key("first")
    unsigned = f"{encode({'alg': 'none', 'kid': 'first'})}.{encode(claims)}."
    tokens = {
        "issuer": issuer.issue(iss="https://login.example/realms/contoso"),
        "issuer with a tail": issuer.issue(iss=f"{issuer.url}/more"),
        "no issuer": issuer.issue(iss=None),
        "audience": issuer.issue(aud="api://somebody-else"),
        "audiences": issuer.issue(aud=["account", "other"]),
        "no audience": issuer.issue(aud=None),
        "none": unsigned,
        "None": unsigned.replace(encode({"alg": "none", "kid": "first"}), encode({"alg": "None", "kid": "first"})),
        "none with a signature": unsigned + signature,
        "HS256 with the public key": sign_with_public_key(issuer, claims),
        "expired": issuer.issue(exp=now - 61),
        "no expiry": issuer.issue(exp=None),
        "not yet valid": issuer.issue(nbf=now + 120),
        "no subject": issuer.issue(sub=None),
        "another key of that id": issuer.issue(key=stranger),
        "changed claims": f"{good.split('.')[0]}.{encode({**claims, 'sub': 'boss'})}.{signature}",
        "no signature": f"{good.rsplit('.', 1)[0]}.",
        "own key inside": issuer.issue(key=stranger, headers={"jwk": stranger.describe()}),
        "critical extension": issuer.issue(headers={"crit": ["exp"]}),
        "identity token": issuer.issue(typ="ID"),
        "refresh token": issuer.issue(typ="Refresh"),
        "offline token": issuer.issue(typ="Offline"),
        "logout token": issuer.issue(typ="Logout"),
        "logout token by its header": issuer.issue(headers={"typ": "logout+jwt"}),
        "proof of possession": issuer.issue(headers={"typ": "dpop+jwt"}),
        "list as type": issuer.issue(headers={"typ": ["JWT"]}),
        "security event": issuer.issue(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
        "token bound to a key": issuer.issue(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        "identity token with a nonce": issuer.issue(nonce="n-0S6_WzA2Mj"),
        "identity token with a hash": issuer.issue(at_hash="77QmUPtjPfzWtF2AnpK9RQ"),
        "identity token of Entra ID": issuer.issue(tid="7c9a1d2e-0000-4000-8000-000000000001", ver="2.0"),
        "list as algorithm": f"{encode({'alg': ['ES256'], 'kid': 'first'})}.{encode(claims)}.{signature}",
        "object as algorithm": f"{encode({'alg': {}, 'kid': 'first'})}.{encode(claims)}.{signature}",
        "list as key id": f"{encode({'alg': 'ES256', 'kid': ['first']})}.{encode(claims)}.{signature}",
        "list as header": f"{encode(b'[]')}.{encode(claims)}.{signature}",
        "deep header": f"{encode(b'[' * 20_000)}.{encode(claims)}.{signature}",
        "deep claims": f"{good.split('.')[0]}.{encode(b'[' * 20_000)}.{signature}",
        "list as issuer": f"{good.split('.')[0]}.{encode({**claims, 'iss': [issuer.url]})}.{signature}",
        "list as expiry": issuer.issue(exp=[now + 300]),
        "endless expiry": issuer.issue(exp=1e400),
        "garbage": "a.b.c",
        "dots": "..",
    }

    found = {name: await ask(organisation, token) for name, token in tokens.items()}

    assert found == dict.fromkeys(tokens, 401)
    assert await ask(organisation, good) == 200


@pytest.mark.parametrize(
    ("headers", "claims"),
    [
        ({"typ": "at+jwt"}, {}),
        ({"typ": "application/at+jwt"}, {"nonce": "n"}),
        ({"typ": None}, {}),
        ({}, {"typ": "Bearer", "nonce": "n"}),
        ({}, {"scp": "access", "tid": "7c9a1d2e-0000-4000-8000-000000000001", "ver": "2.0"}),
        ({}, {"azp": "7c9a1d2e-0000-4000-8000-000000000002", "tid": "t", "ver": "2.0"}),
        ({}, {"appid": "7c9a1d2e-0000-4000-8000-000000000002", "tid": "t", "ver": "1.0"}),
    ],
)
async def test_access_tokens_of_usual_issuers_are_accepted(
    organisation: Organisation, issuer: Issuer, headers: dict[str, Any], claims: dict[str, Any]
) -> None:
    """What RFC 9068, Keycloak and Entra ID write into access tokens opens."""
    assert await ask(organisation, issuer.issue(headers=headers, **claims)) == 200


async def test_audience_that_is_the_client_takes_no_identity_token(tmp_path: Path, issuer: Issuer) -> None:
    """An ID token names the client as its audience, so that an access token has to name client or scopes besides."""
    async with open_signed_in(tmp_path, issuer, oidc_client_id=AUDIENCE) as organisation:
        found = [
            await ask(organisation, issuer.issue(**claims)) for claims in ({}, {"scope": "openid"}, {"azp": "swagger"})
        ]

    assert found == [401, 200, 200]


def sign_with_public_key(issuer: Issuer, claims: dict[str, Any]) -> str:
    """Sign symmetrically with what everybody knows, which naive verifiers accept."""
    body = f"{encode({'alg': 'HS256', 'kid': issuer.keys[-1].id})}.{encode(claims)}"
    digest = hmac.new(issuer.keys[-1].write_public(), body.encode(), hashlib.sha256).digest()
    return f"{body}.{encode(digest)}"


async def test_clocks_may_differ_by_a_minute(organisation: Organisation, issuer: Issuer) -> None:
    """A token that just ended or is about to begin is accepted within 60 seconds."""
    now = int(time.time())

    assert await ask(organisation, issuer.issue(exp=now - 30)) == 200
    assert await ask(organisation, issuer.issue(nbf=now + 30, iat=now + 30)) == 200


async def test_a_rotation_in_the_middle_of_traffic_loses_no_request(organisation: Organisation, issuer: Issuer) -> None:
    """Requests with the old and the new key all succeed, and the keys are fetched once more, not once a request."""
    old = issuer.issue()
    assert await ask(organisation, old) == 200
    fetched = issuer.requests.count("keys")

    async with asyncio.TaskGroup() as group:
        before = [group.create_task(ask(organisation, old)) for _ in range(20)]
        issuer.rotate()
        new = issuer.issue()
        after = [group.create_task(ask(organisation, token)) for token in [new, old] * 20]

    assert {task.result() for task in [*before, *after]} == {200}
    assert issuer.requests.count("keys") == fetched + 1


async def test_a_token_without_key_id_has_the_only_key(organisation: Organisation, issuer: Issuer) -> None:
    """An issuer with one key need not name it (RFC 7517, section 4.5); of several keys none is guessed."""
    unnamed = issuer.issue(headers={"kid": None})
    forged = issuer.issue(key=make_key("first"), headers={"kid": None})
    found = [await ask(organisation, token) for token in (unnamed, forged)]
    issuer.rotate()

    assert [*found, await ask(organisation, issuer.issue()), await ask(organisation, unnamed)] == [200, 401, 200, 401]


async def test_an_unknown_key_id_is_refused_after_asking_once(organisation: Organisation, issuer: Issuer) -> None:
    """Made-up ids that come together cost the provider one request."""
    assert await ask(organisation, issuer.issue()) == 200
    fetched = issuer.requests.count("keys")

    statuses = await asyncio.gather(
        *(ask(organisation, issuer.issue(key=make_key(f"made-up-{number}"))) for number in range(10))
    )

    assert set(statuses) == {401}
    assert issuer.requests.count("keys") <= fetched + 1


async def test_a_provider_that_goes_away_keeps_known_keys_good(organisation: Organisation, issuer: Issuer) -> None:
    """Known keys go on working, unknown ones are a 503 and never a way in; keys of the settings are untouched."""
    good = issuer.issue()
    assert await ask(organisation, good) == 200
    await asyncio.to_thread(issuer.stop)

    found = [await ask(organisation, token) for token in (good, issuer.issue(key=make_key("new")), ADMIN_KEY)]

    assert found == [200, 503, 200]


async def test_a_provider_away_at_the_start_is_a_503_and_then_works(tmp_path: Path) -> None:
    """The service starts without it, says so to token bearers, and takes their tokens once it is there."""
    with serve_issuer(tmp_path, started=False) as issuer:
        async with open_signed_in(tmp_path, issuer) as organisation:
            token = issuer.issue()
            first = await organisation.get("/admin/me", key=token)
            by_key = await ask(organisation, ADMIN_KEY)
            issuer.start()
            async with asyncio.timeout(60):
                while (later := await ask(organisation, token)) == 503:  # noqa: ASYNC110 - nothing tells when
                    await asyncio.sleep(0.1)

    assert (first.status_code, first.json()["type"]) == (503, "urn:smartrouting:problem:issuer-unreachable")
    assert (by_key, later) == (200, 200)


async def test_a_provider_with_a_foreign_certificate_lets_nobody_in(tmp_path: Path, issuer: Issuer) -> None:
    """Its keys are not fetched, so its tokens are not judged."""
    admin = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    async with open_organisation(tmp_path, issuer=httpx.AsyncHTTPTransport(), admin=admin) as organisation:
        assert await ask(organisation, issuer.issue()) == 503


@pytest.mark.parametrize(
    ("settings", "claims", "role"),
    [
        ({"oidc_role_claim": "realm_access.roles"}, {"realm_access": {"roles": ["x", "voice-user"]}}, "Voice User"),
        ({"oidc_role_claim": "https://c.example/role"}, {"https://c.example/role": "Voice ApiUser"}, "Voice ApiUser"),
        ({"oidc_roles": {"g-42": "Voice User"}}, {"roles": ["G-42"]}, "Voice User"),
        ({}, {"roles": ["admin", "user", "System Administrator"]}, None),
        ({}, {"roles": {"Voice Admin User": True}}, None),
        ({}, {"roles": None}, None),
    ],
)
async def test_roles_come_from_the_claim_of_the_settings(
    tmp_path: Path, issuer: Issuer, settings: dict[str, Any], claims: dict[str, Any], role: str | None
) -> None:
    """Dots descend as in Keycloak's tokens, further values are named in the settings, and nothing else is guessed."""
    async with open_signed_in(tmp_path, issuer, **settings) as organisation:
        answer = await organisation.get("/admin/users", key=issuer.issue(**{"roles": None, **claims}))

    detail = answer.json().get("detail") or ""
    expected = {"Voice User": 403, "Voice ApiUser": 200, None: 403}[role]
    assert answer.status_code == expected
    assert ("names no role of Voice" in detail) == (role is None)


@pytest.mark.parametrize(
    ("claims", "status", "name"),
    [
        ({"oid": AINO}, 200, "Aino Virtanen"),
        ({"sub": AINO.upper()}, 200, "Aino Virtanen"),
        ({"preferred_username": "Lotta.Jansson@contoso.example"}, 200, "Lotta Jansson"),
        ({"email": "lotta@contoso-sverige.example", "email_verified": True}, 200, "Lotta Jansson"),
        ({"email": "lotta@contoso-sverige.example", "email_verified": False}, 404, None),
        ({"preferred_username": "lotta.jansson@contoso.exampl_"}, 404, None),
        ({"preferred_username": "' or 1 eq 1 or domainname eq '"}, 404, None),
        ({}, 404, None),
    ],
)
async def test_a_voice_user_sees_only_their_own_readiness(
    organisation: Organisation, issuer: Issuer, claims: dict[str, Any], status: int, name: str | None
) -> None:
    """The token says who they are: by object id, else login, else an address that is not known to be unverified."""
    token = issuer.issue(roles=["Voice User"], **claims)

    own = await organisation.get("/admin/me/readiness", key=token)

    assert (own.status_code, own.json().get("name")) == (status, name)
    assert await ask(organisation, token, "/admin/users") == 403


async def test_swagger_ui_signs_in_with_pkce(tmp_path: Path, issuer: Issuer) -> None:
    """The document names the provider's endpoints, the page its client, and the policy its origin and no other."""
    async with open_signed_in(
        tmp_path, issuer, oidc_client_id="swagger", oidc_scopes=["openid", "voice"]
    ) as organisation:
        await ask(organisation, issuer.issue())
        document = (await organisation.get("/openapi.json")).json()
        start = (await organisation.get("/docs/start.js")).text
        page = await organisation.get("/docs")

    origin = issuer.url.removesuffix("/realms/contoso")
    scheme = document["components"]["securitySchemes"]["SignIn"]
    assert scheme["flows"]["authorizationCode"] == {
        "authorizationUrl": f"{issuer.url}/auth",
        "tokenUrl": f"{issuer.url}/token",
        "scopes": {"openid": "", "voice": ""},
    }
    assert document["paths"]["/admin/users"]["get"]["security"] == [
        {"AdministratorToken": ["Voice ApiUser"]},
        {"SignIn": []},
    ]
    assert '"clientId": "swagger"' in start
    assert '"usePkceWithAuthorizationCodeGrant": true' in start
    assert f"connect-src 'self' {origin};" in page.headers["content-security-policy"]


async def test_without_an_issuer_nobody_is_asked_to_sign_in(tmp_path: Path) -> None:
    """Tokens are simply unknown, and the page speaks to nobody else."""
    async with open_organisation(tmp_path) as organisation:
        document = (await organisation.get("/openapi.json")).json()
        page = await organisation.get("/docs")
        status = await ask(organisation, "a.b.c")

    assert ("SignIn" in document["components"]["securitySchemes"], status) == (False, 401)
    assert "connect-src 'self';" in page.headers["content-security-policy"]
