"""Facts from which an agent is taken: what holds no Enreach user id."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.decisions import DestinationKind
from app.routing.lint_columns import fault
from app.routing.lint_conditions import KnownColumns, find_unknown_member, may_look_up_user
from app.routing.registry import FACTS, FAMILIES, ROTAS, find_fact
from app.routing.ruleset import Ruleset

__all__ = ["find_agent_faults"]


def find_agent_faults(
    fact: str, pointer: str, rule: str | None, ruleset: Ruleset, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find why a fact that stands for an agent holds none, or not always."""
    unknown = list(find_unknown_member(fact, pointer, rule, ruleset, known_columns))
    yield from unknown or _find_no_agent(fact, pointer, rule, known_columns)
    yield from _find_no_user(fact, pointer, rule, ruleset)


def _find_no_agent(fact: str, pointer: str, rule: str | None, known_columns: KnownColumns | None) -> Iterator[Finding]:
    """Find what holds no Enreach id: facts of another kind, and columns that do not look up a user."""
    spec = find_fact(fact)
    if spec is not None and spec.agent and not may_look_up_user(fact, known_columns):
        message = f"{fact} is no look-up of a user, and only that becomes an Enreach user id"
        yield fault(rule, "no-agent-fact", pointer, message, "name a look-up of a user, like _ownerid_value")
    elif spec is None or not spec.agent:
        agents = [name for name, known in FACTS.items() if known.agent]
        families = [f"{prefix}<name>" for prefix, known in FAMILIES.items() if known.agent]
        yield fault(
            rule,
            "no-agent-fact",
            pointer,
            f"{fact} holds no Enreach user id",
            f"these can: {', '.join([*agents, *families])}",
        )


def _find_no_user(fact: str, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    """Find members of a rota that no call can go to as to an agent."""
    if not fact.startswith(ROTAS):
        return
    members = ruleset.find_members(fact.removeprefix(ROTAS)).items()
    others = [name for name, place in members if place.kind is not DestinationKind.USER]
    if others:
        message = f"{fact} holds no Enreach user id while {' or '.join(others)} is on call"
        hint = "let every member be a destination of kind user, or `redirect` to the rota"
        yield fault(rule, "no-agent-fact", pointer, message, hint)
