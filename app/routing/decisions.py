"""What the rules chose for one call, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from app.routing.callers import CallerStatus, Cause

__all__ = ["Decision", "DecisionRecord", "Destination", "DestinationKind", "Message", "Outcome"]


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


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the decision log. All members are JSON values, so that journal and database store it as it is.

    A struct and not a dataclass, because it is made and written on the way of every call: making one takes a tenth of
    the time, writing it half.
    """

    id: str
    """UUID version 7: unique, and sorted by time."""
    at: float
    """When the request arrived, in seconds since the epoch."""
    request_id: str
    credential: str
    """Label of the webhook key or name of the Basic user; never the secret."""
    call_id: str | None
    caller_raw: str | None
    caller_e164: str | None
    called_raw: str | None
    called_e164: str | None
    target_id: str | None
    queue_id: str | None
    facts: Mapping[str, object]
    """Every fact as the rules saw it; an unknown one as `Unknown`, or as its JSON once it was read back."""
    caller_status: CallerStatus
    caller_cause: Cause | None
    caller_age_seconds: float | None
    caller_source: str
    """Where the caller came from: `live`, `fresh`, `stale`, `negative`, `snapshot`, `none`."""
    revision: int | None
    """The ruleset revision that decided; `None` when none is published."""
    rule: str | None
    outcome: Outcome
    decision: Mapping[str, object]
    """The decision, spelled with the words of the ruleset file."""
    status: int
    """HTTP status of the answer."""
    body: str | None
    """The answer as it went out; `None` for an empty one."""
    waterfall: Mapping[str, float] = {}
    """Milliseconds by stage, in order; `total` last."""
    drill: str | None = None
    """Which failure was pretended, for a fire drill."""
    hops: int = 0
    """How often this call was redirected by us before."""
    settings_version: int | None = None
    """The version of the settings `smart-routing` it was made with, 0 before the first; `None` in older records."""
    deadline_ms: int | None = None
    """Milliseconds the answer might take, from the request's arrival; `None` in older records."""
