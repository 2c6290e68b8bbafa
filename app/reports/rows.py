"""The rows of reports, and what their members mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.routing.decisions import Outcome

__all__ = [
    "CallRow",
    "CallerRow",
    "CrmRow",
    "LatencyRow",
    "RecognitionRow",
    "RuleRow",
    "UserRow",
    "WorkCallRow",
]


@dataclass(frozen=True, slots=True)
class CallRow:
    """What became of the calls."""

    period: datetime
    calls: int
    redirected: int
    disconnected: int
    no_change: int
    in_time: int
    """Answered within the deadline."""
    by_queue: Mapping[str, int] | None
    """Calls by queue, where the report is about all queues; a queue without an id is left out."""
    by_rule: Mapping[str, int] | None
    """Calls by deciding rule, where the report is about all rules; calls that no rule decided are left out."""


@dataclass(frozen=True, slots=True)
class RecognitionRow:
    """Who was recognised, and why not."""

    period: datetime
    calls: int
    identified: int
    ambiguous: int
    unknown: int
    withheld: int
    unavailable: int
    vip: int
    unavailable_by_cause: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """How often one rule sent calls to one place."""

    period: datetime
    rule: str | None
    """`None`: no rule decided."""
    outcome: Outcome | None
    """`None` in the one row of a period without calls."""
    destination: str | None
    calls: int
    share: float | None
    """Of the calls of the period, 0 to 1."""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """How long answers took, in milliseconds; right within five per cent."""

    period: datetime
    calls: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    in_time_share: float | None


@dataclass(frozen=True, slots=True)
class CrmRow:
    """Where the knowledge about callers came from."""

    period: datetime
    calls: int
    looked_up: int
    """Asked Dataverse, or waited for somebody who did."""
    from_memory: int
    """Known already, or known to be nobody."""
    from_mirror: int
    last_known: int
    """Answered by what was known before, because Dataverse did not answer in time or is asked behind the answer."""
    nobody_asked: int
    """Without a number that could be looked up, or Dataverse did not answer and nothing was known."""
    memory_share: float | None
    """Of the calls with a number, how many asked nobody: 0 to 1."""
    requests: int
    """Requests to Dataverse for calls, of all queues and rules."""
    requests_per_call: float | None
    """`None` where the report is about one queue or rule."""
    other_requests: int
    """Requests to Dataverse for everything else: administration, the mirror, jobs."""


@dataclass(frozen=True, slots=True)
class CallerRow:
    """How often the same people call again."""

    period: datetime
    calls: int
    with_number: int
    """Not withheld; short and unreadable numbers too, which never count as repeated."""
    withheld: int
    repeated: int | None
    """Calls of a number that called in the 24 hours before; not told of fewer than five calls with a number."""
    repeated_share: float | None


@dataclass(frozen=True, slots=True)
class UserRow:
    """Who can use Voice, as it was counted last in the period; nothing where nobody counted."""

    period: datetime
    users: int | None
    """Active users of Dynamics who have the role Voice User or one like it."""
    ready: int | None
    """Of them, those to whom nothing is missing and about whom nothing is unknown."""
    not_ready: int | None
    ready_for_enterprise_calls: int | None
    missing: Mapping[str, int] | None
    """Items of the checklist that are missing, or not known, for how many of them."""


@dataclass(frozen=True, slots=True)
class WorkCallRow:
    """What became of calls on mobiles and in Teams, by when they began."""

    period: datetime
    calls: int
    synced: int
    """Their activity is in Dynamics."""
    pending: int
    """Tried again at night."""
    skipped: int
    """The rules want no activity."""
    expired: int
    """The last night for them has passed."""
    by_reason: Mapping[str, int]
