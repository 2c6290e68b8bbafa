"""The checks of one rule: its comparisons, and what it asks without saying so in its condition."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.routing.condition import AllOf, AnyOf, Condition, Leaf, NotOf
from app.routing.conditions import FALSE, TRUE, UNKNOWN, UNTOLD, Test, compile_leaf, fold
from app.routing.facts import FactValue
from app.routing.ruleset import Rule

__all__ = ["NOW", "Check", "Outline", "Places", "list_checks", "locate_caller", "outline_condition", "read_agent"]

NOW = 0
"""The place of the moment, in seconds since the epoch, in a list of values."""
_BUCKETS = 10_000

Outline = int | tuple[str, tuple["Outline", ...]]
"""A condition with its checks replaced by their index: an index, or `all`, `any` or `not` with parts."""


class Places:
    """Hands out one place in the list of values to every fact that is read."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def find(self, fact: str) -> int:
        """Return the fact's place; the moment has the first."""
        return self._places.setdefault(fact, len(self._places) + 1)

    def list_facts(self) -> tuple[str, ...]:
        """Return the facts in the order of their places."""
        return tuple(self._places)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is judged by itself, as the trace shows it."""

    fact: str
    op: str
    expected: object
    """A JSON value."""
    pointer: str
    """Where the ruleset says it (RFC 6901)."""
    test: Test
    find_actual: Callable[[Mapping[str, FactValue], float], FactValue]
    """What the fact was, from complete facts and the moment."""


def list_checks(rule: Rule, pointer: str, places: Places) -> Iterator[Check]:
    """List what a rule asks besides its condition: to be enabled, valid, of the caller's share, and its agents."""
    if not rule.enabled:
        yield Check("rule.enabled", "is", True, f"{pointer}/enabled", lambda _: FALSE, lambda *_: False)
    if rule.valid_from is not None:
        yield _check_moment(rule.valid_from, "gte", f"{pointer}/valid_from")
    if rule.valid_until is not None:
        yield _check_moment(rule.valid_until, "lt", f"{pointer}/valid_until")
    if rule.share is not None:
        yield _check_share(rule.id, rule.share, f"{pointer}/share", places)
    for fact in rule.then.needed_agents:
        word = "redirect_to_agent" if fact == rule.then.redirect_to_agent else "required_agent"
        test = _compile_agent(places.find(fact))
        yield Check(fact, "exists", None, f"{pointer}/then/{word}", test, _read_fact(fact))


def outline_condition(condition: Condition, pointer: str, places: Places, checks: list[Check]) -> Outline:
    """Add the comparisons of a condition to the checks and return its shape."""
    match condition:
        case Leaf():
            checks.append(_check_leaf(condition, pointer, places))
            return len(checks) - 1
        case NotOf():
            return ("not", (outline_condition(condition.part, f"{pointer}/not", places, checks),))
        case AllOf() | AnyOf():
            word = "all" if isinstance(condition, AllOf) else "any"
            parts = enumerate(condition.parts)
            return (word, tuple(outline_condition(p, f"{pointer}/{word}/{i}", places, checks) for i, p in parts))


def locate_caller(rule: str, caller: object, call: object) -> float:
    """Place a caller on the scale of 0 to 100 (excluded) that a rule's share divides.

    By SHA-256 of the rule's id and the caller's number, or else the call's id: always the same for the same caller,
    and different from rule to rule.
    """
    who = next((text for text in (caller, call) if isinstance(text, str)), "")
    digest = hashlib.sha256(f"{rule}\0{who}".encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") % _BUCKETS * 100 / _BUCKETS


def read_agent(value: FactValue) -> str | None:
    """Return the Enreach user id a fact holds; `None` when it holds none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def _check_leaf(leaf: Leaf, pointer: str, places: Places) -> Check:
    expected = list(leaf.value) if isinstance(leaf.value, tuple) else leaf.value
    test = compile_leaf(leaf, places.find(leaf.fact))
    return Check(leaf.fact, leaf.op.value, expected, pointer, test, _read_fact(leaf.fact))


def _check_moment(bound: datetime, op: str, pointer: str) -> Check:
    limit = bound.timestamp()

    def judge_start(values: Sequence[object]) -> int:
        return TRUE if values[NOW] >= limit else FALSE  # type: ignore[operator] # a float at NOW

    def judge_end(values: Sequence[object]) -> int:
        return TRUE if values[NOW] < limit else FALSE  # type: ignore[operator] # a float at NOW

    test = judge_start if op == "gte" else judge_end
    return Check("time.now", op, bound.isoformat(), pointer, test, lambda _, at: _spell_moment(at))


def _check_share(rule: str, share: float, pointer: str, places: Places) -> Check:
    caller, call = places.find("call.caller"), places.find("call.id")

    def judge(values: Sequence[object]) -> int:
        return TRUE if locate_caller(rule, values[caller], values[call]) < share else FALSE

    def find_actual(facts: Mapping[str, FactValue], _: float) -> float:
        return locate_caller(rule, *(fold(facts[name]) for name in ("call.caller", "call.id")))

    return Check("rule.share", "lt", share, pointer, judge, find_actual)


def _compile_agent(place: int) -> Test:
    def judge(values: Sequence[object]) -> int:
        value = values[place]
        if value is UNTOLD:
            return UNKNOWN
        return TRUE if isinstance(value, str | int | float) and value != "" else FALSE

    return judge


def _read_fact(fact: str) -> Callable[[Mapping[str, FactValue], float], FactValue]:
    return lambda facts, _: facts[fact]


def _spell_moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
