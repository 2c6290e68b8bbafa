"""Which call becomes a phone-call activity, and why another one does not (administrator guide, "Enterprise Calls").

Rules are asked in order, and the first that does not pass decides. What each of them saw is kept, without numbers,
names and addresses, so that "why is this call not in Dynamics?" has an answer that everybody may read. A call that is
not classified as work never comes here: nothing is known about it.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from app.routing.callers import Caller, CallerKind, CallerStatus
from app.routing.numbers import NumberKind

__all__ = [
    "CallEvent",
    "KnownActivity",
    "Reason",
    "Step",
    "SyncOutcome",
    "SyncRules",
    "SyncUser",
    "Verdict",
    "judge",
    "screen",
]

_CUSTOMERS = frozenset({CallerKind.CONTACT, CallerKind.ACCOUNT})
"""Whom the guide takes for the counterpart of a call: a lead is none."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class SyncOutcome(StrEnum):
    """What becomes of a call."""

    SYNCED = "synced"
    """Its activity is in Dynamics."""
    PENDING = "pending"
    """It is tried again in the overnight run."""
    SKIPPED = "skipped"
    """The rules want no activity."""
    EXPIRED = "expired"
    """The last overnight run for it has passed."""


class Reason(StrEnum):
    """Why."""

    WRITTEN = "written"
    """The activity was created and completed."""
    ALREADY_THERE = "already_there"
    """The activity of this call was there; a person may have closed or changed it."""
    WRITING = "writing"
    """The activity is being written, or writing it was interrupted."""
    REFUSED = "refused"
    """Dataverse refused this activity."""
    NO_MATCH = "no_match"
    """No contact or account has the number."""
    AMBIGUOUS = "ambiguous"
    """Several contacts or accounts have the number, and they disagree."""
    TOO_SHORT = "too_short"
    NO_TIME = "no_time"
    """Enreach does not tell when it began."""
    NO_NUMBER = "no_number"
    """The number was withheld, or is none of the public network."""
    USER_INCOMPLETE = "user_incomplete"
    """The user lacks what Enterprise Calls needs."""
    WEB_PHONE = "web_phone"
    """There is an activity of the same call already."""
    ERASED = "erased"
    """The number was erased from this service; nothing more happens with the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One user's part in one call, classified as work."""

    id: str
    """The id of its activity, derived from call id and user."""
    call_id: str
    user_name: str | None = field(repr=False)
    """The user's e-mail address in Enreach."""
    started_at: float | None
    """Seconds since the epoch."""
    seconds: float
    outgoing: bool
    answered: bool
    number: str | None = field(repr=False)
    """The other party in E.164."""
    number_kind: NumberKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncUser:
    """A user of Dynamics."""

    id: str
    enreach_id: str | None
    email: str | None = field(repr=False)
    mobile: str | None = field(repr=False)

    def list_missing(self) -> tuple[str, ...]:
        """List what the guide asks for and is not there."""
        wanted = {
            "enreach_user_id": bool(self.enreach_id),
            "email": bool(self.email),
            "mobile": _E164.fullmatch(self.mobile or "") is not None,
        }
        return tuple(name for name, there in wanted.items() if not there)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownActivity:
    """A phone-call activity that is in Dynamics."""

    id: str
    started_at: float
    outgoing: bool | None
    number: str | None = field(repr=False)
    record_id: str | None
    owner_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRules:
    """What the settings say."""

    duration_limit_s: int
    start_margin_s: int
    assignee_id: str
    """The user who owns activities of users that Dynamics does not know."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule saw and decided."""

    rule: str
    passed: bool
    saw: Mapping[str, object]
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say; without an outcome, that the activity is to be written."""

    steps: tuple[Step, ...]
    outcome: SyncOutcome | None = None
    reason: Reason | None = None
    owner_id: str | None = None
    customer: tuple[CallerKind, str] | None = None

    @property
    def explanation(self) -> str:
        """The last word."""
        return self.steps[-1].explanation


def screen(event: CallEvent, rules: SyncRules, user: SyncUser | None) -> Verdict:
    """Ask the rules that need to know nothing about the other party.

    `user` is the active user of Dynamics with this Enreach address; `None` when there is none.
    """
    steps = [Step("classification", True, {"work": True}, "The call is classified as work.")]

    def stop(rule: str, reason: Reason, saw: Mapping[str, object], explanation: str) -> Verdict:
        steps.append(Step(rule, False, saw, explanation))
        return Verdict(steps=tuple(steps), outcome=SyncOutcome.SKIPPED, reason=reason)

    def go_on(rule: str, saw: Mapping[str, object], explanation: str) -> None:
        steps.append(Step(rule, True, saw, explanation))

    if event.started_at is None:
        return stop("start", Reason.NO_TIME, {}, "Enreach does not tell when the call began.")
    lasted = {"seconds": event.seconds, "limit_seconds": rules.duration_limit_s}
    if event.seconds < rules.duration_limit_s:
        return stop("duration", Reason.TOO_SHORT, lasted, "The call was shorter than call_duration_limit_s.")
    go_on("duration", lasted, "The call was long enough.")
    if user is None:
        seen = {"known": False, "owner": rules.assignee_id}
        go_on("user", seen, "No active user of Dynamics has this Enreach address: default_crm_assignee owns it.")
    elif missing := user.list_missing():
        seen = {"known": True, "user": user.id, "missing": list(missing)}
        text = f"The user lacks {', '.join(missing)}; see their checklist in /admin/users/{user.id}."
        return stop("user", Reason.USER_INCOMPLETE, seen, text)
    else:
        go_on("user", {"known": True, "user": user.id}, "The user has e-mail, Enreach id and mobile number.")
    if event.number is None:
        kind = {"number": event.number_kind.value}
        return stop("number", Reason.NO_NUMBER, kind, "The other party's number is no number that could be looked up.")
    go_on("number", {"number": event.number_kind.value}, "The other party's number can be looked up.")
    return Verdict(steps=tuple(steps), owner_id=rules.assignee_id if user is None else user.id)


def judge(
    event: CallEvent,
    rules: SyncRules,
    screened: Verdict,
    caller: Caller,
    activities: Sequence[KnownActivity],
    *,
    colleagues: AbstractSet[str] = frozenset(),
) -> Verdict:
    """Ask the other rules of a call that `screen` let pass.

    `caller` is what the directory says of the number; `activities` are those that began about then and that this
    synchronisation has not made; `colleagues` are the users of Dynamics who have calls of their own.
    """
    steps = screened.steps

    def end(step: Step, outcome: SyncOutcome, reason: Reason) -> Verdict:
        return Verdict(steps=(*steps, step), outcome=outcome, reason=reason)

    def is_same(activity: KnownActivity, record_id: str) -> bool:
        """Tell whether an activity is of this call: same party, direction and time, and no colleague's."""
        return (
            abs(activity.started_at - (event.started_at or 0.0)) <= rules.start_margin_s
            and activity.outgoing in {None, event.outgoing}
            and (activity.record_id == record_id or (activity.number is not None and activity.number == event.number))
            and (activity.owner_id == screened.owner_id or activity.owner_id not in colleagues)
        )

    saw: dict[str, object] = {"status": caller.status.value, "matches": caller.matches}
    if caller.status is CallerStatus.AMBIGUOUS:
        text = f"{caller.matches} contacts or accounts have this number and disagree; merge them, or correct it."
        return end(Step("counterpart", False, saw, text), SyncOutcome.PENDING, Reason.AMBIGUOUS)
    if caller.status is not CallerStatus.IDENTIFIED or caller.kind not in _CUSTOMERS or caller.id is None:
        text = "No contact or account has this number; save it by the end of the office day."
        return end(Step("counterpart", False, saw, text), SyncOutcome.PENDING, Reason.NO_MATCH)
    saw |= {"kind": caller.kind.value, "record": caller.id}
    steps = (*steps, Step("counterpart", True, saw, f"One {caller.kind.value} has this number."))
    margin = {"margin_seconds": rules.start_margin_s}
    twin = next((each for each in activities if is_same(each, caller.id)), None)
    if twin is not None:
        text = "An activity of this call is there already, e.g. from the web phone."
        seen = {**margin, "activity": twin.id, "apart_seconds": abs(twin.started_at - (event.started_at or 0.0))}
        return end(Step("web_phone", False, seen, text), SyncOutcome.SKIPPED, Reason.WEB_PHONE)
    steps = (*steps, Step("web_phone", True, margin, "No activity of this call is there yet."))
    return Verdict(steps=steps, owner_id=screened.owner_id, customer=(caller.kind, caller.id))
