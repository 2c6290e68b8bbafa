"""Actions that cannot be carried out: fields the wire has no key for, agents that are none."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.action import Action
from app.routing.documents import join_pointer
from app.routing.lint_facts import KnownColumns, find_unknown_member
from app.routing.registry import FACTS, FAMILIES, find_fact
from app.routing.ruleset import Rule, Ruleset
from app.routing.wire import FIELDS, ResponseProfile

__all__ = ["find_action_faults"]


def find_action_faults(
    rule: Rule, pointer: str, ruleset: Ruleset, profile: ResponseProfile, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find what is wrong with the action of one rule."""
    yield from _find_unspoken_fields(rule, pointer, profile)
    yield from _find_lost_fields(rule, pointer)
    for place, fact in _list_agents(rule.then, f"{pointer}/then"):
        yield from find_unknown_member(fact, place, rule.id, ruleset, known_columns)
        yield from _find_no_agent(fact, place, rule.id)


def _find_unspoken_fields(rule: Rule, pointer: str, profile: ResponseProfile) -> Iterator[Finding]:
    for name in FIELDS:
        if _is_set(rule.then, name) and name not in profile.fields:
            yield Finding(
                code="no-wire-key",
                pointer=f"{pointer}/then/{name}",
                message=f"{name} has no wire key in the response profile, so it would never be sent",
                hint=f"ask Enreach for the key and set SMARTROUTING_RESPONSE__FIELDS for {name}, or leave it out",
                rule=rule.id,
            )


def _find_lost_fields(rule: Rule, pointer: str) -> Iterator[Finding]:
    lost: tuple[str, ...] = ()
    if rule.then.no_change:
        lost = (*FIELDS, "on_fail")
    elif rule.then.disconnect:
        lost = ("on_fail",)
    for name in lost:
        if _is_set(rule.then, name):
            yield Finding(
                code="lost-field",
                pointer=f"{pointer}/then/{name}",
                message=f"{name} is not sent without a redirect",
                hint="redirect to the queue the call is in, to keep it there",
                rule=rule.id,
                severity="warning",
            )


def _is_set(then: Action, name: str) -> bool:
    value = getattr(then, name)
    return value is not None and value != ()


def _list_agents(then: Action, pointer: str) -> Iterator[tuple[str, str]]:
    for name in ("redirect_to_agent", "required_agent"):
        if fact := getattr(then, name):
            yield f"{pointer}/{name}", fact
    for index, fact in enumerate(then.preferred_agents):
        yield pointer + join_pointer("preferred_agents", index), fact


def _find_no_agent(fact: str, pointer: str, rule: str) -> Iterator[Finding]:
    spec = find_fact(fact)
    if spec is not None and not spec.agent:
        agents = [name for name, known in FACTS.items() if known.agent]
        families = [f"{prefix}<name>" for prefix, known in FAMILIES.items() if known.agent]
        message, hint = f"{fact} holds no Enreach user id", f"these can: {', '.join([*agents, *families])}"
        yield Finding(code="no-agent-fact", pointer=pointer, message=message, hint=hint, rule=rule)
