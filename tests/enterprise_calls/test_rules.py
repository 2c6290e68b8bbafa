"""The rules, which know nothing but what they are given."""

from dataclasses import replace

import pytest

from app.enreach.records import CallDirection, CallRecord, ClassifiedCall
from app.enterprise_calls.events import read_events
from app.enterprise_calls.rules import CallEvent, KnownActivity, Reason, SyncOutcome, SyncRules, SyncUser, judge, screen
from app.routing.callers import Caller, CallerKind, CallerStatus
from app.routing.numbers import NumberKind

RULES = SyncRules(duration_limit_s=10, start_margin_s=60, assignee_id="boss")
ANN = SyncUser(id="ann", enreach_id="e-ann", email="ann@x.example", mobile="+358501230001")
EVENT = CallEvent(
    id="e-1",
    call_id="c-1",
    user_name="ann@x.example",
    started_at=1000.0,
    seconds=60.0,
    outgoing=False,
    answered=True,
    number="+358501234567",
    number_kind=NumberKind.E164,
)
HELENA = Caller(status=CallerStatus.IDENTIFIED, kind=CallerKind.CONTACT, id="helena", matches=1)
TWIN = KnownActivity(
    id="a-1", started_at=1060.0, outgoing=False, number="+358501234567", record_id=None, owner_id="ann"
)


def decide(*activities: KnownActivity, event: CallEvent = EVENT, caller: Caller = HELENA) -> tuple[str | None, ...]:
    """Ask all rules."""
    verdict = judge(event, RULES, screen(event, RULES, ANN), caller, activities, colleagues=frozenset({"ann", "ben"}))
    return verdict.outcome, verdict.reason, verdict.owner_id


def test_call_that_passes_is_to_be_written() -> None:
    """There is no outcome before the activity is written; the user owns it, else the assignee."""
    assert decide() == (None, None, "ann")
    assert screen(EVENT, RULES, None).owner_id == "boss"


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ({"enreach_id": None}, ["enreach_user_id"]),
        ({"email": None, "mobile": "050 1230001"}, ["email", "mobile"]),
        ({"mobile": "+358501230001\n"}, ["mobile"]),
    ],
)
def test_user_needs_everything_of_the_guide(missing: dict[str, str | None], names: list[str]) -> None:
    """The rule says what is missing."""
    verdict = screen(EVENT, RULES, replace(ANN, **missing))

    assert (verdict.outcome, verdict.reason) == (SyncOutcome.SKIPPED, Reason.USER_INCOMPLETE)
    assert verdict.steps[-1].saw["missing"] == names


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, Reason.WEB_PHONE),
        ({"started_at": 940.0}, Reason.WEB_PHONE),
        ({"started_at": 1060.1}, None),
        ({"number": None, "record_id": "helena"}, Reason.WEB_PHONE),
        ({"number": "+358401112233"}, None),
        ({"outgoing": True}, None),
        ({"outgoing": None}, Reason.WEB_PHONE),
        ({"owner_id": "ben"}, None),
        ({"owner_id": "team"}, Reason.WEB_PHONE),
    ],
)
def test_twin_is_an_activity_of_the_same_call(changes: dict[str, object], reason: Reason | None) -> None:
    """Same party, direction and time, and no colleague's."""
    activity = replace(TWIN, **changes)  # type: ignore[arg-type]

    assert decide(activity)[1] is reason


def test_lead_is_no_counterpart() -> None:
    """Where leads are looked up for calls, a call with one waits for a contact or an account all the same."""
    lead = Caller(status=CallerStatus.IDENTIFIED, kind=CallerKind.LEAD, id="lea", matches=1)
    assert decide(caller=lead) == (SyncOutcome.PENDING, Reason.NO_MATCH, None)


def test_rules_tell_no_number_and_no_name() -> None:
    """What a rule saw may be read by everybody who may read the list."""
    verdicts = [
        screen(EVENT, RULES, None),
        judge(EVENT, RULES, screen(EVENT, RULES, ANN), HELENA, [TWIN]),
        judge(EVENT, RULES, screen(EVENT, RULES, ANN), Caller(status=CallerStatus.UNKNOWN), []),
    ]

    told = repr([verdict.steps for verdict in verdicts])
    assert [text for text in ("501234567", "501230001", "x.example") if text in told] == []


def row(classification: str | None, **changes: object) -> ClassifiedCall:
    """Make a row of Enreach."""
    record = CallRecord(call_id="c-1", user_name="Ann@x.example", direction=CallDirection.INBOUND, duration_seconds=5)
    return ClassifiedCall(record=replace(record, **changes), classification=classification)  # type: ignore[arg-type]


def test_rows_of_one_call_are_work_only_when_all_of_them_say_so() -> None:
    """One row that says private keeps the call out; the longer row tells the call."""
    rows = [row("Work"), row("work", duration_seconds=9.0, user_name="ann@X.example")]

    work = read_events(rows, work_values=["Work"], region="FI")
    private = read_events([*rows, row("Private")], work_values=["Work"], region="FI")

    assert ([event.seconds for event in work.work], work.not_work) == ([9.0], frozenset())
    assert (private.work, len(private.not_work)) == ((), 1)
