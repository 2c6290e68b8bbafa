"""Calls, callers, rulesets and their random variations, for tests of the rules."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from hypothesis import strategies as st

from app.routing.callers import Cause
from app.routing.calls import Call, Scalar, read_call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.facts import FactValue, Unknown
from app.routing.numbers import read_number
from app.routing.rule_data import RuleData, Switch, make_table
from app.routing.ruleset import read_ruleset

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp()
"""A Wednesday, noon in Helsinki."""
DESTINATIONS = {
    "vip": {"kind": "queue", "id": "vip-id", "label": "VIP service"},
    "out": {"kind": "number", "id": "+358401234567"},
}


def make_call(**extra: object) -> Call:
    """Make a call to the sales line; the keywords are extra data."""
    payload = {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE", "extradata": extra}
    return read_call(payload, partial(read_number, region="FI"))


def make_document(*rules: Mapping[str, object], **members: object) -> dict[str, object]:
    """Make a ruleset document; rules without an action redirect to `vip`, and are called `r0`, `r1` and so on."""
    numbered = [{"id": f"r{index}", "then": {"redirect": "vip"}, **rule} for index, rule in enumerate(rules)]
    return {"destinations": DESTINATIONS, "rules": numbered, **members}


def make_rules(*rules: Mapping[str, object], **members: object) -> CompiledRuleset:
    """Compile what `make_document` makes, as revision 7."""
    return compile_ruleset(read_ruleset(make_document(*rules, **members)), revision=7)


def leaf(fact: str, op: str, value: object = None) -> dict[str, object]:
    """Write a comparison."""
    return {"fact": fact, "op": op} if value is None else {"fact": fact, "op": op, "value": value}


_FACTS = ("caller.vip", "caller.name", "caller.open_cases", "call.target_id", "call.caller", "time.local")
_COLUMNS = ("caller.columns.tier", "account.columns.revenue")
_DATA = ("switch.night", "table.offices.level", "table.offices.place")
_MEMBERS = ("in_table.offices.caller.name", "in_table.offices.caller.columns.tier")
OFFICES = {"offices": {"key": "caller.columns.tier"}}
"""How rows of the table that `any_leaf` reads are found."""
_SCALARS: st.SearchStrategy[str | int | float | bool] = st.one_of(
    st.sampled_from(["A", "a", " a ", "B", "08:00", "16:00", "", "2026-03-04", "2026-03-03T23:30:00Z"]),
    st.integers(-2, 2),
    st.sampled_from([0.5, 1.0]),
    st.booleans(),
)
_CAUSES = st.builds(Unknown, st.sampled_from(Cause), st.sampled_from(["", "Dataverse timed out at 1.2 s"]))
_VALUES: st.SearchStrategy[Scalar | Unknown] = st.one_of(st.none(), _SCALARS, _CAUSES)


def any_facts() -> st.SearchStrategy[dict[str, FactValue]]:
    """Facts of any value, some of them missing."""
    names = (*_FACTS, *_COLUMNS, *_DATA, *_MEMBERS, "caller.id", "account.id", "call.id")
    return st.dictionaries(st.sampled_from(names), _VALUES)


def any_data() -> st.SearchStrategy[RuleData]:
    """Switches and tables of any content, some of them missing."""
    rows = st.dictionaries(
        st.sampled_from(["a", "B", "1"]),
        st.fixed_dictionaries({"level": _SCALARS, "place": st.sampled_from(["vip", "x"])}),
    )
    switch = st.builds(Switch, on=st.booleans(), off_at=st.sampled_from([None, NOW - 1, NOW + 1]))
    return st.builds(
        RuleData,
        switches=st.dictionaries(st.just("night"), switch),
        tables=st.dictionaries(st.just("offices"), rows.map(make_table)),
    )


@st.composite
def any_leaf(draw: st.DrawFn) -> dict[str, object]:
    """Draw a comparison of any fact by any operator with any value it takes."""
    fact = draw(st.sampled_from((*_FACTS, *_COLUMNS, *_DATA)))
    op = draw(st.sampled_from(("is", "is_not", "lt", "lte", "gt", "gte", "starts_with", "ends_with", "contains")))
    choices: dict[str, st.SearchStrategy[dict[str, object]]] = {
        "one": st.builds(lambda value: leaf(fact, op, value), _SCALARS),
        "list": st.builds(
            lambda word, values: leaf(fact, word, values),
            st.sampled_from(("in", "not_in")),
            st.lists(_SCALARS, min_size=1, max_size=3),
        ),
        "pair": st.builds(lambda low, high: leaf(fact, "between", [low, high]), _SCALARS, _SCALARS),
        "none": st.sampled_from([leaf(fact, word) for word in ("exists", "is_unknown", "before_today", "after_today")]),
        "table": st.just(leaf(draw(st.sampled_from(("caller.name", "caller.columns.tier"))), "in_table", "offices")),
        "days": st.builds(
            lambda word, days: leaf(fact, word, days),
            st.sampled_from(("within_days", "older_than_days")),
            st.integers(-9, 9),
        ),
    }
    return draw(choices[draw(st.sampled_from(sorted(choices)))])


def any_condition() -> st.SearchStrategy[dict[str, object]]:
    """Conditions of any shape."""
    return st.recursive(
        any_leaf(),
        lambda parts: st.one_of(
            st.builds(lambda several: {"all": several}, st.lists(parts, max_size=3)),
            st.builds(lambda several: {"any": several}, st.lists(parts, max_size=3)),
            st.builds(lambda one: {"not": one}, parts),
        ),
        max_leaves=8,
    )


@st.composite
def any_rule(draw: st.DrawFn) -> dict[str, object]:
    """Draw a rule with everything that can keep it from matching."""
    rule: dict[str, object] = {"when": draw(any_condition()), "enabled": draw(st.sampled_from([True, True, False]))}
    rule["then"] = draw(
        st.sampled_from(
            [
                {"redirect": "vip", "on_fail": "out"},
                {"redirect_to_agent": "caller.columns.tier"},
                {"redirect_to_column": "table.offices.place", "preferred_agents": ["table.offices.level"]},
                {"redirect": "vip", "required_agent": "caller.name", "preferred_agents": ["account.columns.revenue"]},
                {"disconnect": True},
                {"no_change": True},
            ]
        )
    )
    rule |= draw(st.sampled_from([{}, {"share": 40}, {"valid_from": "2026-01-01T00:00:00Z"}]))
    return rule | draw(st.sampled_from([{}, {"valid_until": "2026-01-02T00:00:00Z"}]))
