"""The groups of settings, each with its own checks."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import override

from app.settings.addresses import AuthorityUrl, Network, ServiceUrl, require_https
from app.settings.group import PREFIX, Group

__all__ = [
    "AdminKey",
    "AdminSettings",
    "AmbiguityPolicy",
    "CacheSettings",
    "DataverseAuth",
    "DataverseSettings",
    "DirectoryKind",
    "EnreachSettings",
    "LogSettings",
    "PhoneSettings",
    "ResponseSettings",
    "Role",
    "RulesSettings",
    "StoreSettings",
    "VipCriterion",
    "VipSettings",
    "VoiceSettings",
    "WebhookSettings",
    "WireField",
]

LogicalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
"""A Dataverse column or table by its lower-case logical name."""


class Role(StrEnum):
    """The roles of Voice for Dynamics 365 (administrator guide, "Required User Roles & Privileges")."""

    VOICE_ADMIN_USER = "Voice Admin User"
    """Configures Voice: may read and change everything here."""
    VOICE_API_USER = "Voice ApiUser"
    """A program: may read and simulate."""
    VOICE_USER = "Voice User"
    """An end user: sees only their own readiness."""

    @classmethod
    @override
    def _missing_(cls, value: object) -> "Role | None":
        """Accept `admin`, `voice_admin_user`, `apiuser` and the like for the names of the guide."""
        plain = "".join(c for c in str(value).casefold() if c.isalnum()).removeprefix("voice")
        return {
            "adminuser": cls.VOICE_ADMIN_USER,
            "admin": cls.VOICE_ADMIN_USER,
            "apiuser": cls.VOICE_API_USER,
            "api": cls.VOICE_API_USER,
            "user": cls.VOICE_USER,
        }.get(plain)


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


class AmbiguityPolicy(StrEnum):
    """What counts when several records share a number and disagree about VIP."""

    ANY = "any"
    """One VIP among them makes the caller a VIP."""
    ALL = "all"
    """Only when every one of them is a VIP."""
    UNKNOWN = "unknown"
    """Nobody guesses: `caller.vip` is unknown."""


_SHORTEST_ADMIN_KEY = 8


class WebhookSettings(Group):
    """Who may call the webhook, and how long an answer may take."""

    api_keys: dict[str, SecretStr] = Field(default={}, description="Label -> key of header X-Benemen-APIKey.")
    basic_users: dict[str, SecretStr] = Field(default={}, description="User -> password of HTTP Basic.")
    allowed_networks: tuple[Network, ...] = Field(default=(), description="Source networks; empty allows any.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks of proxies whose X-Forwarded-For is believed."
    )
    deadline_ms: int = Field(default=1500, ge=50, le=4900, description="Total time for one answer, in milliseconds.")
    max_body_bytes: int = Field(default=65536, ge=1024, le=1048576, description="Largest request body, in bytes.")
    retiring: dict[str, date] = Field(
        default={}, description="Label of a key or Basic user -> the day it is to be removed; use near it is an alarm."
    )

    @field_validator("api_keys", "basic_users")
    @classmethod
    def _refuse_empty_secrets(cls, secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not all(label.strip() and secret.get_secret_value().strip() for label, secret in secrets.items()):
            raise ValueError("every label and every secret needs at least one character")
        return secrets

    @field_validator("api_keys")
    @classmethod
    def _refuse_shared_keys(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return require_different(keys)

    @field_validator("basic_users")
    @classmethod
    def _refuse_colons(cls, users: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if any(":" in user for user in users):
            raise ValueError("HTTP Basic knows no user with a colon in the name (RFC 7617, section 2)")
        return users

    @model_validator(mode="after")
    def _refuse_strange_labels(self) -> Self:
        if strange := sorted(self.retiring.keys() - self.api_keys.keys() - self.basic_users.keys()):
            raise ValueError(f"{PREFIX}WEBHOOK__RETIRING names {', '.join(strange)}, which is no key and no Basic user")
        return self

    @model_validator(mode="after")
    def _refuse_shared_labels(self) -> Self:
        if shared := sorted(self.api_keys.keys() & self.basic_users.keys()):
            raise ValueError(
                f"{', '.join(shared)} labels both an API key and a Basic user; reports could not tell them"
            )
        return self


class PhoneSettings(Group):
    """How numbers are read and searched."""

    default_region: str = Field(
        default="FI", pattern="^[A-Z]{2}$", description="ISO 3166-1 country of numbers without a country code."
    )
    patterns: tuple[str, ...] = Field(
        default=(), max_length=4, description="The customer's own notations of stored numbers, one # a digit."
    )


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
    directory: DirectoryKind = Field(default=DirectoryKind.LIVE, description="`live` or `mirror`.")
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
        default=20,
        ge=1,
        le=200,
        description="Concurrent requests. Dataverse publishes a limit of 52 per user and web server: go beyond it only "
        "where the organisation is known to have several, or requests will be throttled.",
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
    negative_seconds: float = Field(default=30, ge=0, le=3600, description="How long nobody is believed to be nobody.")
    size: int = Field(default=50000, ge=100, le=1000000, description="Numbers remembered.")

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.stale_seconds < self.fresh_seconds:
            raise ValueError(f"{PREFIX}CACHE__STALE_SECONDS must not be less than {PREFIX}CACHE__FRESH_SECONDS")
        return self


class EnreachSettings(Group):
    """The Enreach API; absent means not configured."""

    url: ServiceUrl | None = Field(default=None, description="The API endpoint of the customer's silo.")
    user: str | None = Field(default=None, description="The e-mail address of the API user.")
    secret: SecretStr | None = Field(default=None, description="Its secret key.")

    @model_validator(mode="after")
    def _require_all(self) -> Self:
        if self.url and not (self.user and self.secret):
            raise ValueError(f"a URL needs {PREFIX}ENREACH__USER and {PREFIX}ENREACH__SECRET")
        return self


class VoiceSettings(Group):
    """What this customer calls the roles and profiles that carry Voice."""

    equivalent_roles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Further Dynamics roles that carry the privileges of Voice User."
    )
    agent_profiles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Agent experience profiles with the Voice channel; empty = all of them."
    )


class StoreSettings(Group):
    """Where rulesets, decisions and the audit live."""

    url: str = Field(
        default="sqlite:///data/smartrouting.db",
        pattern=r"^(sqlite:///.+|postgresql://.+)$",
        description="sqlite:///path or postgresql://user:password@host/database.",
    )
    journal: Path = Field(default=Path("data/journal"), description="Folder of the journal that survives a crash.")
    retention_days: int = Field(default=90, ge=1, le=3650, description="How long decisions are kept.")


class RulesSettings(Group):
    """Rules that travel with the deployment."""

    file: Path | None = Field(default=None, description="Ruleset file, published at start when it differs.")


class AdminKey(Group):
    """A key for scripts and first set-up."""

    key: SecretStr
    role: Role

    @field_validator("key")
    @classmethod
    def _refuse_short_key(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value().strip()) < _SHORTEST_ADMIN_KEY:
            raise ValueError(f"a key needs at least {_SHORTEST_ADMIN_KEY} characters")
        return key


class AdminSettings(Group):
    """Who may use the administrators' endpoints."""

    api_keys: dict[str, AdminKey] = Field(default={}, description="Label -> key and role.")
    oidc_issuer: str | None = Field(default=None, description="Issuer of OpenID Connect access tokens.")
    oidc_audience: str | None = Field(default=None, description="The audience our tokens name.")
    oidc_role_claim: str = Field(default="roles", description="The claim that carries roles; dots descend.")
    oidc_roles: dict[str, Role] = Field(
        default={}, description="Value of the claim -> role, for values that are no names of Voice roles."
    )
    oidc_client_id: str | None = Field(default=None, description="The public client Swagger UI signs in with.")
    oidc_scopes: tuple[str, ...] = Field(default=("openid",), description="What Swagger UI asks for.")

    @field_validator("oidc_issuer")
    @classmethod
    def _require_https_issuer(cls, issuer: str | None) -> str | None:
        # The text stays as it is: tokens name their issuer letter by letter, a trailing slash included.
        if issuer is not None:
            require_https(issuer)
        return issuer

    @field_validator("api_keys")
    @classmethod
    def _refuse_shared_keys(cls, keys: dict[str, AdminKey]) -> dict[str, AdminKey]:
        require_different({label: entry.key for label, entry in keys.items()})
        return keys

    @model_validator(mode="after")
    def _require_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError(f"an issuer needs {PREFIX}ADMIN__OIDC_AUDIENCE")
        return self


class WireField(Group):
    """How one field of a decision is spelled on the wire of this installation."""

    key: str = Field(min_length=1, max_length=100, description="The key, exactly as Enreach gave it.")
    shape: Literal["text", "number", "list", "comma_list", "objects", "culture_map"] = "text"
    culture_key: str = Field(default="", max_length=100, description="Key of a message's culture, for `objects`.")
    text_key: str = Field(default="", max_length=100, description="Key of a message's text, for `objects`.")


class ResponseSettings(Group):
    """The response profile: only `InitialTarget` and `FailTarget` are verified vendor keys (Enreach contract, 1.5)."""

    no_change_status: Literal[204, 404] = Field(default=204, description="Status that means no instructions.")
    fields: dict[Literal["required_agent", "preferred_agents", "priority", "extra_priority", "messages"], WireField] = (
        Field(default={}, description="Decision field -> wire key and shape; absent fields cannot be published.")
    )
    targets: dict[Literal["queue", "user", "number"], str] = Field(
        default={}, description="Destination kind -> template around {id}; default is the id as it is."
    )

    @field_validator("targets")
    @classmethod
    def _require_place(cls, targets: dict[str, str]) -> dict[str, str]:
        for kind, template in targets.items():
            if template.count("{id}") != 1:
                raise ValueError(f"the template of {kind} must contain {{id}} once")
        return targets


class LogSettings(Group):
    """What is written to standard output."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["json", "console"] = Field(default="json", description="`json` for machines.")


def require_different(secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuse one secret under two labels: its use could not be told apart, nor one of them be retired."""
    if len({secret.get_secret_value().strip() for secret in secrets.values()}) < len(secrets):
        raise ValueError("two labels have the same secret")
    return secrets
