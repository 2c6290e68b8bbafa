"""The customer's organisation in Dataverse."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from app.settings.addresses import AuthorityUrl, ServiceUrl
from app.settings.group import PREFIX, Group
from app.settings.logical_names import LogicalName

__all__ = ["DataverseAuth", "DataverseSettings", "DirectoryKind"]


class DataverseAuth(StrEnum):
    """How the service proves to Entra ID who it is."""

    CLIENT_SECRET = "client_secret"  # noqa: S105 - the name of a method, not a secret
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed_identity"
    TOKEN = "token"  # noqa: S105 - the name of a method, not a secret
    """A ready-made access token; for development."""


class DirectoryKind(StrEnum):
    """Where callers are looked up."""

    LIVE = "live"
    """In Dataverse, at the moment of the call."""
    MIRROR = "mirror"
    """In a local index kept up by change tracking."""


class DataverseSettings(Group):
    """The customer's organisation and how to read callers from it."""

    url: ServiceUrl | None = Field(default=None, description="The organisation URL, https (http for loopback only).")
    auth: DataverseAuth = Field(default=DataverseAuth.CLIENT_SECRET, description="How a token is obtained.")
    tenant_id: str | None = Field(default=None, description="The Entra tenant.")
    client_id: str | None = Field(default=None, description="The app registration, or a user-assigned identity.")
    client_secret: SecretStr | None = Field(default=None, description="For `client_secret`.")
    certificate_path: Path | None = Field(default=None, description="PEM or PKCS12 file, for `certificate`.")
    certificate_password: SecretStr | None = Field(default=None, description="Password of that file, if any.")
    token: SecretStr | None = Field(default=None, description="A ready-made access token, for `token`.")
    authority: AuthorityUrl = Field(
        default="https://login.microsoftonline.com", description="Where tokens are issued; https."
    )
    directory: DirectoryKind = Field(
        default=DirectoryKind.LIVE, description="`live`; `mirror` is not available in this version."
    )
    contact_phone_columns: tuple[LogicalName, ...] = Field(
        default=("mobilephone", "telephone1", "telephone2"), min_length=1, max_length=8, description="Searched."
    )
    account_phone_columns: tuple[LogicalName, ...] = Field(
        default=("telephone1", "telephone2"), min_length=1, max_length=8, description="Searched."
    )
    agent_id_column: LogicalName | None = Field(
        default=None,
        description="Column of systemuser that holds the Enreach user id; absent = the ids kept in our own store.",
    )
    agent_email_column: LogicalName | None = Field(
        default=None, description="Column of systemuser that holds the e-mail address in Enreach where it differs."
    )
    max_connections: int = Field(
        default=50,
        ge=1,
        le=200,
        description="Concurrent requests, of which a tenth is kept for what is no call. Dataverse publishes a limit of "
        "52 per user and web server: go beyond it only where the organisation is known to have several, or requests "
        "will be throttled.",
    )
    requests_per_5_minutes: int = Field(
        default=5400, ge=10, le=60000, description="Most requests sent in any 5 minutes; the published limit is 6,000."
    )
    emulator_data: Path | None = Field(default=None, description="Tables of the embedded emulator, demo only.")

    @model_validator(mode="after")
    def _keep_ids_together(self) -> Self:
        if self.agent_email_column and not self.agent_id_column:
            raise ValueError(
                f"{PREFIX}DATAVERSE__AGENT_EMAIL_COLUMN needs {PREFIX}DATAVERSE__AGENT_ID_COLUMN: ids and "
                "addresses are kept in one place"
            )
        return self

    @model_validator(mode="after")
    def _require_credentials(self) -> Self:
        needed: dict[DataverseAuth, tuple[str, ...]] = {
            DataverseAuth.CLIENT_SECRET: ("tenant_id", "client_id", "client_secret"),
            DataverseAuth.CERTIFICATE: ("tenant_id", "client_id", "certificate_path"),
            DataverseAuth.MANAGED_IDENTITY: (),
            DataverseAuth.TOKEN: ("token",),
        }
        missing = [name for name in needed[self.auth] if self.url and getattr(self, name) is None]
        if missing:
            names = ", ".join(f"{PREFIX}DATAVERSE__{name.upper()}" for name in missing)
            raise ValueError(f"auth={self.auth} with a URL needs {names}")
        return self
