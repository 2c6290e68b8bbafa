"""Agents that facts hold, and whether they take calls, as Enreach told it beside calls a moment ago."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from app.routing.callers import Cause
from app.routing.decisions import DestinationKind
from app.routing.evaluation import fold
from app.routing.facts import FactValue, Unknown
from app.routing.registry import AGENTS, ROTAS
from app.routing.ruleset import Ruleset

__all__ = [
    "AgentState",
    "AgentStates",
    "find_agent_fact",
    "list_rota_agents",
    "make_agent_reader",
    "read_agent",
    "tell_agent",
]

_NOT_READ = Unknown(Cause.NOT_CONFIGURED, "the availability of agents is not read")
_NOT_TOLD = Unknown(Cause.NOT_FETCHED, "Enreach has not told it of this agent, at least not yet")


class AgentState(msgspec.Struct, frozen=True):
    """Whether an agent took calls."""

    at: float
    """When Enreach was asked, in seconds since the epoch."""
    max_age: float
    """In seconds: for how long it counts."""
    available: bool


class AgentStates(Protocol):
    """What is known about agents."""

    def find(self, agent: str) -> AgentState | None:
        """Return the state of an agent by the Enreach user id, and have it read from now on."""


def find_agent_fact(fact: str) -> str:
    """Return the fact that holds the agent, as `caller.owner_agent` of `agent.available.caller.owner_agent`."""
    return fact.removeprefix(AGENTS)


def tell_agent(states: AgentStates | None, agent: str | None, at: float) -> FactValue:
    """Tell whether an agent is available at a moment, in seconds since the epoch; nobody is not."""
    if agent is None:
        return None
    if states is None:
        return _NOT_READ
    state = states.find(agent)
    if state is None:
        return _NOT_TOLD
    if abs(at - state.at) > state.max_age:
        return Unknown(Cause.TIMEOUT, f"Enreach last told it more than {state.max_age:g} seconds ago")
    return state.available


def read_agent(value: FactValue) -> str | None:
    """Return the Enreach user id a fact holds; `None` when it holds none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def list_rota_agents(fact: str, ruleset: Ruleset) -> Mapping[str, str] | None:
    """List the Enreach user ids of a rota's members by name; `None` for a fact that holds an id itself."""
    if not fact.startswith(ROTAS):
        return None
    members = ruleset.find_members(fact.removeprefix(ROTAS))
    return {name: place.id for name, place in members.items() if place.kind is DestinationKind.USER}


def make_agent_reader(
    agent_facts: Iterable[str], ruleset: Ruleset
) -> Callable[[Mapping[str, FactValue], str | None], str | None]:
    """Make what returns the Enreach user id that one of these facts holds, also of whoever is on call by a rota."""
    rotas = {
        fact: {fold(name): place for name, place in members.items()}
        for fact in agent_facts
        if (members := list_rota_agents(fact, ruleset)) is not None
    }

    def read(facts: Mapping[str, FactValue], name: str | None) -> str | None:
        if name is None:
            return None
        ids = rotas.get(name)
        return read_agent(facts[name]) if ids is None else ids.get(fold(facts[name]))

    return read
