"""What the routes of configurator share."""

from typing import Annotated

from fastapi import Depends, Request

from app.configurator.components import ConfiguratorComponents, ConfiguratorState
from app.web.state import read_state

__all__ = ["ConfiguratorDep"]


def _read_components(request: Request) -> ConfiguratorComponents:
    return read_state(request.scope, ConfiguratorState)["configurator"]


ConfiguratorDep = Annotated[ConfiguratorComponents, Depends(_read_components)]
