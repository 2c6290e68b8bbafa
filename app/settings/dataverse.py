"""The customer's organisation in Dataverse, how callers are found in it, and how long they are remembered."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field, SecretStr, model_validator

from app.settings.base import PREFIX, AuthorityUrl, Group, LogicalName, ServiceUrl

__all__ = [
    "AmbiguityPolicy",
    "CacheSettings",
    "DataverseAuth",
    "DataverseSettings",
    "DirectoryKind",
    "GraphSettings",
    "PhoneSettings",
    "TypedLookup",
    "VipCriterion",
    "VipSettings",
]


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


class TypedLookup(Group):
    """What callers type in the IVR, and the column in which it stands."""

    parameter: str = Field(pattern=r"^DYN_[\w.-]{1,96}$")
    table: Literal["contact", "account"] = "account"
    column: LogicalName


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
        default=DirectoryKind.LIVE,
        description="`live` asks Dataverse at the moment of the call; `mirror` looks into a local index first, which "
        "change tracking keeps up.",
    )
    mirror_poll_seconds: float = Field(
        default=15, ge=1, le=3600, description="How often the mirror asks for changes, in seconds."
    )
    contact_phone_columns: tuple[LogicalName, ...] = Field(
        default=("mobilephone", "telephone1", "telephone2"), min_length=1, max_length=8, description="Searched."
    )
    account_phone_columns: tuple[LogicalName, ...] = Field(
        default=("telephone1", "telephone2"), min_length=1, max_length=8, description="Searched."
    )
    lead_phone_columns: tuple[LogicalName, ...] = Field(
        default=(),
        max_length=8,
        description="Searched in leads too, for whom neither a contact nor an account has the number; absent = leads "
        "are not looked up.",
    )
    typed_lookup: TypedLookup | None = Field(
        default=None,
        description="Looks up what a caller typed, such as a customer number, whom the number does not identify: "
        "`parameter` is the queue's, `table` is account or contact, `column` holds texts; absent = not looked up.",
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
    tolerant_searches_per_5_minutes: int = Field(
        default=60,
        ge=0,
        le=1000,
        description="How many callers whom no notation finds are searched once more in any 5 minutes, whatever stands "
        "between the digits; each is a scan for Dataverse. 0 switches it off.",
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


class GraphSettings(Group):
    """Microsoft Graph, which tells when secrets of app registrations expire; absent means that it is not asked."""

    url: ServiceUrl | None = Field(
        default=None,
        description="Microsoft Graph, https://graph.microsoft.com in the public cloud: reads the secrets of app "
        "registrations, with the credentials for Dataverse; absent = they are entered by hand.",
    )
    token: SecretStr | None = Field(default=None, description="A ready-made access token for it; for development.")


class AmbiguityPolicy(StrEnum):
    """What counts when several records share a number and disagree about VIP."""

    ANY = "any"
    """One VIP among them makes the caller a VIP."""
    ALL = "all"
    """Only when every one of them is a VIP."""
    UNKNOWN = "unknown"
    """No guess: `caller.vip` is unknown."""


def _require_region(region: str) -> str:
    if region not in SUPPORTED_REGIONS:
        raise ValueError("is no country with telephone numbers; write its ISO 3166-1 code, such as FI")
    return region


class PhoneSettings(Group):
    """How numbers are read and searched."""

    default_region: Annotated[str, AfterValidator(_require_region)] = Field(
        default="FI", pattern="^[A-Z]{2}$", description="ISO 3166-1 country of numbers without a country code."
    )
    patterns: tuple[str, ...] = Field(
        default=(), max_length=4, description="The customer's own notations of stored numbers, one # a digit."
    )
    number_blocks: bool = Field(
        default=False,
        description="Whether a number that nobody has leads to the company that has registered the number block it "
        "lies in, as the number of its switchboard; never in North America.",
    )
    correct_numbers: bool = Field(
        default=False,
        description="Whether administrators may have numbers in Dynamics rewritten in E.164 (`/admin/numbers`).",
    )


class VipCriterion(Group):
    """One test on one column that makes a record a VIP."""

    table: Literal["contact", "account"]
    column: LogicalName
    op: Literal["is", "is_not", "in", "gt", "gte", "lt", "lte", "contains"] = "is"
    value: bool | int | float | str | tuple[bool | int | float | str, ...]
    label: str | None = Field(default=None, description="How to say it: `is a preferred customer`.")


class VipSettings(Group):
    """What makes a caller a VIP, directly or through their company."""

    criteria: tuple[VipCriterion, ...] = Field(
        default=(
            VipCriterion(
                table="account", column="accountcategorycode", op="is", value=1, label="is a preferred customer"
            ),
        ),
        description="Any one of them suffices.",
    )
    account_depth: int = Field(default=2, ge=0, le=5, description="Parent accounts followed upwards.")
    ambiguous: AmbiguityPolicy = Field(
        default=AmbiguityPolicy.ANY, description="What counts when records that share a number disagree."
    )


class CacheSettings(Group):
    """How long callers are remembered (RFC 5861 for the words stale-while-revalidate and stale-if-error)."""

    fresh_seconds: float = Field(default=60, ge=0, le=3600, description="A caller younger than this is not asked for.")
    stale_seconds: float = Field(
        default=86400, ge=0, le=604800, description="A caller younger than this is answered while it is asked anew."
    )
    negative_seconds: float = Field(
        default=30, ge=0, le=3600, description="How long a number without a record is remembered."
    )
    size: int = Field(default=50000, ge=100, le=1000000, description="Numbers remembered.")

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.stale_seconds < self.fresh_seconds:
            raise ValueError(f"{PREFIX}CACHE__STALE_SECONDS must not be less than {PREFIX}CACHE__FRESH_SECONDS")
        return self
