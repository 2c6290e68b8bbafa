"""The components of the configurator."""

from dataclasses import dataclass
from typing import TypedDict

from app.configurator.authentication_mode import AuthenticationModes

__all__ = ["ConfiguratorComponents", "ConfiguratorState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguratorComponents:
    """What the routes of this capability use."""

    authentication_modes: AuthenticationModes


class ConfiguratorState(TypedDict):
    """Its place in the lifespan state."""

    configurator: ConfiguratorComponents
