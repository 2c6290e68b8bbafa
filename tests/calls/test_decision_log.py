"""What was answered and why, and hiding whom it concerned."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.calls.decision_log import DecisionLog
from app.calls.redaction import HIDDEN, redact_facts, redact_identifier, redact_trace
from app.calls.store import DecisionFilter, DecisionStore
from app.errors import NotFoundError
from app.routing.callers import CallerStatus
from app.routing.decisions import DecisionRecord, Outcome
from app.routing.facts import FactValue, encode_facts
from app.rulesets.store import RulesetStore
from app.store.audit import AuditStore
from app.store.database import Database, open_database
from app.store.upgrade import upgrade
from tests.routing.examples import NOW, any_facts, any_rule, make_rules
from tests.support.service import VIP_RULES

NUMBER = "+358501234567"
FACTS = {"call.caller": NUMBER, "caller.name": "Ann Example", "caller.vip": True, "caller.status": "identified"}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who asks."""

    name: str


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a database with one published ruleset."""
    opened = open_database(f"sqlite:///{tmp_path}/log.db")
    await upgrade(opened)
    await RulesetStore(database=opened).publish_document(
        VIP_RULES, expected=None, comment="", author="somebody", now=0.0
    )
    yield opened
    await opened.close()


def make_log(database: Database) -> DecisionLog:
    """Make the decision log of a database, at the time 7."""
    return DecisionLog(
        decisions=DecisionStore(database=database),
        revisions=RulesetStore(database=database),
        audit=AuditStore(database=database),
        clock=lambda: 7.0,
    )


async def keep(database: Database, number: int = 1, **changes: Any) -> DecisionRecord:
    """Keep one decision of a VIP call."""
    values: dict[str, Any] = {
        "id": f"0190a000-0000-7000-8000-{number:012}",
        "at": NOW,
        "request_id": "request",
        "credential": "queue",
        "call_id": "call",
        "caller_raw": "050 1234567",
        "caller_e164": NUMBER,
        "called_raw": None,
        "called_e164": None,
        "target_id": None,
        "queue_id": None,
        "facts": FACTS,
        "caller_status": CallerStatus.IDENTIFIED,
        "caller_cause": None,
        "caller_age_seconds": 0.0,
        "caller_source": "live",
        "revision": 1,
        "rule": "vip",
        "outcome": Outcome.REDIRECT,
        "decision": {"outcome": "redirect", "rule": "vip"},
        "status": 200,
        "body": "{}",
        "waterfall": {"total": 1.0},
    }
    record = DecisionRecord(**(values | changes))
    await DecisionStore(database=database).add([record])
    return record


async def test_lists_are_masked(database: Database) -> None:
    """A page of decisions shows neither number nor name."""
    record = await keep(database)

    page = await make_log(database).page(DecisionFilter(), limit=10, after=None)

    shown = page.items[0]
    assert (shown.id, shown.caller_e164, shown.caller_raw) == (record.id, "+35850*****67", "050 1****67")
    explained = await make_log(database).show(record.id, reveal_to=None)
    assert explained.record.facts == FACTS | {"call.caller": "+35850*****67", "caller.name": HIDDEN}


async def test_numbers_in_place_of_identifiers_are_masked(database: Database) -> None:
    """A number that came as an id of the call, its target or its queue is masked in list, facts and trace."""
    rule = {"id": "r", "when": {"fact": "call.target_id", "op": "in", "value": [NUMBER]}, "then": {"no_change": True}}
    store = RulesetStore(database=database)
    await store.publish_document({"rules": [rule]}, expected=1, comment="", author="somebody", now=0.0)
    facts = {"call.target_id": NUMBER, "call.queue_id": NUMBER, "call.id": NUMBER, "call.user_id": NUMBER}
    record = await keep(database, revision=2, target_id=NUMBER, queue_id=NUMBER, call_id=NUMBER, facts=facts)
    log = make_log(database)

    page = await log.page(DecisionFilter(target_id=NUMBER), limit=10, after=None)
    shown = await log.show(record.id, reveal_to=None)

    for item in (page.items[0], shown.record):
        assert [getattr(item, name) for name in ("call_id", "target_id", "queue_id")] == ["+35850*****67"] * 3
    assert shown.record.facts == dict.fromkeys(facts, "+35850*****67")
    assert NUMBER not in json.dumps(shown.trace)


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [
        ("0501234567", "0501****67"),
        ("+358501234567-call", "+35850*****67-call"),
        ("from 050 123 4567", "from 050 12****67"),
        ("sip:+358501234567@pbx", "sip:+35850*****67@pbx"),
        ("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555"),
        ("SALES_QUEUE", "SALES_QUEUE"),
        ("queue 123456", "queue 123456"),
        ("d1234567890", "d1234567890"),
    ],
)
def test_only_numbers_are_masked_in_identifiers(identifier: str, shown: str) -> None:
    """What looks like a phone number is masked; GUIDs, names and short numbers stay."""
    assert redact_identifier(identifier) == shown


def test_number_in_the_name_of_a_parameter_is_masked() -> None:
    """The queue chooses the names of parameters too."""
    shown = redact_facts({f"call.parameters.DYN_{NUMBER}": "yes"})

    assert shown == {"call.parameters.DYN_+35850*****67": HIDDEN}


async def test_erased_callers_are_told(database: Database) -> None:
    """A decision whose caller was erased says so, in the list and in its facts."""
    record = await keep(database)
    await DecisionStore(database=database).erase_number(NUMBER)
    log = make_log(database)

    page = await log.page(DecisionFilter(), limit=10, after=None)

    assert (page.items[0].id, page.items[0].caller_e164, page.items[0].caller_raw) == (record.id, None, "erased")
    assert (await log.show(record.id, reveal_to=None)).record.facts["call.caller"] == "erased"


async def test_revealing_is_audited_before_it_is_shown(database: Database) -> None:
    """Who sees the full number is in the audit; without the audit nothing is shown."""
    record = await keep(database)
    log = make_log(database)

    shown = await log.show(record.id, reveal_to=User("anna"))

    assert (shown.record, shown.revealed) == (record, True)
    entries = (await AuditStore(database=database).page(limit=5)).items
    assert [(entry.at, entry.who, entry.what, entry.target) for entry in entries] == [
        (7.0, "anna", "decision.revealed", f"decision/{record.id}")
    ]


async def test_unknown_decision_is_not_audited(database: Database) -> None:
    """What is not there cannot be revealed."""
    with pytest.raises(NotFoundError):
        await make_log(database).show("nothing", reveal_to=User("anna"))

    assert (await AuditStore(database=database).page(limit=5)).items == ()


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"rule": "other"}, False),
        ({"outcome": Outcome.DISCONNECT}, False),
        ({"outcome": Outcome.NO_CHANGE, "decision": {"reason": "redirect loop"}}, True),
        ({"outcome": Outcome.NO_CHANGE, "decision": {}}, False),
        ({"rule": None, "outcome": Outcome.NO_CHANGE, "decision": {"reason": "no rule matched"}}, False),
        ({"revision": None, "rule": None, "outcome": Outcome.NO_CHANGE, "decision": {}}, True),
    ],
)
async def test_explanation_is_compared_with_the_answer(
    database: Database, changes: Mapping[str, Any], *, agrees: bool
) -> None:
    """Rules that would decide otherwise than was answered are told; a reason beyond the rules is none of these."""
    record = await keep(database, **changes)

    assert (await make_log(database).show(record.id, reveal_to=None)).trace_agrees is agrees


async def test_lost_revision_leaves_no_trace(database: Database) -> None:
    """A decision whose rules are gone or unreadable is shown without a trace."""
    gone = await keep(database, 1, revision=9)
    spoilt = await keep(database, 2)
    async with database.write() as connection:
        await connection.execute(text("UPDATE revisions SET document = '{\"schema\": 99}'"))
    log = make_log(database)

    for record in (gone, spoilt):
        shown = await log.show(record.id, reveal_to=None)
        assert (shown.trace, shown.trace_agrees) == (None, False)


async def test_many_revisions_are_explained(database: Database) -> None:
    """However many revisions there are, each decision is explained by its own."""
    store = RulesetStore(database=database)
    for number in range(1, 40):
        document = {"rules": [{"id": f"rule-{number}", "then": {"no_change": True}}]}
        await store.publish_document(document, expected=number, comment="", author="somebody", now=0.0)
    log = make_log(database)

    for number in (*range(2, 41), *range(2, 41)):
        record = await keep(database, number, revision=number)
        shown = await log.show(record.id, reveal_to=None)
        assert shown.trace is not None
        assert shown.trace["rules"][0]["id"] == f"rule-{number - 1}"


SECRET = "Ann-Secret-0501234567"
SECRETS = {
    "call.caller": SECRET,
    "caller.name": SECRET,
    "caller.columns.tier": SECRET,
    "call.parameters.DYN_NOTE": SECRET,
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rules=st.lists(any_rule(), min_size=1, max_size=3), facts=any_facts())
def test_hidden_facts_are_hidden_everywhere(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """Whatever the rules compare, neither facts nor trace show a personal value; the rest of them is unchanged."""
    document = make_rules(*rules).trace(facts | SECRETS, NOW).document()

    hidden_facts = redact_facts(encode_facts(facts | SECRETS))
    hidden_trace = redact_trace(document)

    assert SECRET not in json.dumps([hidden_facts, hidden_trace["rules"]])
    assert SECRET not in json.dumps(hidden_trace["near_misses"])
    assert hidden_facts.keys() == (facts | SECRETS).keys()
    assert [(rule["id"], rule["verdict"]) for rule in hidden_trace["rules"]] == [
        (rule["id"], rule["verdict"]) for rule in document["rules"]
    ]
