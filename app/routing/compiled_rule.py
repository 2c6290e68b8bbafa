"""One rule made ready: what it checks, as tests, and what it decides.

Besides its condition a rule checks whether it is enabled and valid, whether the caller is in its share, and whether
the agents it needs are known.
"""

import hashlib
import operator
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from operator import itemgetter

from msgspec.structs import replace

from app.routing.agents import list_rota_agents, make_agent_reader
from app.routing.decisions import Decision, Destination, DestinationKind, Message, Outcome
from app.routing.destination_column import DestinationColumn
from app.routing.documents import join_pointer
from app.routing.evaluation import (
    FALSE,
    NOW,
    TRUE,
    UNKNOWN,
    UNTOLD,
    Test,
    all_of,
    any_of,
    compile_leaf,
    fold,
    list_members,
    not_of,
)
from app.routing.facts import FactValue, Unknown
from app.routing.registry import MEMBERS, ROTAS
from app.routing.rule import Action, AllOf, AnyOf, Condition, Defined, Leaf, NotOf, Operator, Rule, expand
from app.routing.ruleset import Ruleset

__all__ = ["Check", "CompiledRule", "Demand", "Outline", "Places", "compile_rule", "locate_caller"]

_WHO = ("call.caller", "call.id")
"""By what the same caller is known again; the second when the first is hidden."""
_BUCKETS = 10_000
"""Steps of the scale that shares divide: hundredths of a percent."""

Decide = Callable[[Mapping[str, FactValue]], Decision]
Outline = int | tuple[str, tuple["Outline", ...]]
"""A condition with its checks replaced by their index: an index, or `all`, `any` or `not` with parts."""


class Places:
    """Hands out one place in the list of values to every fact that is read."""

    def __init__(self, zone: tzinfo) -> None:
        """`zone` tells what day it is where the ruleset counts."""
        self.zone = zone
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


@dataclass(frozen=True, slots=True)
class Demand:
    """A fact, by its place, and the folded values outside of which a rule is never true."""

    place: int
    values: frozenset[object]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """Everything that deciding, tracing and explaining need of one rule."""

    position: int
    rule: Rule
    checks: tuple[Check, ...]
    outline: tuple[str, tuple[Outline, ...]]
    """How the checks are joined; the outermost is always `all`."""
    parts: tuple[Test, ...]
    """The parts of the outermost `all`, each over values."""
    combine: Test
    """The rule's verdict from the verdicts of its checks."""
    decision: Decision
    """What it decides once the verdict is true, if that does not depend on the call."""
    decide: Decide | None
    """Gives the decision of a call, from complete facts; `None` when it is always the same."""
    demands: tuple[Demand, ...]
    """What the rule insists on, by which it can be passed over without a look at it."""


def compile_rule(rule: Rule, position: int, ruleset: Ruleset, places: Places) -> CompiledRule:
    """Compile one rule of a ruleset whose destinations all exist."""
    pointer = f"/rules/{position}"
    checks = list(_list_checks(rule, pointer, ruleset, places))
    implied = tuple(range(len(checks)))
    shape = _Outliner(ruleset.define, places, checks).outline(rule.when, f"{pointer}/when")
    # A conjunction joins the implied checks on one level; anything else is one part beside them.
    parts: tuple[Outline, ...] = shape[1] if not isinstance(shape, int) and shape[0] == "all" else (shape,)
    outline = ("all", (*implied, *parts))
    tests = [check.test for check in checks]
    rotas = [ROTAS + name for _, name in rule.then.destinations if name in ruleset.rotas]
    for fact in (*rule.then.agent_facts, *rotas, *(_WHO if rule.then.split else ())):
        places.find(fact)
    decide = _compile_decision(rule, ruleset)
    return CompiledRule(
        position=position,
        rule=rule,
        checks=tuple(checks),
        outline=outline,
        parts=tuple(_join(part, tests) for part in outline[1]),
        combine=_compile_combination(outline, len(checks)),
        decision=_build_decision(rule, ruleset, rule.then.redirect or next(iter(rule.then.split or ()), None)),
        decide=decide,
        demands=tuple(_list_demands(expand(rule.when, ruleset.define), places)),
    )


def _join(outline: Outline, leaves: Sequence[Test]) -> Test:
    """Join tests as the outline says; the leaves may test values, or pick verdicts that are known."""
    if isinstance(outline, int):
        return leaves[outline]
    word, parts = outline
    tests = [_join(part, leaves) for part in parts]
    match word:
        case "all":
            return all_of(tests)
        case "any":
            return any_of(tests)
        case _:
            return not_of(tests[0])


def _compile_combination(outline: tuple[str, tuple[Outline, ...]], count: int) -> Test:
    if count and all(isinstance(part, int) for part in outline[1]):
        return min  # type: ignore[return-value]  # a plain conjunction, and verdicts are numbers
    return _join(outline, [itemgetter(index) for index in range(count)])


def _list_demands(when: Condition, places: Places) -> Iterator[Demand]:
    for leaf in when.parts if isinstance(when, AllOf) else (when,):
        if isinstance(leaf, Leaf) and leaf.op in {Operator.IS, Operator.IN} and not leaf.spec.many:
            yield Demand(places.find(leaf.fact), frozenset(list_members(leaf)))


def _compile_decision(rule: Rule, ruleset: Ruleset) -> Decide | None:
    then = rule.then
    decide = _compile_split(rule, ruleset, then.split) if then.split else None
    if rotas := [name for _, name in then.destinations if name in ruleset.rotas]:
        decide = _compile_rotas(ruleset, rotas, decide or _decide_always(rule, ruleset))
    if then.redirect_to_column:
        decide = _compile_column(then.redirect_to_column, ruleset, decide or _decide_always(rule, ruleset))
    if then.agent_facts:
        decide = _compile_agents(then, ruleset, decide or _decide_always(rule, ruleset))
    return decide


def _decide_always(rule: Rule, ruleset: Ruleset) -> Decide:
    decision = _build_decision(rule, ruleset, rule.then.redirect)
    return lambda _: decision


def _compile_split(rule: Rule, ruleset: Ruleset, split: Mapping[str, int]) -> Decide:
    decisions = [_build_decision(rule, ruleset, name) for name in split]
    ends, total = list(accumulate(split.values())), sum(split.values())

    def choose(facts: Mapping[str, FactValue]) -> Decision:
        place = locate_caller(rule.id, *(fold(facts[name]) for name in _WHO))
        return decisions[min(bisect_right(ends, place * total / 100), len(decisions) - 1)]

    return choose


def _build_decision(rule: Rule, ruleset: Ruleset, redirect: str | None) -> Decision:
    """Build what does not depend on the call; agents and whoever is on call are filled in later."""
    then = rule.then
    if then.no_change:
        return Decision(outcome=Outcome.NO_CHANGE, rule=rule.id)
    target = None
    if not then.disconnect:
        target = _find_place(ruleset, redirect) if redirect else Destination(DestinationKind.USER, "")
    return Decision(
        outcome=Outcome.DISCONNECT if then.disconnect else Outcome.REDIRECT,
        rule=rule.id,
        target=target,
        fail_target=_find_place(ruleset, then.on_fail) if then.on_fail and target else None,
        priority=then.priority,
        extra_priority=then.extra_priority,
        messages=tuple(Message(message.culture, message.text) for message in then.messages),
    )


def _find_place(ruleset: Ruleset, name: str) -> Destination | None:
    """Return the destination of a name; in the place of whoever is on call one that has only the rota's name."""
    return Destination(DestinationKind.USER, "", name) if name in ruleset.rotas else ruleset.find_destination(name)


def _compile_rotas(ruleset: Ruleset, rotas: Sequence[str], decide: Decide) -> Decide:
    members = {name: {fold(each): place for each, place in ruleset.find_members(name).items()} for name in rotas}

    def fill(place: Destination | None, facts: Mapping[str, FactValue]) -> Destination | None:
        known = None if place is None else members.get(place.name or "")
        return place if place is None or known is None else known.get(fold(facts[f"{ROTAS}{place.name}"]))

    def find_members(facts: Mapping[str, FactValue]) -> Decision:
        base = decide(facts)
        return replace(base, target=fill(base.target, facts), fail_target=fill(base.fail_target, facts))

    return find_members


def _compile_column(column: str, ruleset: Ruleset, decide: Decide) -> Decide:
    known = DestinationColumn(ruleset)
    return lambda facts: replace(decide(facts), target=known.find(fold(facts[column])))


def _compile_agents(then: Action, ruleset: Ruleset, decide: Decide) -> Decide:
    read = make_agent_reader(then.agent_facts, ruleset)

    def add_agents(facts: Mapping[str, FactValue]) -> Decision:
        base = decide(facts)
        if base.outcome is Outcome.NO_CHANGE:
            return base
        target = read(facts, then.redirect_to_agent)
        preferred = (read(facts, name) for name in then.preferred_agents)
        return replace(
            base,
            target=base.target if target is None else Destination(DestinationKind.USER, target),
            required_agent=read(facts, then.required_agent),
            preferred_agents=tuple(dict.fromkeys(agent for agent in preferred if agent is not None)),
        )

    return add_agents


def _list_checks(rule: Rule, pointer: str, ruleset: Ruleset, places: Places) -> Iterator[Check]:
    """List what a rule asks besides its condition: to be enabled, valid, of the caller's share, and who it needs."""
    if not rule.enabled:
        yield Check("rule.enabled", "is", True, f"{pointer}/enabled", lambda _: FALSE, lambda *_: False)
    if rule.valid_from is not None:
        yield _check_moment(rule.valid_from, "gte", f"{pointer}/valid_from")
    if rule.valid_until is not None:
        yield _check_moment(rule.valid_until, "lt", f"{pointer}/valid_until")
    if rule.share is not None:
        yield _check_share(rule.id, rule.share, f"{pointer}/share", places)
    if column := rule.then.redirect_to_column:
        at, test = f"{pointer}/then/redirect_to_column", DestinationColumn(ruleset).compile(places.find(column))
        yield Check(column, "is_destination", None, at, test, _read_fact(column))
    for place, fact in ruleset.list_needs(rule.then):
        members: Mapping[str, object] | None = list_rota_agents(fact, ruleset)
        if members is not None and not place.endswith("agent"):
            members = ruleset.find_members(fact.removeprefix(ROTAS))
        test = _compile_agent(places.find(fact), None if members is None else {fold(name) for name in members})
        yield Check(fact, "exists", None, f"{pointer}/then/{place}", test, _read_fact(fact))


@dataclass(frozen=True, slots=True)
class _Outliner:
    """Adds the comparisons of conditions to checks; a named condition is where it is defined."""

    define: Mapping[str, Condition]
    places: Places
    checks: list[Check]

    def outline(self, condition: Condition, pointer: str) -> Outline:
        """Return the shape of a condition that is at the pointer."""
        match condition:
            case Leaf():
                self.checks.append(_check_leaf(condition, pointer, self.places))
                return len(self.checks) - 1
            case Defined(name=name):
                return self.outline(self.define[name], join_pointer("define", name))
            case NotOf():
                return ("not", (self.outline(condition.part, f"{pointer}/not"),))
            case AllOf() | AnyOf():
                word = "all" if isinstance(condition, AllOf) else "any"
                parts = enumerate(condition.parts)
                return (word, tuple(self.outline(part, f"{pointer}/{word}/{i}") for i, part in parts))


def locate_caller(rule: str, caller: object, call: object) -> float:
    """Place a caller on the scale of 0 to 100 (excluded) that a rule's share divides.

    By SHA-256 of the rule's id and the caller's number, or else the call's id: always the same for the same caller,
    and different from rule to rule.
    """
    who = next((text for text in (caller, call) if isinstance(text, str)), "")
    digest = hashlib.sha256(f"{rule}\0{who}".encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") % _BUCKETS * 100 / _BUCKETS


def _check_leaf(leaf: Leaf, pointer: str, places: Places) -> Check:
    expected = list(leaf.value) if isinstance(leaf.value, tuple) else leaf.value
    fact, read = leaf.fact, _read_fact(leaf.fact)
    place = places.find(fact)
    if leaf.op is Operator.IN_TABLE:
        member = f"{MEMBERS}{leaf.value}.{fact}"
        place, read = places.find(member), _read_member(fact, member)
    return Check(fact, leaf.op.value, expected, pointer, compile_leaf(leaf, place, places.zone), read)


def _read_member(fact: str, member: str) -> Callable[[Mapping[str, FactValue], float], FactValue]:
    """Read what was looked for, or why it is not known whether it was found."""
    return lambda facts, _: facts[member] if isinstance(facts[member], Unknown) else facts[fact]


def _check_moment(bound: datetime, op: str, pointer: str) -> Check:
    limit = bound.timestamp()
    compare: Callable[..., bool] = operator.ge if op == "gte" else operator.lt

    def judge(values: Sequence[object]) -> int:
        return TRUE if compare(values[NOW], limit) else FALSE

    return Check(
        "time.now", op, bound.isoformat(), pointer, judge, lambda _, at: datetime.fromtimestamp(at, UTC).isoformat()
    )


def _check_share(rule: str, share: float, pointer: str, places: Places) -> Check:
    caller, call = (places.find(name) for name in _WHO)

    def judge(values: Sequence[object]) -> int:
        return TRUE if locate_caller(rule, values[caller], values[call]) < share else FALSE

    def find_actual(facts: Mapping[str, FactValue], _: float) -> float:
        return locate_caller(rule, *(fold(facts[name]) for name in _WHO))

    return Check("rule.share", "lt", share, pointer, judge, find_actual)


def _compile_agent(place: int, members: Collection[object] | None) -> Test:
    """Ask for an agent's id, or for one of the members of a rota."""

    def judge(values: Sequence[object]) -> int:
        value = values[place]
        if value is UNTOLD:
            return UNKNOWN
        if members is not None:
            return TRUE if value in members else FALSE
        return TRUE if isinstance(value, str | int | float) and value != "" else FALSE

    return judge


def _read_fact(fact: str) -> Callable[[Mapping[str, FactValue], float], FactValue]:
    return lambda facts, _: facts[fact]
