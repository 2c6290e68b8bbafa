"""What is kept of one answered call: enough to explain it, to replay it and to count it."""

from collections.abc import Mapping

import msgspec

from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import Outcome

__all__ = ["DecisionRecord"]


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
