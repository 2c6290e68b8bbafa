"""What all groups of settings have in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["PREFIX", "Group"]

PREFIX = "SMARTROUTING_"
"""Every variable starts with it."""


class Group(BaseModel):
    """A group of settings: frozen, closed to names it does not know, and silent about values it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
