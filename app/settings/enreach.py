"""The Enreach API, what this customer calls the parts of Voice, and how a decision is spelled for Enreach."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.base import PREFIX, Group, ServiceUrl

__all__ = ["EnreachSettings", "Framework", "ResponseSettings", "VoiceSettings", "WireField"]


class EnreachSettings(Group):
    """The Enreach API; absent means not configured."""

    url: ServiceUrl | None = Field(default=None, description="The API endpoint of the customer's silo.")
    user: str | None = Field(default=None, description="The e-mail address of the API user.")
    secret: SecretStr | None = Field(default=None, description="Its secret key.")
    queue_poll_seconds: float | None = Field(
        default=None, ge=5, le=300, description="Read the states of queues for rules, so often; absent = never."
    )
    queue_max_age_seconds: float = Field(
        default=60,
        ge=5,
        le=3600,
        description="So old the state of a queue may be; rules do not know an older one.",
    )
    agent_poll_seconds: float | None = Field(
        default=None,
        ge=5,
        le=300,
        description="Read whether agents that rules ask about take calls, so often; absent = never. One request each.",
    )
    agent_max_age_seconds: float = Field(
        default=60, ge=5, le=3600, description="So old an agent's availability may be; rules do not know an older one."
    )
    availability_key: str = Field(
        default="EventTypeID", min_length=1, max_length=100, description="The key that tells what an availability is."
    )
    unavailable_values: tuple[str, ...] = Field(
        default=("3",), max_length=50, description="Its values that take no calls; only 3, do not disturb, is known."
    )

    @model_validator(mode="after")
    def _require_all(self) -> Self:
        if self.url and not (self.user and self.secret):
            raise ValueError(f"a URL needs {PREFIX}ENREACH__USER and {PREFIX}ENREACH__SECRET")
        return self


class Framework(StrEnum):
    """The channel integration framework of the users' app."""

    CIF1 = "cif1"
    """Classic model-driven apps."""
    CIF2 = "cif2"
    """Multisession apps, with agent experience profiles."""
    CIF2_OMNICHANNEL = "cif2_omnichannel"
    """Multisession apps with Omnichannel."""


class VoiceSettings(Group):
    """How Voice is used by this customer, and what they call the roles and profiles that carry it."""

    framework: Framework = Field(
        default=Framework.CIF1, description="`cif2` and `cif2_omnichannel` take agent experience profiles into account."
    )

    equivalent_roles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Further Dynamics roles that carry the privileges of Voice User."
    )
    agent_profiles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Agent experience profiles with the Voice channel; empty = all of them."
    )


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
            if set("{}") & set(template.replace("{id}", "")):
                raise ValueError(f"the template of {kind} has another place than {{id}}, which nothing fills")
        return targets
