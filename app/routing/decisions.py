"""What the rules chose for one call."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

__all__ = ["Decision", "Destination", "DestinationKind", "Message", "Outcome"]


class Outcome(StrEnum):
    """The three things that can happen to a call."""

    REDIRECT = "redirect"
    DISCONNECT = "disconnect"
    NO_CHANGE = "no_change"


class DestinationKind(StrEnum):
    """What kind of place a destination is; the response profile knows how each is spelled."""

    QUEUE = "queue"
    USER = "user"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Destination:
    """A place a call can go."""

    kind: DestinationKind
    id: str
    name: str | None = None
    """The name the ruleset gives it; `None` for an agent taken from a fact."""
    label: str | None = None
    """What people call it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text to be spoken to the caller."""

    culture: str
    """Language and country, e.g. `fi-FI`."""
    text: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Where the call goes, and how. For `no_change` everything but the rule is empty.

    A rule makes the same decision for nearly every call; that its hash is kept makes it cheap to recognise.
    """

    outcome: Outcome
    rule: str | None = None
    """The id of the rule that decided; `None` when no rule matched or none was asked."""
    reason: str = ""
    """One line for people, free of names and numbers: why this outcome, when it was not a rule's own choice."""
    target: Destination | None = None
    """Set exactly for `redirect`."""
    fail_target: Destination | None = None
    """Where the call goes when the target does not take it."""
    required_agent: str | None = None
    preferred_agents: tuple[str, ...] = ()
    priority: int | None = None
    extra_priority: int | None = None
    messages: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.REDIRECT) != (self.target is not None):
            raise ValueError("a redirect has a target, and nothing else has one")
