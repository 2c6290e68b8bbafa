"""How a decision is spelled: on the wire of the customer's installation, in the decision log, and for people.

Only `InitialTarget`, `FailTarget` and the value `DISCONNECT:` are verified (Enreach contract, section 1.5). Everything
else goes out only under a key the integrator has set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
import orjson

from app.routing.decisions import Decision, Destination, DestinationKind, Message, Outcome

__all__ = [
    "FIELDS",
    "FITTING_SHAPES",
    "FieldSpelling",
    "ResponseProfile",
    "Shape",
    "WireAnswer",
    "decision_document",
    "describe_decision",
    "encode_decision",
]

_TARGET, _FAIL_TARGET, _DISCONNECT = "InitialTarget", "FailTarget", "DISCONNECT:"
_OK = 200
_TWO_KEYS = 3
"""Two different keys, and the empty one."""


class Shape(StrEnum):
    """In which JSON a field's value goes out."""

    TEXT = "text"
    """The value, or the first of several, as text."""
    NUMBER = "number"
    LIST = "list"
    """A list, also of one; messages as their texts."""
    COMMA_LIST = "comma_list"
    """Text, joined by commas."""
    OBJECTS = "objects"
    """Messages as a list of objects, whose two keys the spelling names."""
    CULTURE_MAP = "culture_map"
    """Messages as one object, culture to text."""


_NUMBERS = frozenset({Shape.TEXT, Shape.NUMBER})
_AGENTS = frozenset({Shape.TEXT, Shape.LIST, Shape.COMMA_LIST})
FITTING_SHAPES: Mapping[str, frozenset[Shape]] = {
    "required_agent": _AGENTS,
    "preferred_agents": _AGENTS,
    "priority": _NUMBERS,
    "extra_priority": _NUMBERS,
    "messages": frozenset({Shape.TEXT, Shape.LIST, Shape.OBJECTS, Shape.CULTURE_MAP}),
}
"""Which shapes a field of a decision can take."""
FIELDS = tuple(FITTING_SHAPES)
"""The fields of a decision that have no verified wire key."""


@dataclass(frozen=True, slots=True)
class FieldSpelling:
    """How one field of a decision is spelled."""

    key: str
    shape: Shape
    culture_key: str = ""
    """Key of a message's culture, for shape `objects`; no vendor key is known, so there is no default."""
    text_key: str = ""
    """Key of a message's text, for shape `objects`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseProfile:
    """How decisions are spelled for one Enreach installation; raises ValueError when it contradicts itself."""

    no_change_status: int = 204
    """The status that means no instructions; never 200."""
    fields: Mapping[str, FieldSpelling] = field(default_factory=dict)
    """Decision field to spelling."""
    targets: Mapping[DestinationKind, str] = field(default_factory=dict)
    """Destination kind to a template around `{id}`; without one the id goes out as it is."""

    def __post_init__(self) -> None:
        keys = [_TARGET, _FAIL_TARGET, *(spelling.key for spelling in self.fields.values())]
        if len(set(keys)) != len(keys):
            raise ValueError("two fields of the response profile have one wire key")
        if self.no_change_status == _OK:
            raise ValueError("no change is never spelled as 200")
        for name, spelling in self.fields.items():
            if spelling.shape not in FITTING_SHAPES.get(name, ()):
                shapes = ", ".join(sorted(FITTING_SHAPES.get(name, ()))) or "none"
                raise ValueError(f"{name} cannot be spelled as {spelling.shape}; shapes that fit: {shapes}")
            if spelling.shape is Shape.OBJECTS and len({"", spelling.culture_key, spelling.text_key}) < _TWO_KEYS:
                raise ValueError(f"{name} in the shape objects needs two different keys, culture_key and text_key")


class WireAnswer(msgspec.Struct, frozen=True):
    """What the webhook answers."""

    status: int
    body: bytes | None
    """JSON; `None` for no change."""
    reason: str = ""
    """Why a redirect could not be spelled and became no change; free of names and numbers."""


def encode_decision(decision: Decision, profile: ResponseProfile) -> WireAnswer:
    """Spell a decision; a redirect whose target comes out empty or unspeakable becomes no change, with a reason.

    A 200 always carries a target. Fields without a wire key are left out.
    """
    if decision.outcome is Outcome.NO_CHANGE:
        return WireAnswer(profile.no_change_status, None)
    target = _DISCONNECT if decision.target is None else _spell_target(decision.target, profile)
    if target is None or (target == _DISCONNECT and decision.target is not None):
        return WireAnswer(profile.no_change_status, None, "the target has no usable spelling")
    body: dict[str, object] = {_TARGET: target}
    if decision.fail_target is not None and (fail_target := _spell_target(decision.fail_target, profile)):
        body[_FAIL_TARGET] = fail_target
    for name, spelling in profile.fields.items():
        value = getattr(decision, name)
        if value is not None and value != ():
            body[spelling.key] = _shape(value, spelling)
    return _write(body, profile)


def decision_document(decision: Decision) -> dict[str, Any]:
    """Write a decision as JSON values with the words of the ruleset file; what is empty is left out."""
    target, fail_target = decision.target, decision.fail_target
    document = {
        "outcome": decision.outcome.value,
        "rule": decision.rule,
        "reason": decision.reason,
        "redirect": target.name if target else None,
        "redirect_to_agent": target.id if target and target.name is None else None,
        "disconnect": decision.outcome is Outcome.DISCONNECT,
        "no_change": decision.outcome is Outcome.NO_CHANGE,
        "target": _write_destination(target),
        "on_fail": fail_target.name if fail_target else None,
        "fail_target": _write_destination(fail_target),
        "required_agent": decision.required_agent,
        "preferred_agents": list(decision.preferred_agents),
        "priority": decision.priority,
        "extra_priority": decision.extra_priority,
        "messages": [{"culture": message.culture, "text": message.text} for message in decision.messages],
    }
    return {name: value for name, value in document.items() if value or (value == 0 and value is not False)}


def describe_decision(decision: Decision) -> str:
    """Say the decision in one line for people, free of names and numbers: `to queue VIP service, else overflow`."""
    if decision.target is None:
        words = "disconnect" if decision.outcome is Outcome.DISCONNECT else "no change"
        return f"{words} ({decision.reason})" if decision.reason else words
    fallback = f", else {_name(decision.fail_target)}" if decision.fail_target else ""
    return f"to {_name(decision.target)}{fallback}"


def _name(destination: Destination) -> str:
    name = destination.label or destination.name
    if name is None:
        return "the agent" if destination.kind is DestinationKind.USER else f"a {destination.kind}"
    return f"{destination.kind} {name}"


def _spell_target(destination: Destination, profile: ResponseProfile) -> str | None:
    place = destination.id.strip()
    if not place or not place.isprintable():
        return None
    return profile.targets.get(destination.kind, "{id}").replace("{id}", place)


def _shape(value: str | int | tuple[str, ...] | tuple[Message, ...], spelling: FieldSpelling) -> object:
    """Bring a value that is there into a shape that fits its field."""
    several = value if isinstance(value, tuple) else (value,)
    plain = [item.text if isinstance(item, Message) else item for item in several]
    messages = [item for item in several if isinstance(item, Message)]
    match spelling.shape:
        case Shape.TEXT:
            return str(plain[0])
        case Shape.NUMBER:
            return plain[0]
        case Shape.LIST:
            return plain
        case Shape.COMMA_LIST:
            return ",".join(str(item) for item in plain)
        case Shape.OBJECTS:
            return [{spelling.culture_key: m.culture, spelling.text_key: m.text} for m in messages]
        case Shape.CULTURE_MAP:
            return {message.culture: message.text for message in messages}


def _write(body: dict[str, object], profile: ResponseProfile) -> WireAnswer:
    try:
        return WireAnswer(_OK, orjson.dumps(body))
    except TypeError:  # half a character, or a number beyond 64 bits
        return WireAnswer(profile.no_change_status, None, "the answer cannot be written as JSON")


def _write_destination(destination: Destination | None) -> dict[str, str] | None:
    if destination is None:
        return None
    written = {"kind": destination.kind.value, "id": destination.id}
    return written | ({"name": destination.name} if destination.name else {})
