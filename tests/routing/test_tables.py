"""Tables that rules look up: membership, columns, destinations taken from a column."""

from typing import Any

import pytest

from app.errors import InvalidInputError
from app.routing.callers import Caller, CallerStatus, Cause
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Destination, DestinationKind
from app.routing.facts import FactValue, Unknown
from app.routing.rule_data import DataTable, RuleData, Switch, make_table
from app.routing.rule_tests import run_tests
from app.routing.ruleset import read_ruleset
from tests.routing.examples import NOW, leaf, make_call, make_document, make_rules

NOBODY = Caller(status=CallerStatus.UNKNOWN)
BRANDS = {"tables": {"brands": {"key": "call.called"}}}
COLUMN = {"then": {"redirect_to_column": "table.brands.queue", "on_fail": "out"}}
BLOCKED = {"when": leaf("call.caller", "in_table", "blocked"), "then": {"disconnect": True}}


def tables(**named: dict[str, dict[str, Any]]) -> RuleData:
    """Make tables from rows by key."""
    return RuleData(tables={name: make_table(rows) for name, rows in named.items()})


def gather(rules: CompiledRuleset, data: RuleData, **extra: object) -> dict[str, FactValue]:
    """Gather the facts of a call from +358501234567 to +358912345678."""
    return dict(rules.gather(make_call(**extra), NOBODY, NOW, data=data))


@pytest.mark.parametrize(
    ("data", "told", "rule"),
    [
        (tables(blocked={"+358501234567": {}}), True, "r0"),
        (tables(blocked={"+358501234568": {}}), False, None),
        (tables(blocked={}), False, None),
        (RuleData(), Unknown(Cause.NOT_CONFIGURED, "no table has this name"), None),
    ],
)
def test_in_table(data: RuleData, told: FactValue, rule: str | None) -> None:
    """A caller is in the table or not; a table that does not exist makes it unknown. The facts alone decide again."""
    rules = make_rules(BLOCKED)

    facts = gather(rules, data)

    assert facts["in_table.blocked.call.caller"] == told
    assert (rules.decide(facts, NOW).rule, rules.trace(facts, NOW).decision.rule) == (rule, rule)


@pytest.mark.parametrize(
    ("rows", "target"),
    [
        ({"+358912345678": {"queue": "VIP "}}, Destination(DestinationKind.QUEUE, "vip-id", "vip", "VIP service")),
        ({"+358912345678": {"queue": "+358 40 123 4567"}}, Destination(DestinationKind.NUMBER, "+358401234567")),
        ({"+358912345678": {"queue": "nowhere"}}, None),
        ({"+358912345678": {"queue": None}}, None),
        ({"+358912345679": {"queue": "vip"}}, None),
    ],
)
def test_destination_of_a_column(rows: dict[str, dict[str, Any]], target: Destination | None) -> None:
    """The row of the called number names where the call goes; without a place in it the rule does not match."""
    rules = make_rules(COLUMN, **BRANDS)

    decision = rules.decide(gather(rules, tables(brands=rows)), NOW)

    assert (decision.target, decision.rule) == (target, None if target is None else "r0")


def test_columns_are_facts() -> None:
    """A column is compared as any other fact, and may hold an agent."""
    rules = make_rules(
        {"when": leaf("table.brands.level", "gte", 3), "then": {"redirect_to_agent": "table.brands.agent"}}, **BRANDS
    )
    row = {"level": 3, "agent": "agent-1"}

    decided = rules.decide(gather(rules, tables(brands={"+358912345678": row})), NOW)
    below = rules.decide(gather(rules, tables(brands={"+358912345678": {**row, "level": 2}})), NOW)

    assert (decided.target, below.rule) == (Destination(DestinationKind.USER, "agent-1"), None)


def test_what_is_not_known_is_unknown_with_its_cause() -> None:
    """A key that was not learnt, a column that does not exist, and a table whose key nobody named."""
    condition = {
        "any": [
            leaf("table.staff.level", "exists"),
            leaf("table.brands.colour", "exists"),
            leaf("table.offices.queue", "exists"),
            leaf("caller.name", "in_table", "names"),
        ]
    }
    keys = {"tables": {"brands": {"key": "call.called"}, "staff": {"key": "caller.columns.new_number"}}}
    rules = make_rules({"when": condition}, **keys)
    silent = Caller(status=CallerStatus.UNAVAILABLE, cause=Cause.TIMEOUT, detail="Dataverse timed out")
    some: dict[str, dict[str, Any]] = {"+358912345678": {"queue": "vip"}}
    data = tables(brands=some, staff=some, offices=some, names=some)

    facts = rules.gather(make_call(), silent, NOW, data=data)

    late = Unknown(Cause.TIMEOUT, "Dataverse timed out")
    assert {name: facts[name] for name in rules.data_facts.names} == {
        "table.staff.level": late,
        "table.brands.colour": Unknown(Cause.NOT_CONFIGURED, "the table has no such column"),
        "table.offices.queue": Unknown(
            Cause.NOT_CONFIGURED, "the ruleset does not say by which fact a row of the table is found"
        ),
        "in_table.names.caller.name": late,
    }
    assert rules.selection.contact_columns == {"new_number"}


def test_keys_of_numbers_and_of_texts() -> None:
    """Texts without regard to case and spaces around; numbers however a fact writes them."""
    texts = make_table({"Helsinki ": {"queue": "h"}, "4711": {"queue": "n"}})
    numbers = DataTable(columns={}, rows={"+358501234567": ("+358501234567",), "1234": ("1234",)}, region="FI")

    assert [texts.find(value) for value in (" helsinki", 4711, "Espoo", True, None, "")] == [
        ("Helsinki ", "h"),
        ("4711", "n"),
        None,
        None,
        None,
        None,
    ]
    found = [numbers.find(value) for value in ("+358501234567", "050 123 4567", "1234", "+358501234568", "x")]
    assert [row is not None for row in found] == [True, True, True, False, False]


def test_a_table_may_lead_to_another() -> None:
    """Whether there is a row may be asked of a column; a row itself is found by call or caller only."""
    rules = make_rules({"when": leaf("table.brands.group", "in_table", "open")}, **BRANDS)

    facts = gather(rules, tables(brands={"+358912345678": {"group": "A"}}, open={"a": {}}))

    assert facts["in_table.open.table.brands.group"] is True
    with pytest.raises(InvalidInputError) as refused:
        read_ruleset(make_document(tables={"brands": {"key": "table.open.group"}}))
    assert [(finding.code, finding.pointer) for finding in refused.value.findings] == [
        ("wrong-key", "/tables/brands/key")
    ]


@pytest.mark.parametrize(
    ("rule", "code", "pointer"),
    [
        ({"when": leaf("call.caller", "in_table", 5)}, "wrong-value", "/rules/0/when/value"),
        ({"when": leaf("call.caller", "in_table", "a b")}, "wrong-value", "/rules/0/when/value"),
        ({"when": leaf("call.caller", "in_table", ["a"])}, "wrong-value", "/rules/0/when/value"),
        ({"when": leaf("table.brands", "exists")}, "unknown-fact", "/rules/0/when/fact"),
        ({"then": {"redirect_to_column": "call.caller"}}, "no-table-column", "/rules/0/then/redirect_to_column"),
    ],
)
def test_what_cannot_be_read(rule: dict[str, Any], code: str, pointer: str) -> None:
    """A table has a name, and a column a table."""
    with pytest.raises(InvalidInputError) as refused:
        read_ruleset(make_document(rule))

    assert [(finding.code, finding.pointer) for finding in refused.value.findings] == [(code, pointer)]


def test_traces_name_what_was_looked_for() -> None:
    """The near miss says which table, and the value of nobody's fact."""
    rules = make_rules(BLOCKED, COLUMN, **BRANDS)
    facts = gather(rules, tables(blocked={}, brands={"+358912345678": {"queue": "lost"}}))

    trace = rules.trace(facts, NOW)

    assert [miss.explanation for miss in trace.near_misses] == [
        '"r0" would have matched, but call.caller is not in the table "blocked".',
        '"r1" would have matched, but table.brands.queue holds neither a destination nor a number.',
    ]
    [check] = trace.document()["rules"][0]["when"]["all"]
    assert check == {
        "fact": "call.caller",
        "op": "in_table",
        "expected": "blocked",
        "actual": "+358501234567",
        "verdict": "false",
        "cause": None,
        "detail": "",
        "pointer": "/rules/0/when",
    }


def test_stored_tests_say_what_they_assume() -> None:
    """A test brings its own rows and switches; what it leaves out is empty, or off."""
    call = {"anum": "+358501234567", "bnum": "+358912345678"}
    night = {"when": leaf("switch.night", "is", True), "then": {"disconnect": True}}
    document = make_document(
        night,
        COLUMN,
        **BRANDS,
        tests=[
            {"name": "at night", "call": call, "switches": {"night": True}, "expect": {"rule": "r0"}},
            {
                "name": "a brand",
                "call": call,
                "tables": {"brands": {"+358912345678": {"queue": "vip"}}},
                "expect": {"redirect": "vip", "on_fail": "out"},
            },
            {"name": "another number", "call": call, "expect": {"rule": None}},
        ],
    )

    results = run_tests(read_ruleset(document))

    assert [(result.name, result.mismatches) for result in results] == [
        ("at night", ()),
        ("a brand", ()),
        ("another number", ()),
    ]


def test_states_by_time() -> None:
    """A switch is on until the moment at which it goes off."""
    assert [Switch(on=True, off_at=10.0).is_on(at) for at in (9.9, 10.0)] == [True, False]
    assert [Switch(on=True).is_on(0.0), Switch(on=False).is_on(0.0)] == [True, False]
