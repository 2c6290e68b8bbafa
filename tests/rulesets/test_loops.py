"""Which rules send calls in circles, and which only look so."""

import pytest

from app.routing.ruleset import read_ruleset
from app.rulesets.loops import find_loops

IN_A = {"fact": "call.queue_id", "op": "is", "value": "A"}
IN_B = {"fact": "call.queue_id", "op": "in", "value": ["b", "x"]}
VIP = {"fact": "caller.vip", "op": "is", "value": True}
NOT_VIP = {"fact": "caller.vip", "op": "is", "value": False}


def _tag(*values: str) -> dict[str, object]:
    return {"fact": "call.target_id", "op": "in", "value": list(values)}


def _find(*rules: tuple[str, dict[str, object] | None], **first: object) -> list[tuple[str, ...]]:
    """Find the loops of rules given as target and condition; each loop is its rules, from the message."""
    document = {
        "destinations": {name: {"kind": "queue", "id": name} for name in "abc"},
        "rules": [
            {"id": f"r{index}", "then": {"redirect": target}} | ({} if when is None else {"when": when})
            for index, (target, when) in enumerate(rules)
        ],
    }
    document["rules"][0] |= first  # type: ignore[index]
    found = find_loops(read_ruleset(document))
    return [tuple(finding.message.partition("by the rules ")[2].replace('"', "").split(", ")) for finding in found]


def test_two_scoped_rules() -> None:
    """A sends to B and B sends to A."""
    assert _find(("b", IN_A), ("a", IN_B)) == [("r0", "r1")]


def test_scoped_before_unscoped() -> None:
    """A sends to B by a rule of its own, and everything else, so also B, sends to A."""
    assert _find(("b", IN_A), ("a", None)) == [("r0", "r1")]


def test_circle_of_three() -> None:
    """Circles of any length are found, once."""
    in_c = {"fact": "call.queue_id", "op": "is", "value": "c"}
    assert _find(("b", IN_A), ("c", IN_B), ("a", in_c)) == [("r0", "r1", "r2")]


def test_tags_of_different_queues() -> None:
    """Rules for different target ids can be those of the two queues."""
    assert _find(("b", _tag("SALES")), ("a", _tag("VIP"))) == [("r0", "r1")]


@pytest.mark.parametrize(
    "rules",
    [
        [("b", None), ("a", None)],
        [("a", None), ("b", IN_A)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, NOT_VIP]})],
        [("a", IN_A), ("b", IN_B)],
        [("b", _tag("SALES")), ("a", {"all": [_tag("SALES"), VIP]})],
        [("b", {"fact": "call.queue_id", "op": "is_not", "value": "a"}), ("a", {"all": [IN_A, VIP]})],
        [("b", IN_A), ("c", IN_B)],
    ],
    ids=[
        "the first always decides",
        "the first keeps the call in A",
        "no caller meets both",
        "each keeps the call where it is",
        "the same target id, so the first decides",
        "the first does not hold in A",
        "no way back",
    ],
)
def test_no_circle(rules: list[tuple[str, dict[str, object] | None]]) -> None:
    """Rules that cannot both decide the same call in turn are no circle."""
    assert _find(*rules) == []


def test_hidden_scope_counts_as_possible() -> None:
    """A queue within `any` is not looked into, so the circle is taken to be possible."""
    assert _find(("b", {"any": [IN_A, VIP]}), ("a", IN_B)) == [("r0", "r1")]


def test_disabled_rule_sends_nothing() -> None:
    """A disabled rule is no way."""
    assert _find(("b", IN_A), ("a", IN_B), enabled=False) == []


def test_many_rules_end_in_time() -> None:
    """Thousands of rules between the same queues end after a bounded number of steps."""
    rules = [("abc"[index % 3], IN_A if index % 2 else IN_B) for index in range(3000)]

    assert len(_find(*rules)) <= 20
