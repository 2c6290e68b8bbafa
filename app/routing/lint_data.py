"""Switches that rules and tests name and nobody has set."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.documents import join_pointer
from app.routing.lint_conditions import fault
from app.routing.registry import SWITCHES, suggest
from app.routing.rule import Leaf, list_leaves
from app.routing.rule_data import RuleData
from app.routing.ruleset import Ruleset

__all__ = ["find_data_faults"]


def find_data_faults(ruleset: Ruleset, data: RuleData | None) -> Iterator[Finding]:
    """Find switches that do not exist, and those that a test assumes and no rule reads.

    Without `data` nothing is said about what exists.
    """
    read = set[str]()
    for pointer, rule, leaf in _list_leaves(ruleset):
        if leaf.fact.startswith(SWITCHES):
            name = leaf.fact.removeprefix(SWITCHES)
            read.add(name)
            if data is not None and name not in data.switches:
                hint = suggest(name, data.switches) or f"set it with PUT /admin/switches/{name}, if only to off"
                yield fault(rule, "unknown-switch", f"{pointer}/fact", f'no switch is called "{name}"', hint)
    for index, test in enumerate(ruleset.tests):
        for name in test.switches:
            if name not in read:
                pointer = join_pointer("tests", index, "switches", name)
                message, hint = f'no rule reads the switch "{name}"', suggest(name, read) or "leave it out"
                yield fault(None, "unread-switch", pointer, message, hint, severity="warning")


def _list_leaves(ruleset: Ruleset) -> Iterator[tuple[str, str | None, Leaf]]:
    """List every comparison with its place and its rule (`None` in `define`)."""
    for name, condition in ruleset.define.items():
        for pointer, leaf in list_leaves(condition, join_pointer("define", name)):
            yield pointer, None, leaf
    for index, rule in enumerate(ruleset.rules):
        for pointer, leaf in list_leaves(rule.when, join_pointer("rules", index, "when")):
            yield pointer, rule.id, leaf
