"""What the routes of rulesets share."""

from typing import Annotated

from fastapi import Depends, Request

from app.rulesets.components import RulesetComponents, RulesetsState
from app.web.state import read_state

__all__ = ["RulesetsDep"]


def _read_components(request: Request) -> RulesetComponents:
    return read_state(request.scope, RulesetsState)["rulesets"]


RulesetsDep = Annotated[RulesetComponents, Depends(_read_components)]
