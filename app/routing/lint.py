"""Whether a ruleset makes sense: what can be told before the first call comes."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.documents import join_pointer
from app.routing.lint_actions import find_action_faults
from app.routing.lint_destinations import find_destination_faults
from app.routing.lint_facts import KnownColumns, find_leaf_faults
from app.routing.lint_limits import find_contradictions, find_limit_faults
from app.routing.lint_loops import find_loop_faults
from app.routing.lint_order import find_shadowed
from app.routing.lint_tests import find_test_faults
from app.routing.ruleset import Rule, Ruleset, find_lost_destinations, list_leaves
from app.routing.wire import ResponseProfile

__all__ = ["lint_ruleset"]


def lint_ruleset(
    ruleset: Ruleset,
    profile: ResponseProfile,
    *,
    known_columns: KnownColumns | None = None,
    now: float | None = None,
    region: str = "FI",
) -> tuple[Finding, ...]:
    """Find what is wrong with a ruleset; a finding of severity `error` must keep it from being published.

    Without `known_columns` (logical names by table, `contact` and `account`) columns are not checked; without `now`
    (seconds since the epoch) nothing is called expired; `region` (ISO 3166-1) completes numbers.
    """
    lost = list(find_lost_destinations(ruleset))
    findings = [*lost, *find_destination_faults(ruleset, region=region)]
    for index, rule in enumerate(ruleset.rules):
        findings += _lint_rule(
            rule,
            join_pointer("rules", index),
            ruleset=ruleset,
            profile=profile,
            known_columns=known_columns,
            now=now,
        )
    findings += find_shadowed(ruleset)
    findings += find_loop_faults(ruleset, now)
    # Tests can only run when every destination exists.
    findings += find_test_faults(ruleset, region=region, runnable=not lost)
    return tuple(findings)


def _lint_rule(
    rule: Rule,
    pointer: str,
    *,
    ruleset: Ruleset,
    profile: ResponseProfile,
    known_columns: KnownColumns | None,
    now: float | None,
) -> Iterator[Finding]:
    for place, leaf in list_leaves(rule.when, f"{pointer}/when"):
        yield from find_leaf_faults(leaf, place, rule.id, ruleset, known_columns)
    yield from find_action_faults(rule, pointer, ruleset, profile, known_columns)
    yield from find_contradictions(rule, f"{pointer}/when")
    yield from find_limit_faults(rule, pointer, now)
