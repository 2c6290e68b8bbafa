"""Every way to obtain a token, against an authority on loopback."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import jwt
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from app.dataverse.credentials import build_fetch, find_scope, try_secret
from app.dataverse.errors import TokenRefusedError, TokenUnavailableError
from app.dataverse.tokens import Token
from tests.dataverse.authority import Authority, serve_authority
from tests.dataverse.wire import read_organisation

NOW = 1_800_000_000.0
TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
GRANT = {"token_type": "Bearer", "expires_in": 3599, "access_token": "granted"}
SECRET = {
    "url": "https://contoso.api.crm4.dynamics.com",
    "auth": "client_secret",
    "tenant_id": TENANT,
    "client_id": "app-1",
    "client_secret": "not-a-real-secret",
}


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority(ca: trustme.CA) -> Iterator[Authority]:
    with serve_authority(ca) as served:
        served.answer = dict(GRANT)
        yield served


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def fetch(authority: Authority, bundle: str | None, /, **settings: object) -> Token:
    organisation = read_organisation(**{**SECRET, "authority": authority.url, **settings})
    return build_fetch(organisation, clock=lambda: NOW, ca_bundle=bundle)()


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://contoso.crm4.dynamics.com", "https://contoso.crm4.dynamics.com/.default"),
        ("https://contoso.api.crm4.dynamics.com", "https://contoso.crm4.dynamics.com/.default"),
        ("https://contoso.crm4.dynamics.com/api/data/v9.2", "https://contoso.crm4.dynamics.com/.default"),
        ("https://localhost:8443", "https://localhost:8443/.default"),
    ],
)
def test_the_scope_is_the_organisation_without_api(url: str, scope: str) -> None:
    """Tokens are for the plain organisation host, whichever form the URL has."""
    assert find_scope(url) == scope


def test_a_client_secret_becomes_a_token(authority: Authority, bundle: str) -> None:
    """The secret is sent to the tenant's token endpoint with the organisation's scope, and every fetch is a new one."""
    token = fetch(authority, bundle)
    fetch(authority, bundle)

    assert (token.value, token.fetched_at) == ("granted", NOW)
    assert authority.paths[:2] == [f"/{TENANT}/v2.0/.well-known/openid-configuration", f"/{TENANT}/oauth2/v2.0/token"]
    assert len(authority.forms) == 2
    wanted = ("client_id", "client_secret", "grant_type")
    assert [authority.forms[0][name] for name in wanted] == [["app-1"], ["not-a-real-secret"], ["client_credentials"]]
    assert "https://contoso.crm4.dynamics.com/.default" in unquote(authority.forms[0]["scope"][0])


def test_a_token_for_another_system_has_its_scope(authority: Authority, bundle: str) -> None:
    """Microsoft Graph is asked with the same credentials, and a token of its own."""
    organisation = read_organisation(**{**SECRET, "authority": authority.url})
    graph = "https://graph.microsoft.com"
    build_fetch(organisation, clock=lambda: NOW, resource=graph, ca_bundle=bundle)()

    assert f"{graph}/.default" in unquote(authority.forms[0]["scope"][0])


async def test_a_secret_is_tried_over_tls(authority: Authority, ca: trustme.CA) -> None:
    """It is sent to the token endpoint of the tenant, for the scope of Dataverse; an authority that is away is told."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    organisation = read_organisation(**{**SECRET, "authority": authority.url})
    async with httpx.AsyncClient(verify=context) as http:
        await try_secret(http, organisation, client_id="app-2", secret=SecretStr("the-new-one"))
        authority.answer = {"unexpected": True}
        with pytest.raises(TokenUnavailableError, match="no token: the authority failed"):
            await try_secret(http, organisation, client_id="app-2", secret=SecretStr("the-new-one"))
    async with httpx.AsyncClient() as untrusting:
        with pytest.raises(TokenUnavailableError, match="cannot be reached"):
            await try_secret(untrusting, organisation, client_id="app-2", secret=SecretStr("the-new-one"))

    assert authority.paths == [f"/{TENANT}/oauth2/v2.0/token"] * 2
    assert authority.forms[0] == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-2"],
        "client_secret": ["the-new-one"],
        "scope": ["https://contoso.crm4.dynamics.com/.default"],
    }


def test_the_usual_variable_brings_a_private_certificate(
    authority: Authority, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an explicit bundle REQUESTS_CA_BUNDLE counts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    assert fetch(authority, None).value == "granted"


def test_a_certificate_signs_the_assertion(authority: Authority, bundle: str, tmp_path: Path) -> None:
    """A PEM file with key and certificate replaces the secret by a signed assertion."""
    path = tmp_path / "app.pem"
    path.write_bytes(issue_certificate())

    token = fetch(authority, bundle, auth="certificate", certificate_path=path)

    [form] = authority.forms
    claims = jwt.decode(form["client_assertion"][0], options={"verify_signature": False})
    assert token.value == "granted"
    assert (claims["iss"], claims["sub"]) == ("app-1", "app-1")
    assert "client_secret" not in form


def issue_certificate() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app-1")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3650))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def test_a_managed_identity_asks_the_endpoint_of_its_host(
    authority: Authority, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On App Service and Container Apps the token comes from the identity endpoint, for the resource."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{authority.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "not-a-real-header")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    authority.answer = {**GRANT, "expires_on": str(int(NOW) + 3599), "resource": "x"}

    token = fetch(authority, None, auth="managed_identity", client_id="identity-1")

    assert token.value == "granted"
    [path] = authority.paths
    assert "resource=https://contoso.crm4.dynamics.com" in unquote(path)
    assert "client_id=identity-1" in path


def test_a_ready_made_token_never_expires(authority: Authority) -> None:
    """Mode token asks nobody."""
    assert fetch(authority, None, auth="token", token="a-fake-token") == Token("a-fake-token", NOW, float("inf"))
    assert authority.paths == []


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (7000215, TokenRefusedError, "the secret's value, not its id"),
        (7000222, TokenRefusedError, "has expired"),
        (700016, TokenRefusedError, "check client id and tenant id"),
        (90002, TokenRefusedError, "check the tenant id"),
        (90033, TokenUnavailableError, "passing problem"),
        (123456, TokenRefusedError, "look the code up"),
    ],
)
def test_a_refusal_says_what_to_do(
    number: int, kind: type[Exception], words: str, authority: Authority, bundle: str
) -> None:
    """The code of Entra ID is kept and explained; its message, which names tenant and app, is not passed on."""
    authority.status = 401
    authority.answer = {"error": "invalid_client", "error_description": f"AADSTS{number}: Secret of app-1 is 'x'."}

    with pytest.raises(kind, match=words) as caught:
        fetch(authority, bundle)

    assert caught.value.facts.dataverse_code == f"AADSTS{number}"
    assert "app-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        pytest.param({"authority": "https://127.0.0.1:9"}, TokenUnavailableError, "cannot be reached", id="dead"),
        pytest.param(
            {"auth": "certificate", "certificate_path": "no.pem"},
            TokenRefusedError,
            "cannot be read",
            id="no-file",
        ),
        pytest.param(
            {"auth": "certificate", "certificate_path": __file__}, TokenRefusedError, "certificate are", id="no-pem"
        ),
        pytest.param({"tenant_id": "a b"}, TokenRefusedError, "credential settings", id="odd-tenant"),
    ],
)
def test_unusable_settings_are_a_refusal(
    settings: dict[str, object], kind: type[Exception], words: str, authority: Authority, bundle: str
) -> None:
    """Whatever the library raises becomes an error of ours with words for the operator."""
    with pytest.raises(kind, match=words):
        fetch(authority, bundle, **settings)


@pytest.mark.parametrize(
    ("status", "answer"), [(503, {}), (500, {"error": "x"}), (200, {"odd": 1}), (200, {})], ids=repr
)
def test_a_broken_authority_is_a_token_error(
    status: int, answer: dict[str, object], authority: Authority, bundle: str
) -> None:
    """An authority that fails or talks nonsense never raises anything foreign."""
    authority.status, authority.answer = status, answer

    with pytest.raises((TokenRefusedError, TokenUnavailableError)):
        fetch(authority, bundle)
