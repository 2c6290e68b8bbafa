"""The use case: every call ends in an answer, whatever is broken around it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from dirty_equals import IsPartialDict
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.calls.route_call import Answered, Arrival, LoopGuard, RouteCall
from app.directory.lookup import LookupResult, Source
from app.routing.callers import Caller, CallerStatus, Cause
from app.routing.calls import read_call
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import DecisionRecord
from app.routing.numbers import read_number
from app.routing.rule_data import RuleData
from app.rulesets.store import RulesetStore
from app.store.database import open_database
from app.store.upgrade import upgrade
from tests.routing.examples import any_condition, make_document, make_rules
from tests.support.live_settings import make_usual_settings
from tests.support.service import open_service

VIP = Caller(status=CallerStatus.IDENTIFIED, vip=True, columns={"tier": "agent-1"}, as_of=99.0)


@dataclass(slots=True)
class FixedDirectory:
    """Knows one caller, by heart or after asking, or breaks."""

    known: Caller | None = None
    found: Caller | Exception = field(default_factory=lambda: Caller(status=CallerStatus.UNKNOWN))
    asked: list[tuple[str, float]] = field(default_factory=list)

    def recall(self, _e164: str) -> LookupResult | None:
        """Answer by heart."""
        return None if self.known is None else LookupResult(self.known, Source.FRESH)

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Answer after asking."""
        self.asked.append((e164, until))
        if isinstance(self.found, Exception):
            raise self.found
        return LookupResult(self.found, Source.LIVE)


@dataclass(frozen=True, slots=True)
class FixedRules:
    """One ruleset that is always live."""

    rules: CompiledRuleset

    def current(self) -> CompiledRuleset:
        """Return it."""
        return self.rules


@dataclass(slots=True)
class Records:
    """A decision log that keeps records or refuses them."""

    works: bool = True
    kept: list[DecisionRecord] = field(default_factory=list)

    def append(self, record: DecisionRecord) -> bool:
        """Keep a record."""
        self.kept.append(record)
        return self.works


async def route(
    directory: FixedDirectory, rules: CompiledRuleset, records: Records, payload: Mapping[str, object]
) -> Answered:
    """Route one call that arrived at 100."""
    route_call = RouteCall(
        directory=directory,
        live_ruleset=FixedRules(rules),
        read_data=RuleData,
        decision_log=records,
        loop_guard=LoopGuard(max_redirects=5, monotonic=lambda: 0.0),
        call_log=lambda _line: None,
        monotonic=lambda: 50.0,
    )
    arrival = Arrival(
        id="id",
        request_id="request",
        trace_id="trace",
        credential="queue",
        at=100.0,
        arrived=49.0,
        until=51.0,
        settings=make_usual_settings(version=3),
    )
    return await route_call(read_call(payload, lambda raw: read_number(raw, "FI")), arrival)


RULES = make_rules({"when": {"fact": "caller.vip", "op": "is", "value": True}})
CALL = {"anum": "+358501234567", "extradata": {"CallId": "c"}}


async def test_known_caller_is_not_asked_for() -> None:
    """A caller in memory is answered without asking."""
    directory = FixedDirectory(known=VIP)

    answered = await route(directory, RULES, Records(), CALL)

    assert (answered.answer.status, answered.result.source, directory.asked) == (200, "fresh", [])


async def test_look_up_gets_the_deadline_of_the_call() -> None:
    """Whoever has to ask is told until when."""
    directory = FixedDirectory(found=VIP)

    answered = await route(directory, RULES, Records(), CALL)

    assert (answered.answer.status, answered.result.source) == (200, "live")
    assert directory.asked == [("+358501234567", 51.0)]


async def test_broken_directory_is_an_unavailable_crm() -> None:
    """A defect in the look-up costs the caller nothing but what it would have told."""
    records = Records()
    with capture_logs() as lines:
        answered = await route(FixedDirectory(found=RuntimeError("defect")), RULES, records, CALL)

    assert (answered.answer.status, answered.answer.body) == (204, None)
    assert answered.result.caller == Caller(
        status=CallerStatus.UNAVAILABLE, cause=Cause.ERROR, detail="the look-up is broken"
    )
    assert [line["event"] for line in lines] == ["call.look_up_broken"]
    assert records.kept[0].caller_cause is Cause.ERROR


async def test_decision_that_cannot_be_recorded_is_answered() -> None:
    """A log that does not take the record does not keep the answer back."""
    answered = await route(FixedDirectory(known=VIP), RULES, Records(works=False), CALL)

    assert (answered.answer.status, answered.recorded) == (200, False)


async def test_record_holds_what_was_answered() -> None:
    """The record is the call, the caller's state, the decision and the very bytes of the answer."""
    records = Records()

    answered = await route(FixedDirectory(known=VIP), RULES, records, CALL)

    record = records.kept[0]
    assert (record.id, record.at, record.request_id, record.credential, record.call_id) == (
        *("id", 100.0, "request", "queue", "c"),
    )
    assert (record.caller_raw, record.caller_e164, record.caller_age_seconds) == ("+358501234567", "+358501234567", 1.0)
    assert (record.revision, record.rule, record.status) == (7, "r0", 200)
    assert answered.answer.body is not None
    assert record.body == answered.answer.body.decode()
    assert record.waterfall == {"receive": 1000.0, "look_up": 0.0, "rules": 0.0, "total": 1000.0}


async def test_knowledge_from_the_future_has_no_age() -> None:
    """A caller looked up after the call arrived is of age zero, not less."""
    records = Records()

    await route(FixedDirectory(found=Caller(status=CallerStatus.IDENTIFIED, as_of=101.0)), RULES, records, CALL)

    assert records.kept[0].caller_age_seconds == 0.0


TEXTS = st.sampled_from(["agent-1", " ", "", "a\x01b", "DISCONNECT:", "x" * 300, "\ud83d"]) | st.text(max_size=5)
ACTIONS = st.sampled_from(
    [
        {"redirect": "vip", "on_fail": "out"},
        {"redirect_to_agent": "caller.columns.tier"},
        {"redirect_to_agent": "caller.columns.tier", "on_fail": "out"},
        {"disconnect": True},
        {"no_change": True},
    ]
)
CALLERS = st.builds(
    Caller,
    status=st.sampled_from(CallerStatus),
    vip=st.none() | st.booleans(),
    columns=st.fixed_dictionaries({"tier": TEXTS}),
    id=st.just("id"),
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    whens=st.lists(st.tuples(any_condition(), ACTIONS), min_size=1, max_size=3),
    caller=CALLERS,
    anum=st.sampled_from(["+358501234567", None, "12", "x"]),
)
def test_200_is_never_empty_or_partial(
    whens: list[tuple[dict[str, object], dict[str, object]]], caller: Caller, anum: object
) -> None:
    """Whatever the rules and the CRM say, a 200 has a body with a target, and anything else has none."""
    rules = make_rules(*({"when": when, "then": then} for when, then in whens))
    records = Records()

    answered = asyncio.run(route(FixedDirectory(found=caller), rules, records, {"anum": anum}))

    record = records.kept[0]
    if answered.answer.status == 200:
        body = orjson.loads(answered.answer.body or b"")
        assert body["InitialTarget"].strip()
        assert body.get("FailTarget", "x").strip()
        assert record.outcome.value in {"redirect", "disconnect"}
    else:
        assert (answered.answer.status, answered.answer.body) == (204, None)
        assert record.outcome.value == "no_change"


async def test_rules_that_were_never_checked_cannot_break_the_answer(tmp_path: Path) -> None:
    """A revision that is in the database without having passed the checks decides without harm."""
    strange: list[dict[str, Any]] = [
        {"id": "a", "when": {"fact": "caller.vip", "op": "gt", "value": "x"}, "then": {"disconnect": True}},
        {"id": "b", "when": {"fact": "caller.name", "op": "between", "value": [1, "z"]}, "then": {"disconnect": True}},
        {"id": "c", "then": {"redirect_to_agent": "caller.vip"}},
    ]
    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    await upgrade(database)
    document = make_document(*strange)
    await RulesetStore(database=database).publish_document(
        document, expected=None, comment="", author="somebody", now=0.0
    )
    await database.close()

    async with open_service(tmp_path) as service:
        answer = await service.call("+358501234567")
        explained = await service.explain_last()

    assert answer.status_code == 204
    assert explained == IsPartialDict(revision=1, outcome="no_change", trace_agrees=True)
