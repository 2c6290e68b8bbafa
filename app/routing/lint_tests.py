"""Stored tests that fail, or cannot mean what they say."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.documents import join_pointer
from app.routing.registry import suggest
from app.routing.rule_tests import StoredTestResult, run_tests
from app.routing.ruleset import Ruleset
from app.routing.wire import describe_decision

__all__ = ["find_test_faults"]


def find_test_faults(ruleset: Ruleset, *, region: str, runnable: bool) -> Iterator[Finding]:
    """Find tests that share a name or expect a rule that does not exist; run the tests when that is possible."""
    yield from _find_twins(ruleset)
    strangers = list(_find_strangers(ruleset))
    yield from strangers
    known = {finding.pointer for finding in strangers}
    for result in run_tests(ruleset, region=region) if runnable else ():
        pointer = join_pointer("tests", result.position)
        if not result.passed and f"{pointer}/expect/rule" not in known:
            yield _report(result, pointer)


def _find_twins(ruleset: Ruleset) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, test in enumerate(ruleset.tests):
        first = seen.setdefault(test.name, index)
        if first != index:
            pointer, message = join_pointer("tests", index, "name"), f"test {first} has this name too"
            yield Finding(
                code="duplicate-test", pointer=pointer, message=message, hint="use another name", severity="warning"
            )


def _find_strangers(ruleset: Ruleset) -> Iterator[Finding]:
    rules = {rule.id for rule in ruleset.rules}
    for index, test in enumerate(ruleset.tests):
        expected = test.expect.rule
        if expected is not None and expected not in rules:
            pointer, message = join_pointer("tests", index, "expect", "rule"), f'no rule has the id "{expected}"'
            yield Finding(code="unknown-rule", pointer=pointer, message=message, hint=suggest(expected, rules))


def _report(result: StoredTestResult, pointer: str) -> Finding:
    outcome = describe_decision(result.decision)
    return Finding(
        code="failing-test",
        pointer=pointer,
        message=f'test "{result.name}" came out as {outcome}: {"; ".join(result.mismatches)}',
        hint=result.explanation,
        rule=result.decision.rule,
    )
