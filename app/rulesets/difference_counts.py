"""Adds up how decisions differ: by kind of change, and call by call."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.observability.redaction import redact_text
from app.routing.decisions import DecisionRecord
from app.rulesets.comparison import Comparer, Comparison, can_compare
from app.rulesets.effects import Names, name_differences

__all__ = ["DifferenceCounts", "summarise"]

_CALLS_KEPT = 2_000
_GROUPS_NAMED = 6


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of change."""

    before: str
    after: str
    fields: tuple[str, ...]
    """The members of the decision that differ."""


class DifferenceCounts:
    """Counts comparisons, and keeps the first changed calls of a run.

    Holds no number and no name of a caller: a call is named by the id of its decision, and a number that a queue sends
    in the place of an identifier is masked.
    """

    def __init__(self, names: Names, *, most_calls: int = _CALLS_KEPT) -> None:
        self._names = names
        self._most_calls = most_calls
        self.calls = 0
        """Calls compared."""
        self.changed = 0
        self.other_rule = 0
        """Calls with the same outcome by another rule."""
        self.skipped = 0
        """Fire drills, and calls whose facts are gone."""
        self._groups: Counter[Group] = Counter()
        self._missing: Counter[str] = Counter()
        self._diffs: list[dict[str, Any]] = []

    def add(self, comparer: Comparer, record: DecisionRecord) -> bool:
        """Compare one call and count it; tell whether something would change."""
        if not can_compare(record):
            self.skipped += 1
            return False
        try:
            found = comparer.compare(record)
        except (ValueError, KeyError, OverflowError):  # spelled by another version, or at a time no calendar has
            self.skipped += 1
            return False
        self._count(found, record)
        return found.changed

    def document(self) -> dict[str, Any]:
        """Write everything as JSON values, the most frequent change first."""
        groups = [
            {"before": group.before, "after": group.after, "fields": list(group.fields), "calls": calls}
            for group, calls in self._groups.most_common()
        ]
        return {
            "summary": summarise(self.calls, self.changed, groups),
            "calls": self.calls,
            "changed": self.changed,
            "other_rule": self.other_rule,
            "skipped": self.skipped,
            "groups": groups,
            "missing_facts": dict(self._missing.most_common()),
            "diffs": list(self._diffs),
        }

    def load(self, document: Mapping[str, Any]) -> None:
        """Add what another tally wrote."""
        self.calls += document["calls"]
        self.changed += document["changed"]
        self.other_rule += document["other_rule"]
        self.skipped += document["skipped"]
        for group in document["groups"]:
            self._groups[Group(group["before"], group["after"], tuple(group["fields"]))] += group["calls"]
        self._missing.update(document["missing_facts"])
        self._diffs = [*self._diffs, *document["diffs"]][-self._most_calls :]

    def _count(self, found: Comparison, record: DecisionRecord) -> None:
        self.calls += 1
        for name in found.missing:
            self._missing[name] += 1
        if not found.changed:
            self.other_rule += found.other_rule
            return
        self.changed += 1
        group = self._name_group(found, record)
        self._groups[group] += 1
        if len(self._diffs) < self._most_calls:
            self._diffs.append(_write_diff(group, found, record))

    def _name_group(self, found: Comparison, record: DecisionRecord) -> Group:
        target = _redact(record.target_id)
        before, after = (
            self._names.describe(effect, record.queue_id, target) for effect in (found.before, found.after)
        )
        return Group(before, after, name_differences(found.before, found.after))


def summarise(calls: int, changed: int, groups: Sequence[Mapping[str, Any]]) -> str:
    """Say it in one line: `4,812 calls, 37 change: 29 Sales -> VIP queue, 8 VIP queue -> Sales`."""
    head = f"{calls:,} call{'' if calls == 1 else 's'}"
    if not changed:
        return f"{head}, none changes"
    named = [_name_change(group) for group in groups[:_GROUPS_NAMED]]
    more = len(groups) - len(named)
    return f"{head}, {changed:,} change: {', '.join(named)}{f', and {more} other changes' if more else ''}"


def _name_change(group: Mapping[str, Any]) -> str:
    if group["before"] != group["after"]:
        return f"{group['calls']:,} {group['before']} -> {group['after']}"
    fields = ", ".join(name.replace("_", " ") for name in group["fields"])
    return f"{group['calls']:,} {group['before']} with another {fields}"


def _redact(identifier: str | None) -> str | None:
    return None if identifier is None else redact_text(identifier)


def _write_diff(group: Group, found: Comparison, record: DecisionRecord) -> dict[str, Any]:
    return {
        "decision": record.id,
        "at": record.at,
        "queue_id": _redact(record.queue_id),
        "target_id": _redact(record.target_id),
        "before": {"to": group.before, "rule": record.rule, "revision": record.revision},
        "after": {"to": group.after, "rule": found.decision.rule},
        "fields": list(group.fields),
    }
