"""One rule made ready: its checks as tests, and its action as a decision."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from msgspec.structs import replace

from app.routing.action import Action
from app.routing.checks import Check, Outline, Places, list_checks, outline_condition, read_agent
from app.routing.condition import AllOf, Leaf, Operator
from app.routing.conditions import Test, all_of, any_of, list_members, not_of
from app.routing.decisions import Decision, Destination, DestinationKind, Message, Outcome
from app.routing.facts import FactValue
from app.routing.ruleset import Rule, Ruleset

__all__ = ["CompiledRule", "Demand", "compile_rule"]

Choice = Callable[[Mapping[str, FactValue]], Decision]


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
    tests: tuple[Test, ...]
    """The tests of the checks, in their order."""
    parts: tuple[Test, ...]
    """The parts of the outermost `all`, each over values."""
    combine: Test
    """The rule's verdict from the verdicts of its checks."""
    choose: Choice
    """The decision, from complete facts, once the verdict is true."""
    demands: tuple[Demand, ...]
    """What the rule insists on, by which it can be passed over without a look at it."""


def compile_rule(rule: Rule, position: int, ruleset: Ruleset, places: Places) -> CompiledRule:
    """Compile one rule of a ruleset whose destinations all exist."""
    pointer = f"/rules/{position}"
    checks = list(list_checks(rule, pointer, places))
    implied = tuple(range(len(checks)))
    shape = outline_condition(rule.when, f"{pointer}/when", places, checks)
    # A conjunction joins the implied checks on one level; anything else is one part beside them.
    parts: tuple[Outline, ...] = shape[1] if not isinstance(shape, int) and shape[0] == "all" else (shape,)
    outline = ("all", (*implied, *parts))
    tests = tuple(check.test for check in checks)
    for fact in rule.then.agent_facts:
        places.find(fact)
    return CompiledRule(
        position=position,
        rule=rule,
        checks=tuple(checks),
        outline=outline,
        tests=tests,
        parts=tuple(_join(part, tests) for part in outline[1]),
        combine=_compile_combination(outline, len(checks)),
        choose=_compile_choice(rule, ruleset),
        demands=tuple(_list_demands(rule, places)),
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


def _list_demands(rule: Rule, places: Places) -> Iterator[Demand]:
    for leaf in rule.when.parts if isinstance(rule.when, AllOf) else (rule.when,):
        if isinstance(leaf, Leaf) and leaf.op in {Operator.IS, Operator.IN}:
            yield Demand(places.find(leaf.fact), frozenset(list_members(leaf)))


def _compile_choice(rule: Rule, ruleset: Ruleset) -> Choice:
    base = _build_decision(rule, ruleset)
    return _compile_agents(rule.then, base) if rule.then.agent_facts else lambda _: base


def _build_decision(rule: Rule, ruleset: Ruleset) -> Decision:
    """Build what does not depend on the call; a target that is an agent has its id filled in later."""
    then = rule.then
    if then.no_change:
        return Decision(outcome=Outcome.NO_CHANGE, rule=rule.id)
    target = None
    if not then.disconnect:
        target = ruleset.find_destination(then.redirect) if then.redirect else Destination(DestinationKind.USER, "")
    return Decision(
        outcome=Outcome.DISCONNECT if then.disconnect else Outcome.REDIRECT,
        rule=rule.id,
        target=target,
        fail_target=ruleset.find_destination(then.on_fail) if then.on_fail and target else None,
        priority=then.priority,
        extra_priority=then.extra_priority,
        messages=tuple(Message(message.culture, message.text) for message in then.messages),
    )


def _compile_agents(then: Action, base: Decision) -> Choice:
    def read(facts: Mapping[str, FactValue], name: str | None) -> str | None:
        return None if name is None else read_agent(facts[name])

    def choose(facts: Mapping[str, FactValue]) -> Decision:
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

    return choose
