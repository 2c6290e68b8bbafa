"""How the service proves to Entra ID who it is: azure-identity's synchronous credentials, one per fetch."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from app.dataverse.errors import DataverseError, Facts, TokenRefusedError, TokenUnavailableError
from app.dataverse.tokens import Clock, Fetch, Token
from app.settings import DataverseAuth, DataverseSettings, SettingsError

if TYPE_CHECKING:
    from azure.identity import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential

    Credential = CertificateCredential | ClientSecretCredential | ManagedIdentityCredential

__all__ = ["build_fetch", "find_scope", "try_secret"]

_CODE: Final = re.compile(r"AADSTS\d{4,8}")
_PASSING: Final = frozenset({"AADSTS90024", "AADSTS90033", "AADSTS90006", "AADSTS90055"})
_WHAT_TO_DO: Final[Mapping[str, str]] = {
    "AADSTS7000215": "the client secret is wrong: set the secret's value, not its id",
    "AADSTS7000222": "the client secret has expired: create a new one in the app registration",
    "AADSTS700016": "the app registration is not in this tenant: check client id and tenant id",
    "AADSTS90002": "there is no such tenant: check the tenant id, and the authority of its cloud",
    "AADSTS70011": "the scope is invalid: check the organisation URL",
    "AADSTS700027": "the certificate is not the one of the app registration: upload it there",
    "AADSTS7000112": "the app registration is disabled: enable it",
    "AADSTS70001": "the app registration is disabled or unknown: enable it",
    "AADSTS500011": "Entra ID knows no such organisation: check the organisation URL",
    "AADSTS50196": "Entra ID saw too many requests for the same token: wait some minutes",
    **dict.fromkeys(sorted(_PASSING), "Entra ID has a passing problem: it is tried again"),
}
"""Dataverse contract, section 6.1."""
_WAITING: Final[Mapping[str, int]] = {"connection_timeout": 5, "read_timeout": 10}
"""Seconds; somebody waits for the first token, and a thread waits for every one."""


def find_scope(url: str) -> str:
    """Return the scope of an organisation URL: its host without `.api.`, and `/.default` (contract, section 6.1)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.replace('.api.', '.', 1)}/.default"


def build_fetch(
    settings: DataverseSettings, *, clock: Clock, resource: str | None = None, ca_bundle: str | None = None
) -> Fetch:
    """Return the function that obtains a token in the way the settings say; it blocks, and raises TokenRefusedError.

    `resource` is the URL of another system than Dataverse that the token is for. `ca_bundle` is a PEM file for an
    authority with a private certificate; without it the variable REQUESTS_CA_BUNDLE counts. Every fetch builds its
    credential anew: theirs cache tokens and would hand out a rejected one again.

    Raises SettingsError when there is no URL.
    """
    if settings.url is None:
        raise SettingsError("SMARTROUTING_DATAVERSE__URL is not set")
    if settings.auth is DataverseAuth.TOKEN and settings.token is not None:
        value = settings.token.get_secret_value()
        return lambda: Token(value, clock(), float("inf"))
    scope = find_scope(resource or settings.url)
    return lambda: _fetch(lambda: _build_credential(settings, ca_bundle), scope, clock)


def _fetch(build: Callable[[], "Credential"], scope: str, clock: Clock) -> Token:
    now = clock()
    try:
        with build() as credential:
            token = credential.get_token(scope)
    except Exception as error:  # the boundary of a foreign library that lets errors of five others through
        raise _translate(error) from error
    return Token(token.token, now, float(token.expires_on))


def _build_credential(settings: DataverseSettings, ca_bundle: str | None) -> "Credential":
    # Imported here because it takes most of a second, and token mode never needs it.
    from azure.identity import (  # noqa: PLC0415
        CertificateCredential,
        ClientSecretCredential,
        ManagedIdentityCredential,
    )

    if settings.auth is DataverseAuth.MANAGED_IDENTITY:
        return ManagedIdentityCredential(client_id=settings.client_id, retry_total=1)
    options: dict[str, Any] = {
        "authority": settings.authority,
        # The authority is the administrator's word; asking login.microsoftonline.com about it would fail in
        # sovereign and private clouds.
        "disable_instance_discovery": True,
        "retry_total": 0,
        **_WAITING,
        **({"connection_verify": ca_bundle} if ca_bundle else {}),
    }
    tenant, client = settings.tenant_id or "", settings.client_id or ""
    if settings.auth is DataverseAuth.CERTIFICATE:
        password = settings.certificate_password.get_secret_value() if settings.certificate_password else None
        return CertificateCredential(tenant, client, str(settings.certificate_path), password=password, **options)
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    return ClientSecretCredential(tenant, client, secret, **options)


def _translate(error: Exception) -> DataverseError:
    """Say what to do; the messages of Entra ID and of the libraries stay out, for they name tenants and paths."""
    from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError  # noqa: PLC0415

    status = getattr(getattr(error, "response", None), "status_code", None)
    facts = Facts(http_status=status)
    if refusal := _read_refusal(str(error), status):
        return refusal
    # azure-identity wraps a broken connection in the error it uses for refusals.
    if any(isinstance(reason, ServiceRequestError | ServiceResponseError) for reason in (error, error.__cause__)):
        return TokenUnavailableError("no token: the authority cannot be reached", facts=facts)
    if isinstance(error, AzureError):
        return TokenUnavailableError("no token: the authority or the managed identity failed", facts=facts)
    if isinstance(error, OSError):
        return TokenRefusedError("no token: the certificate file cannot be read", facts=facts)
    return TokenRefusedError("no token: the credential settings or the certificate are unusable", facts=facts)


def _read_refusal(text: str, status: int | None) -> DataverseError | None:
    """Find the code of Entra ID in what it says."""
    found = _CODE.search(text)
    if found is None:
        return None
    code = found[0]
    kind = TokenUnavailableError if code in _PASSING else TokenRefusedError
    what = _WHAT_TO_DO.get(code, "look the code up in the error reference of Entra ID")
    return kind(f"no token: {code}: {what}", facts=Facts(http_status=status, dataverse_code=code))


async def try_secret(
    http: httpx.AsyncClient, settings: DataverseSettings, *, client_id: str, secret: SecretStr
) -> None:
    """Obtain a token for Dataverse with a client secret and throw it away; raises DataverseError and SettingsError.

    With httpx instead of azure-identity, so that the demo's own authority can be asked (contract, section 6.1).
    """
    if settings.url is None or settings.tenant_id is None:
        raise SettingsError("SMARTROUTING_DATAVERSE__TENANT_ID is not set: no token can be asked for")
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret.get_secret_value(),
        "scope": find_scope(settings.url),
    }
    try:
        response = await http.post(f"{settings.authority}/{settings.tenant_id}/oauth2/v2.0/token", data=form)
        granted = response.is_success and bool(response.json().get("access_token"))
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise TokenUnavailableError("no token: the authority cannot be reached, or answers oddly") from error
    if not granted:
        usual = TokenUnavailableError("no token: the authority failed", facts=Facts(http_status=response.status_code))
        raise _read_refusal(response.text, response.status_code) or usual
