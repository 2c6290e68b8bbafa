"""Rulesets with one planted mistake each: lint finds that mistake and nothing else."""

from typing import Any

import pytest

from app.routing.lint import lint_ruleset
from app.routing.rule_data import DataTable, RuleData, Switch, make_table
from app.routing.ruleset import read_ruleset
from app.routing.wire import FITTING_SHAPES, FieldSpelling, ResponseProfile
from tests.routing.examples import NOW, leaf

PROFILE = ResponseProfile(
    fields={name: FieldSpelling(name, min(FITTING_SHAPES[name])) for name in ("priority", "required_agent")}
)
COLUMNS = {
    "contact": {"jobtitle": "String", "new_contract_end": "DateTime", "new_hobbies": "Virtual"},
    "account": {"revenue": "Money", "new_renewal": "DateTime", "accountcategorycode": "Picklist"},
}
DATA = RuleData(
    switches={"emergency": Switch(on=False)},
    tables={
        "brands": make_table({"+358912345678": {"queue": "vip", "level": "3"}, "+358912345679": {"queue": "out"}}),
        "typos": make_table({"+358912345678": {"queue": "vipp"}}),
        "blocked": DataTable(columns={}, rows={"+358401112233": ("+358401112233",)}, region="FI"),
    },
)
BRANDS = {"tables": {"brands": {"key": "call.called"}}}
VIP = leaf("caller.vip", "is", True)
QUEUE = {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e", "webhook": False}
HELSINKI = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}}
ROTA = {
    "time_zone": "Europe/Helsinki",
    "members": ["anna", "out"],
    "period": "week",
    "start": "2026-03-02T08:00",
}
CHOICES = {
    "account": {"accountcategorycode": {"type": "choice", "choices": {"1": "Preferred Customer", "2": "Standard"}}},
    "contact": {"new_hobbies": {"type": "choices", "choices": {"1": "Golf", "12": "Chess"}}},
}
CALL = {"anum": "+358501234567"}
USER = {"kind": "user", "id": "c2b7d0d4-6a43-5b0e-9e0b-3f6f5a1d7713"}


def rules(*conditions: dict[str, object], **then: object) -> dict[str, Any]:
    """Write a rule for each condition, with one action."""
    action = then or {"redirect": "vip"}
    return {"rules": [{"id": f"r{place}", "when": when, "then": action} for place, when in enumerate(conditions)]}


def rule(**members: object) -> dict[str, Any]:
    """Write one rule for VIPs, with further or other members."""
    return {"rules": [{"id": "r0", "when": VIP, "then": {"redirect": "vip"}, **members}]}


PLANTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "wrong date": (
        rules(leaf("caller.columns.new_contract_end", "gte", "-30d")),
        "wrong-date",
        "/rules/0/when/value",
    ),
    "wrong date in another order": (
        rules(leaf("account.columns.new_renewal", "lt", "4.3.2026")),
        "wrong-date",
        "/rules/0/when/value",
    ),
    "date operator on a text": (
        rules(leaf("caller.columns.jobtitle", "before_today")),
        "wrong-type",
        "/rules/0/when/op",
    ),
    "missing zone": (
        {**rules(leaf("time.local", "lt", "08:00")), "time_zone": None, "calendars": {}},
        "no-time-zone",
        "/rules/0/when",
    ),
    "wrong agent": (
        rule(then={"redirect_to_agent": "caller.name"}),
        "no-agent-fact",
        "/rules/0/then/redirect_to_agent",
    ),
    "wrong preferred agent": (
        rule(then={"redirect": "vip", "required_agent": "call.country"}),
        "no-agent-fact",
        "/rules/0/then/required_agent",
    ),
    "shares that leave callers nowhere": (
        {
            "rules": [
                {"id": f"r{place}", "when": VIP, "share": share, "then": {"redirect": "vip"}}
                for place, share in enumerate((50, 35, 15))
            ]
        },
        "shares-of-shares",
        "/rules/0/share",
    ),
    "split of nothing": (rule(then={"split": {"vip": 0, "out": 0}}), "no-share", "/rules/0/then/split"),
    "share of nobody": (rule(share=0), "no-share", "/rules/0/share"),
    "split to nowhere": (
        rule(then={"split": {"vip": 50, "vipp": 50}}),
        "unknown-destination",
        "/rules/0/then/split/vipp",
    ),
    "unknown destination": (rule(then={"redirect": "vipp"}), "unknown-destination", "/rules/0/then/redirect"),
    "unknown fail target": (
        rule(then={"redirect": "vip", "on_fail": "outt"}),
        "unknown-destination",
        "/rules/0/then/on_fail",
    ),
    "destination that cannot be dialled": (
        {"destinations": {"vip": QUEUE, "out": {"kind": "number", "id": "switchboard"}}},
        "unusable-number",
        "/destinations/out/id",
    ),
    "unknown switch": (rules(leaf("switch.emergancy", "is", True)), "unknown-switch", "/rules/0/when/fact"),
    "unknown switch in a definition": (
        {"define": {"cut": leaf("switch.cut", "is", True)}, **rules({"defined": "cut"})},
        "unknown-switch",
        "/define/cut/fact",
    ),
    "switch compared with a text": (
        rules(leaf("switch.emergency", "is", "on")),
        "wrong-type",
        "/rules/0/when/value",
    ),
    "test of a switch that no rule reads": (
        {"tests": [{"name": "t", "call": CALL, "switches": {"emergancy": True}, "expect": {"rule": None}}]},
        "unread-switch",
        "/tests/0/switches/emergancy",
    ),
    "unknown table": (
        rules(leaf("call.caller", "in_table", "blockt"), disconnect=True),
        "unknown-table",
        "/rules/0/when/value",
    ),
    "table without key": (
        rules(leaf("table.brands.queue", "exists")),
        "table-without-key",
        "/rules/0/when/fact",
    ),
    "table without key in an action": (
        rule(then={"redirect_to_column": "table.brands.queue"}),
        "table-without-key",
        "/rules/0/then/redirect_to_column",
    ),
    "column that the table does not have": (
        {**BRANDS, **rules(leaf("table.brands.colour", "is", "red"))},
        "unknown-column",
        "/rules/0/when/fact",
    ),
    "column of another type": (
        {**BRANDS, **rules(leaf("table.brands.level", "gte", 3))},
        "wrong-type",
        "/rules/0/when/value",
    ),
    "column that leads nowhere": (
        {"tables": {"typos": {"key": "call.called"}}, **rule(then={"redirect_to_column": "table.typos.queue"})},
        "unknown-destination",
        "/rules/0/then/redirect_to_column",
    ),
    "numbers looked up by what is none": (
        rules(leaf("call.country", "in_table", "blocked")),
        "wrong-type",
        "/rules/0/when/op",
    ),
    "row found by a truth value": (
        {
            "tables": {"brands": {"key": "call.internal"}},
            **rules(leaf("table.brands.queue", "exists")),
        },
        "wrong-type",
        "/tables/brands/key",
    ),
    "table that no rule reads": (BRANDS, "unused-table", "/tables/brands"),
    "test of a table that no rule reads": (
        {"tests": [{"name": "t", "call": CALL, "tables": {"blockt": {}}, "expect": {"rule": None}}]},
        "unread-table",
        "/tests/0/tables/blockt",
    ),
    "unknown column": (rules(leaf("caller.columns.jobtitel", "exists")), "unknown-column", "/rules/0/when/fact"),
    "unknown parameter": (
        rules(leaf("call.parameters.CUSTOMER", "is", "1")),
        "unknown-parameter",
        "/rules/0/when/fact",
    ),
    "unknown calendar": (rules(leaf("time.open.nigth", "is", True)), "unknown-calendar", "/rules/0/when/fact"),
    "number in quotes": (rules(leaf("caller.matches", "gt", "1")), "wrong-type", "/rules/0/when/value"),
    "text without quotes": (rules(leaf("call.target_id", "is", 4711)), "wrong-type", "/rules/0/when/value"),
    "number that no call has": (rules(leaf("call.called", "is", "09 123 456")), "not-e164", "/rules/0/when/value"),
    "weekday that is none": (rules(leaf("time.weekday", "is", "monday")), "wrong-type", "/rules/0/when/value"),
    "range the wrong way round": (
        rules(leaf("caller.matches", "between", [3, 1])),
        "empty-range",
        "/rules/0/when/value",
    ),
    "contradiction": (
        rules({"all": [leaf("call.target_id", "is", "A"), leaf("call.target_id", "is", "B")]}),
        "contradiction",
        "/rules/0/when",
    ),
    "never unknown": (rules(leaf("call.culture", "is_unknown")), "never-unknown", "/rules/0/when"),
    "rule behind another": (rules(VIP, VIP), "shadowed-rule", "/rules/1"),
    "validity that is over": (rule(valid_until="2020-01-01T00:00:00Z"), "expired", "/rules/0/valid_until"),
    "validity that ends before it begins": (
        rule(valid_from="2027-02-01T00:00:00Z", valid_until="2027-01-01T00:00:00Z"),
        "empty-validity",
        "/rules/0/valid_until",
    ),
    "definition that nothing uses": ({"define": {"gold": VIP}}, "unused-condition", "/define/gold"),
    "field without a wire key": (
        rule(then={"redirect": "vip", "extra_priority": 5}),
        "no-wire-key",
        "/rules/0/then/extra_priority",
    ),
    "field that is not sent": (
        rule(then={"disconnect": True, "on_fail": "out"}),
        "lost-field",
        "/rules/0/then/on_fail",
    ),
    "wrong choice": (
        {**rules(leaf("account.columns.accountcategorycode", "is", "Gold")), "columns": CHOICES},
        "unknown-choice",
        "/rules/0/when/value",
    ),
    "choice in quotes": (
        {**rules(leaf("account.columns.accountcategorycode", "is", "1")), "columns": CHOICES},
        "unknown-choice",
        "/rules/0/when/value",
    ),
    "several choices compared as one": (
        {**rules(leaf("caller.columns.new_hobbies", "is", "Golf")), "columns": CHOICES},
        "wrong-type",
        "/rules/0/when/op",
    ),
    "rota member that is lost": (
        {"rotas": {"duty": {**ROTA, "members": ["anna", "ben"]}}},
        "unknown-destination",
        "/rotas/duty/members/1",
    ),
    "rota of telephone numbers as an agent": (
        {**rule(then={"redirect": "vip", "required_agent": "rota.duty"}), "rotas": {"duty": ROTA}},
        "no-agent-fact",
        "/rules/0/then/required_agent",
    ),
    "unknown rota": (rules(leaf("rota.duty", "is", "anna")), "unknown-rota", "/rules/0/when/fact"),
    "member who is never on call": (
        {**rules(leaf("rota.duty", "is", "vip")), "rotas": {"duty": ROTA}},
        "unknown-member",
        "/rules/0/when/value",
    ),
    "exception that never counts": (
        {"calendars": {"office": {**HELSINKI, "exceptions": [{"date": "12-24"}, {"date": "12-22/01-06"}]}}},
        "hidden-exception",
        "/calendars/office/exceptions/0",
    ),
    "school holidays that are over": (
        {"calendars": {"office": {**HELSINKI, "exceptions": [{"dates": ["2025-02-17/2025-02-21"]}]}}},
        "past-dates",
        "/calendars/office/exceptions/0/dates",
    ),
    "queue that is no destination": (rules(leaf("queue.vipp.length", "gt", 3)), "unknown-queue", "/rules/0/when/fact"),
    "what no queue tells": (rules(leaf("queue.vip.agents", "gt", 3)), "unknown-queue-fact", "/rules/0/when/fact"),
    "length of a queue in quotes": (rules(leaf("queue.vip.length", "gt", "3")), "wrong-type", "/rules/0/when/value"),
    "availability of what is no agent": (
        rules(leaf("agent.available.caller.name", "is", True)),
        "no-agent-fact",
        "/rules/0/when/fact",
    ),
    "availability of nobody's rota": (
        rules(leaf("agent.available.rota.duty", "is", True)),
        "unknown-rota",
        "/rules/0/when/fact",
    ),
    "test of a rule that does not exist": (
        {"tests": [{"name": "t", "call": CALL, "expect": {"rule": "r9"}}]},
        "unknown-rule",
        "/tests/0/expect/rule",
    ),
    "test that fails": (
        {"tests": [{"name": "t", "call": CALL, "caller": {"vip": True}, "expect": {"redirect": "out"}}]},
        "failing-test",
        "/tests/0",
    ),
}
"""What is wrong -> the members of the ruleset that say so, and code and place of the one finding."""


def make(members: dict[str, Any]) -> dict[str, Any]:
    """Write a sound ruleset, with these members in the place of its own."""
    document = {
        "schema": 2,
        "time_zone": "Europe/Helsinki",
        "destinations": {"vip": QUEUE, "out": {"kind": "number", "id": "+358401234567"}, "anna": USER},
        "calendars": {"office": HELSINKI},
        "rules": [{"id": "r0", "when": VIP, "then": {"redirect": "vip", "priority": 3}}],
        "tests": [{"name": "a stranger", "call": CALL, "expect": {"no_change": True}}],
        **members,
    }
    return {name: member for name, member in document.items() if member is not None}


def lint(members: dict[str, Any]) -> list[tuple[str, str]]:
    """Return code and place of every finding."""
    ruleset = read_ruleset(make(members))
    found = lint_ruleset(ruleset, PROFILE, known_columns=COLUMNS, data=DATA, now=NOW)
    return [(finding.code, finding.pointer) for finding in found]


def test_nothing_is_wrong_with_the_sound_one() -> None:
    """What the mistakes are planted into has none of its own."""
    assert lint({}) == []


@pytest.mark.parametrize(("members", "code", "pointer"), PLANTED.values(), ids=PLANTED)
def test_the_mistake_is_found_and_nothing_else(members: dict[str, Any], code: str, pointer: str) -> None:
    """One mistake is one finding, at its place."""
    assert lint(members) == [(code, pointer)]
