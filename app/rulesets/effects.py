"""What a decision does to a call, whichever rule chose it, and how to say it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.routing.decisions import Decision, Destination, DestinationKind, Outcome
from app.routing.ruleset import Ruleset

__all__ = ["STAY", "Effect", "Names", "name_differences", "read_decision", "read_document"]

Place = tuple[str, str]
"""Kind and id of a destination."""


class Effect(NamedTuple):
    """Everything of a decision that the caller, or Enreach, would notice."""

    outcome: str
    target: Place | None = None
    fail_target: Place | None = None
    required_agent: str | None = None
    preferred_agents: tuple[str, ...] = ()
    priority: int | None = None
    extra_priority: int | None = None
    messages: tuple[tuple[str, str], ...] = ()


STAY = Effect(Outcome.NO_CHANGE.value)
"""The call stays where it is."""


class Names:
    """Knows what people call the places calls go to."""

    def __init__(self, *rulesets: Ruleset, queues: Mapping[str, str | None] | None = None) -> None:
        """`queues` are names of queues by id, as Enreach tells them; those of the first ruleset win over all others."""
        self._names = {
            (DestinationKind.QUEUE.value, place.casefold()): name for place, name in (queues or {}).items() if name
        }
        for ruleset in reversed(rulesets):
            for name, spec in ruleset.destinations.items():
                self._names[spec.kind.value, spec.id.casefold()] = spec.label or name

    def describe(self, effect: Effect, queue_id: str | None, target_id: str | None) -> str:
        """Say where the effect leaves a call that is in this queue."""
        if effect.outcome == Outcome.DISCONNECT:
            return "disconnected"
        if effect.target is not None:
            return self._name(*effect.target) or _name_stranger(effect.target[0])
        return self._name(DestinationKind.QUEUE.value, queue_id or "") or target_id or "the queue it is in"

    def _name(self, kind: str, place: str) -> str | None:
        return self._names.get((kind, place.casefold()))


def read_decision(decision: Decision) -> Effect:
    """Take the effect of a decision."""
    if decision.outcome is Outcome.NO_CHANGE:
        return STAY
    return Effect(
        outcome=decision.outcome.value,
        target=_place(decision.target),
        fail_target=_place(decision.fail_target),
        required_agent=decision.required_agent,
        preferred_agents=decision.preferred_agents,
        priority=decision.priority,
        extra_priority=decision.extra_priority,
        messages=tuple((message.culture, message.text) for message in decision.messages),
    )


def read_document(document: Mapping[str, Any]) -> Effect:
    """Take the effect of a decision as the decision log spells it (see `decision_document`)."""
    if document["outcome"] == Outcome.NO_CHANGE:
        return STAY
    return Effect(
        outcome=document["outcome"],
        target=_read_place(document.get("target")),
        fail_target=_read_place(document.get("fail_target")),
        required_agent=document.get("required_agent"),
        preferred_agents=tuple(document.get("preferred_agents", ())),
        priority=document.get("priority"),
        extra_priority=document.get("extra_priority"),
        messages=tuple((message["culture"], message["text"]) for message in document.get("messages", ())),
    )


def name_differences(before: Effect, after: Effect) -> tuple[str, ...]:
    """Name the members in which two effects differ."""
    return tuple(name for name, old, new in zip(Effect._fields, before, after, strict=True) if old != new)


def _place(destination: Destination | None) -> Place | None:
    return None if destination is None else (destination.kind.value, destination.id)


def _read_place(document: Mapping[str, str] | None) -> Place | None:
    return None if document is None else (document["kind"], document["id"])


def _name_stranger(kind: str) -> str:
    return "an agent" if kind == DestinationKind.USER else f"another {kind}"
