"""Whether a ruleset makes sense: what can be told before the first call comes."""

from collections.abc import Iterator
from itertools import groupby
from math import prod

from app.errors import Finding
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.lint_agents import find_agent_faults
from app.routing.lint_calendars import find_calendar_faults
from app.routing.lint_columns import fault
from app.routing.lint_conditions import KnownColumns, find_condition_faults
from app.routing.lint_data import find_data_faults
from app.routing.lint_order import find_shadowed
from app.routing.numbers import NumberKind, read_number
from app.routing.redirect_loops import find_loops, report_loop
from app.routing.registry import suggest
from app.routing.rule import Action, Rule, list_names
from app.routing.rule_data import RuleData
from app.routing.rule_tests import run_tests
from app.routing.ruleset import DestinationSpec, Ruleset, find_lost_destinations
from app.routing.wire import FIELDS, ResponseProfile, describe_decision

__all__ = ["lint_ruleset"]

_NEARLY_ALL = 99
_DIALLED = frozenset({NumberKind.E164, NumberKind.SHORT})


def lint_ruleset(
    ruleset: Ruleset,
    profile: ResponseProfile,
    *,
    known_columns: KnownColumns | None = None,
    data: RuleData | None = None,
    now: float | None = None,
    region: str = "FI",
) -> tuple[Finding, ...]:
    """Find what is wrong with a ruleset; a finding of severity `error` must keep it from being published.

    Without `known_columns` (logical names by table, `contact` and `account`) columns are not checked, without `data`
    switches and tables; without `now` (seconds since the epoch) nothing is called expired; `region` (ISO 3166-1)
    completes numbers.
    """
    ruleset = ruleset.with_values()
    lost = list(find_lost_destinations(ruleset))
    findings = [*lost, *_find_destination_faults(ruleset, region)]
    for name, condition in ruleset.define.items():
        findings += find_condition_faults(condition, join_pointer("define", name), None, ruleset, known_columns)
    findings += _find_unused_conditions(ruleset)
    findings += find_data_faults(ruleset, data, known_columns)
    findings += find_calendar_faults(ruleset, now)
    for index, rule in enumerate(ruleset.rules):
        pointer = join_pointer("rules", index)
        findings += find_condition_faults(rule.when, f"{pointer}/when", rule.id, ruleset, known_columns)
        findings += _find_action_faults(rule, f"{pointer}/then", ruleset, profile, known_columns)
        findings += _find_limit_faults(rule, pointer, now)
    findings += find_shadowed(ruleset)
    findings += _find_shares_of_shares(ruleset)
    findings += find_loops(ruleset, now)
    findings += _find_test_name_faults(ruleset)
    if not lost:
        # Tests can only run when every destination exists.
        findings += _find_failing_tests(ruleset, region)
    return tuple(findings)


def _find_destination_faults(ruleset: Ruleset, region: str) -> Iterator[Finding]:
    """Find destinations no call can go to: numbers that cannot be dialled, ids with characters that nobody can see."""
    for name, spec in ruleset.destinations.items():
        if fault := _judge_destination(spec, region):
            code, message, hint = fault
            yield Finding(code=code, pointer=join_pointer("destinations", name, "id"), message=message, hint=hint)


def _judge_destination(spec: DestinationSpec, region: str) -> tuple[str, str, str] | None:
    if not spec.id.isprintable():
        return "unusable-id", "the id holds characters that cannot be seen", "type it anew instead of pasting it"
    if spec.kind is DestinationKind.NUMBER and read_number(spec.id, region).kind not in _DIALLED:
        return "unusable-number", "this is not a number that can be dialled", "write it like +358401234567"
    return None


def _find_action_faults(
    rule: Rule, pointer: str, ruleset: Ruleset, profile: ResponseProfile, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find fields the wire has no key for, fields that are not sent, and agents that are none."""
    for name in FIELDS:
        if _is_set(rule.then, name) and name not in profile.fields:
            message = f"{name} has no wire key in the response profile, so it would never be sent"
            hint = f"ask Enreach for the key and set SMARTROUTING_RESPONSE__FIELDS for {name}, or leave it out"
            yield fault(rule.id, "no-wire-key", f"{pointer}/{name}", message, hint)
    lost = (*FIELDS, "on_fail") if rule.then.no_change else ("on_fail",) if rule.then.disconnect else ()
    for name in lost:
        if _is_set(rule.then, name):
            message, hint = (
                f"{name} is not sent without a redirect",
                "redirect to the call's own queue to keep it there",
            )
            yield fault(rule.id, "lost-field", f"{pointer}/{name}", message, hint, severity="warning")
    for place, fact in _list_agents(rule.then, pointer):
        yield from find_agent_faults(fact, place, rule.id, ruleset, known_columns)


def _is_set(then: Action, name: str) -> bool:
    value = getattr(then, name)
    return value is not None and value != ()


def _list_agents(then: Action, pointer: str) -> Iterator[tuple[str, str]]:
    for name in ("redirect_to_agent", "required_agent"):
        if fact := getattr(then, name):
            yield f"{pointer}/{name}", fact
    for index, fact in enumerate(then.preferred_agents):
        yield pointer + join_pointer("preferred_agents", index), fact


def _find_limit_faults(rule: Rule, pointer: str, now: float | None) -> Iterator[Finding]:
    """Find a validity that is empty or past, and a share of nobody."""
    start, end = rule.valid_from, rule.valid_until
    if start is not None and end is not None and start >= end:
        yield fault(
            rule.id,
            "empty-validity",
            f"{pointer}/valid_until",
            "the rule is valid until before it is valid from",
            "swap the two",
        )
    elif end is not None and now is not None and end.timestamp() <= now:
        message, hint = "the rule is no longer valid", "remove it, or move `valid_until`"
        yield fault(rule.id, "expired", f"{pointer}/valid_until", message, hint, severity="warning")
    if rule.then.split is not None and not any(rule.then.split.values()):
        message, hint = "every weight is 0, so that nothing is split", "give at least one destination a weight"
        yield fault(rule.id, "no-share", f"{pointer}/then/split", message, hint)
    if rule.share == 0:
        message, hint = "a share of 0 is nobody's", "disable the rule instead"
        yield fault(rule.id, "no-share", f"{pointer}/share", message, hint, severity="warning")


def _find_unused_conditions(ruleset: Ruleset) -> Iterator[Finding]:
    used = {name for condition in ruleset.define.values() for name in list_names(condition)}
    used |= {name for rule in ruleset.rules for name in list_names(rule.when)}
    for name in ruleset.define:
        if name not in used:
            pointer, message = join_pointer("define", name), f'nothing uses the condition "{name}"'
            yield fault(None, "unused-condition", pointer, message, "remove it", severity="warning")


def _find_shares_of_shares(ruleset: Ruleset) -> Iterator[Finding]:
    """Find rules of one condition that follow each other, with shares that are meant to be all callers and are not."""
    enabled = [(index, rule) for index, rule in enumerate(ruleset.expanded_rules) if rule.enabled]
    for _, group in groupby(enabled, key=lambda each: each[1].when if each[1].share is not None else each[0]):
        rules = list(group)
        shares = [rule.share for _, rule in rules if rule.share is not None]
        left = prod(1 - share / 100 for share in shares)
        if len(shares) > 1 and sum(shares) >= _NEARLY_ALL and left > 0:
            pointer = join_pointer("rules", rules[0][0], "share")
            message = f"each of these {len(rules)} shares is one of all callers anew, so that {left:.0%} fall into none"
            hint = "write one rule with `split`, whose weights share out every caller"
            yield fault(rules[0][1].id, "shares-of-shares", pointer, message, hint, severity="warning")


def _find_test_name_faults(ruleset: Ruleset) -> Iterator[Finding]:
    """Find tests that share a name or expect a rule that does not exist."""
    rules = {rule.id for rule in ruleset.rules}
    seen: dict[str, int] = {}
    for index, test in enumerate(ruleset.tests):
        first = seen.setdefault(test.name, index)
        if first != index:
            pointer, message = join_pointer("tests", index, "name"), f"test {first} has this name too"
            yield fault(None, "duplicate-test", pointer, message, "use another name", severity="warning")
        expected = test.expect.rule
        if expected is not None and expected not in rules:
            pointer, message = join_pointer("tests", index, "expect", "rule"), f'no rule has the id "{expected}"'
            yield fault(None, "unknown-rule", pointer, message, suggest(expected, rules))


def _find_failing_tests(ruleset: Ruleset, region: str) -> Iterator[Finding]:
    """Find tests that come out otherwise than expected, and tests whose call goes round between queues."""
    rules = {None, *(rule.id for rule in ruleset.rules)}
    for result in run_tests(ruleset, region=region):
        pointer = join_pointer("tests", result.position)
        # One that expects a rule that does not exist has its own finding.
        if not result.passed and ruleset.tests[result.position].expect.rule in rules:
            outcome = describe_decision(result.decision)
            message = f'test "{result.name}" came out as {outcome}: {"; ".join(result.mismatches)}'
            yield fault(result.decision.rule, "failing-test", pointer, message, result.explanation)
        if result.loop:
            yield report_loop(result.loop, pointer, f'the call of test "{result.name}"')
