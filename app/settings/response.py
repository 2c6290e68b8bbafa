"""How a decision is spelled for this installation of Enreach."""

from typing import Literal

from pydantic import Field, field_validator

from app.settings.group import Group

__all__ = ["ResponseSettings", "WireField"]


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
