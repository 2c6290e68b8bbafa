"""What a rule does with a call, as the ruleset file writes it."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StringConstraints, field_validator, model_validator

from app.routing.condition import check_fact
from app.routing.documents import Part, refuse

__all__ = ["Action", "MessageSpec", "Name"]

Name = Annotated[str, StringConstraints(pattern=r"^[\w+][\w .:+-]{0,99}$")]
"""What rules, destinations and calendars are called: letters, digits, spaces and `. : + - _`, at most 100."""
Number = Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000)]
FactName = Annotated[str, Field(min_length=1, max_length=200)]

_CHOICES = ("redirect", "redirect_to_agent", "disconnect", "no_change")


class MessageSpec(Part):
    """A text spoken to the caller in one language."""

    culture: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="Language tag, e.g. fi-FI.")
    text: str = Field(min_length=1, max_length=2000)


class Action(Part):
    """Exactly one of `redirect`, `redirect_to_agent`, `disconnect`, `no_change`, and what goes with it."""

    redirect: Name | None = None
    """The name of a destination."""
    redirect_to_agent: FactName | None = None
    """A fact that holds an Enreach user id; the rule matches only when it does."""
    disconnect: Literal[True] | None = None
    no_change: Literal[True] | None = None
    on_fail: Name | None = None
    """The destination when the target does not take the call."""
    required_agent: FactName | None = None
    """A fact that holds an Enreach user id; the rule matches only when it does."""
    preferred_agents: tuple[FactName, ...] = Field(default=(), max_length=20)
    """Facts that may hold Enreach user ids, best first; one that does not is skipped."""
    priority: Number | None = None
    extra_priority: Number | None = None
    messages: tuple[MessageSpec, ...] = Field(default=(), max_length=20)

    @field_validator("redirect_to_agent", "required_agent")
    @classmethod
    def _check_fact(cls, fact: str | None) -> str | None:
        return None if fact is None else check_fact(fact)

    @field_validator("preferred_agents")
    @classmethod
    def _check_facts(cls, facts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_fact(fact) for fact in facts)

    @model_validator(mode="after")
    def _require_one_choice(self) -> Self:
        chosen = [name for name in _CHOICES if getattr(self, name) is not None]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "nothing"
            raise refuse("not-one-action", f"{found} was chosen", f"choose exactly one of {', '.join(_CHOICES)}")
        return self

    @property
    def needed_agents(self) -> tuple[str, ...]:
        """The agent facts without which the rule does not match."""
        return tuple(dict.fromkeys(fact for fact in (self.redirect_to_agent, self.required_agent) if fact is not None))

    @property
    def agent_facts(self) -> tuple[str, ...]:
        """Every agent fact the action reads."""
        return tuple(dict.fromkeys((*self.needed_agents, *self.preferred_agents)))
