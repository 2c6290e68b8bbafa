"""Facts: what is known, what is absent, and what nobody told."""

from dataclasses import replace

import pytest
from msgspec import structs

from app.routing.callers import Account, Caller, CallerKind, CallerStatus, Cause
from app.routing.facts import (
    FactValue,
    Moment,
    Unknown,
    caller_facts,
    complete_facts,
    decode_facts,
    encode_facts,
    gather_facts,
)
from app.routing.numbers import read_number
from app.routing.registry import FACTS, RECENT_CALLS, find_fact, is_related, suggest
from tests.routing.examples import NOW, make_call

MOMENT = Moment(NOW, {"time.local": "12:00", "time.weekday": "wed", "time.open": True})
ANN = Caller(
    status=CallerStatus.IDENTIFIED,
    kind=CallerKind.CONTACT,
    id="c",
    name="Ann",
    vip=True,
    vip_reason="is a preferred customer",
    owner_agent="agent",
    matches=1,
    open_cases=2,
    columns={"jobtitle": None},
    account=Account(id="a", name="Example", columns={"revenue": 5}),
    as_of=NOW - 60,
)


def test_every_fact_of_an_identified_caller() -> None:
    """Call, caller, account and clock are told under their names, and columns and parameters as they are there."""
    call = make_call(CallId="42", CurrQueueId="q", CurrUserId="u", IsInternalCaller=True, DYN_PAR_Culture="en-GB")

    assert gather_facts(call, ANN, MOMENT) == {
        "call.caller": "+358501234567",
        "call.called": "+358912345678",
        "call.country": "FI",
        "call.id": "42",
        "call.target_id": "SALES_QUEUE",
        "call.queue_id": "q",
        "call.user_id": "u",
        "call.culture": "en-GB",
        "call.internal": True,
        "call.withheld": False,
        "call.parameters.DYN_PAR_Culture": "en-GB",
        "caller.status": "identified",
        "caller.kind": "contact",
        "caller.id": "c",
        "caller.name": "Ann",
        "caller.vip": True,
        "caller.vip_reason": "is a preferred customer",
        "caller.owner_agent": "agent",
        "caller.explanation": None,
        "caller.match": "exact",
        "caller.confidence": 1.0,
        "caller.matches": 1,
        "caller.age_seconds": 60.0,
        "caller.open_cases": 2,
        "caller.columns.jobtitle": None,
        "account.id": "a",
        "account.name": "Example",
        "account.columns.revenue": 5,
        "time.local": "12:00",
        "time.weekday": "wed",
        "time.open": True,
    }


@pytest.mark.parametrize("status", list(CallerStatus))
def test_every_single_fact_is_always_there(status: CallerStatus) -> None:
    """Whatever the caller's status, no single fact is missing, but for those that are told only when a rule asks."""
    always = {name for name in FACTS if not is_related(name)} - RECENT_CALLS

    assert always <= gather_facts(make_call(), replace(ANN, status=status), MOMENT).keys()


def test_cached_caller_facts_give_the_same() -> None:
    """Facts of a caller kept from before are as good as fresh ones."""
    known = caller_facts(ANN)

    assert gather_facts(make_call(), ANN, MOMENT, known=known) == gather_facts(make_call(), ANN, MOMENT)


def test_silent_crm_makes_its_facts_unknown() -> None:
    """When the CRM did not answer, everything from it carries the cause, except the status."""
    silence = Unknown(Cause.TIMEOUT, "Dataverse timed out at 1.2 s")
    caller = Caller(status=CallerStatus.UNAVAILABLE, cause=Cause.TIMEOUT, detail="Dataverse timed out at 1.2 s")

    facts = gather_facts(make_call(), caller, MOMENT)

    told = {name: value for name, value in facts.items() if name.startswith(("caller.", "account."))}
    assert told == {**dict.fromkeys(told, silence), "caller.status": "unavailable"}
    assert complete_facts(facts, ["account.columns.x"])["account.columns.x"] == silence


@pytest.mark.parametrize("status", [CallerStatus.UNKNOWN, CallerStatus.WITHHELD])
def test_nobody_is_known_to_be_nobody(status: CallerStatus) -> None:
    """A number nobody has makes a caller who is no VIP, has no name and no cases."""
    facts = complete_facts(caller_facts(Caller(status=status)), ["caller.columns.x", "account.columns.x"])

    assert facts == {
        "caller.status": status.value,
        "caller.kind": None,
        "caller.id": None,
        "caller.name": None,
        "caller.vip": False,
        "caller.vip_reason": None,
        "caller.owner_agent": None,
        "caller.explanation": None,
        "caller.match": None,
        "caller.confidence": 0.0,
        "caller.matches": 0,
        "caller.open_cases": 0,
        "account.id": None,
        "account.name": None,
        "caller.columns.x": None,
        "account.columns.x": None,
    }


def test_records_that_disagree_make_unknown_facts() -> None:
    """What several records do not share is unknown because they are ambiguous."""
    caller = Caller(status=CallerStatus.AMBIGUOUS, vip=None, owner_agent_cause=Cause.AMBIGUOUS, matches=2)

    facts = caller_facts(caller)

    causes = {name: value.cause.value for name, value in facts.items() if isinstance(value, Unknown)}
    assert causes == {
        "caller.kind": "ambiguous",
        "caller.id": "ambiguous",
        "caller.name": "ambiguous",
        "caller.vip": "ambiguous",
        "caller.vip_reason": "ambiguous",
        "caller.owner_agent": "ambiguous",
        "caller.open_cases": "not_fetched",
        "account.id": "ambiguous",
        "account.name": "ambiguous",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("caller.columns.jobtitle", None),
        ("caller.columns.other", Unknown(Cause.NOT_FETCHED, "the column was not read with the record")),
        ("account.columns.revenue", 5),
        ("account.columns.other", Unknown(Cause.NOT_FETCHED, "the column was not read with the record")),
        ("call.parameters.DYN_PAR_X", None),
        ("time.open.night", Unknown(Cause.NOT_CONFIGURED, "the ruleset has no such calendar")),
        ("caller.new", Unknown(Cause.NOT_FETCHED, "the column was not read with the record")),
    ],
)
def test_missing_member_of_a_family(name: str, value: FactValue) -> None:
    """What is read and not there is unknown when somebody should have told it, else absent."""
    assert complete_facts(gather_facts(make_call(), ANN, MOMENT), [name])[name] == value


def test_caller_without_company_has_no_company_columns() -> None:
    """No company is known to be none."""
    facts = caller_facts(replace(ANN, account=None))

    assert complete_facts(facts, ["account.columns.x"])["account.columns.x"] is None


def test_complete_facts_stay_the_same_mapping() -> None:
    """Nothing is copied when nothing is missing."""
    facts = caller_facts(ANN)

    assert complete_facts(facts, ["caller.vip"]) is facts


def test_short_and_withheld_numbers() -> None:
    """A short internal number is told as it is, a withheld one is absent."""
    call = structs.replace(make_call(), caller=read_number("anonymous", "FI"), called=read_number(" 1234 ", "FI"))

    facts = gather_facts(call, Caller(status=CallerStatus.WITHHELD), MOMENT)

    assert (facts["call.caller"], facts["call.called"], facts["call.withheld"]) == (None, "1234", True)


def test_failed_count_of_cases_tells_its_cause() -> None:
    """Cases that were asked for and not had are unknown for that reason."""
    facts = caller_facts(replace(ANN, open_cases=None, open_cases_cause=Cause.ERROR))

    assert facts["caller.open_cases"] == Unknown(Cause.ERROR, "the cases could not be had")


def test_unknown_facts_are_written_with_their_cause() -> None:
    """A fact nobody told is written as an object, and read back."""
    facts: dict[str, FactValue] = {"caller.vip": Unknown(Cause.TIMEOUT, "slow"), "call.id": "1"}

    written = encode_facts(facts)

    assert written == {"caller.vip": {"unknown": "timeout", "detail": "slow"}, "call.id": "1"}
    assert decode_facts(written) == facts


@pytest.mark.parametrize("value", [{"known": 1}, {"unknown": "tired"}])
def test_foreign_facts_are_refused(value: object) -> None:
    """What `encode_facts` cannot have written is not read."""
    with pytest.raises(ValueError, match=r"fact x|tired"):
        decode_facts({"x": value})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("caller.vip", "caller.vip"),
        ("time.open", "time.open"),
        ("time.open.night", "time.open."),
        ("caller.columns.tier", "caller.columns."),
        ("caller.columns.", None),
        ("caller.vpi", None),
    ],
)
def test_facts_are_found_by_name(name: str, found: str | None) -> None:
    """Single facts by their name, members of a family by its prefix."""
    spec = find_fact(name)

    assert (spec.name if spec else None) == found


def test_similar_words_are_suggested() -> None:
    """A slip of the pen finds the word that was meant; nonsense finds none."""
    assert suggest("caller.vpi", FACTS) == 'did you mean "caller.vip"?'
    assert suggest("xyzzy", FACTS) == ""
