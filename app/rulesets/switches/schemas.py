"""JSON bodies of switches."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from app.rulesets.switches.store import StoredSwitch
from app.web.parameters import AnyMoment, ShownTime

__all__ = ["SwitchBody", "SwitchList", "SwitchState"]


class SwitchState(BaseModel):
    """What a switch is to be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"on": True, "reason": "The main line is cut", "off_at": "2027-03-04T16:00:00Z"}]
        },
    )

    on: StrictBool
    reason: str = Field(default="", max_length=500, description="Why; needed to turn it on. Kept in the audit.")
    off_at: AnyMoment | None = Field(default=None, description="When it goes off by itself; without it, never.")

    @model_validator(mode="after")
    def _require_reason(self) -> Self:
        if self.on and not self.reason.strip():
            raise ValueError("say in `reason` why it is turned on; alerts and audit lead to it")
        if not self.on and self.off_at is not None:
            raise ValueError("`off_at` goes with a switch that is on; leave it out")
        return self


class SwitchBody(BaseModel):
    """A switch as it is now."""

    name: str
    on: bool = Field(description="Whether it is on at this moment; false after `off_at`.")
    reason: str
    off_at: ShownTime | None = Field(description="When it goes off, or went off, by itself.")
    author: str = Field(description="Who set it last.")
    at: ShownTime = Field(description="When it was set.")

    @classmethod
    def of(cls, switch: StoredSwitch, now: float) -> Self:
        """Take a switch at a moment, in seconds since the epoch."""
        return cls(
            name=switch.name,
            on=switch.state.is_on(now),
            reason=switch.reason,
            off_at=switch.off_at,  # type: ignore[arg-type] # seconds are shown as a time
            author=switch.author,
            at=switch.at,  # type: ignore[arg-type] # as above
        )


class SwitchList(BaseModel):
    """All switches, by name."""

    items: list[SwitchBody]
    next: None = Field(default=None, description="Always null: there are never more than one page.")
