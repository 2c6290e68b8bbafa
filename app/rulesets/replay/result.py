"""A replay over recorded calls, and what it found: how many change, by kind of change, and call by call."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.calls.store import DecisionFilter, DecisionStore
from app.observability.redaction import redact_text
from app.routing.decisions import DecisionRecord, DestinationKind, Outcome
from app.routing.ruleset import Ruleset
from app.rulesets.replay.replayer import Effect, ReplayedCall, Replayer

__all__ = ["PlaceNames", "ReplayPlan", "ReplayResult", "Slices", "run_replay", "summarise"]

_MAX_DIFFS = 2_000
_MAX_GROUPS_NAMED = 6
_SLICE_SECONDS = 0.001
_REST_SECONDS = 0.001
_REPORT_SECONDS = 0.5


class PlaceNames:
    """Knows the names of the places calls go to."""

    def __init__(self, *rulesets: Ruleset, queues: Mapping[str, str | None] | None = None) -> None:
        """`queues` are names of queues by id, as Enreach tells them; those of the first ruleset win over all others."""
        self._names = {
            (DestinationKind.QUEUE.value, place.casefold()): name for place, name in (queues or {}).items() if name
        }
        for ruleset in reversed(rulesets):
            for name, spec in ruleset.destinations.items():
                self._names[spec.kind.value, spec.id.casefold()] = spec.label or name

    def describe(self, effect: Effect, queue_id: str | None, target_id: str | None) -> str:
        """Say where the effect leaves a call that is in this queue."""
        if effect.outcome == Outcome.DISCONNECT:
            return "disconnected"
        if effect.target is not None:
            kind = effect.target[0]
            unnamed = "an agent" if kind == DestinationKind.USER else f"another {kind}"
            return self._find(*effect.target) or unnamed
        return self._find(DestinationKind.QUEUE.value, queue_id or "") or target_id or "the queue it is in"

    def _find(self, kind: str, place: str) -> str | None:
        return self._names.get((kind, place.casefold()))


@dataclass(frozen=True, slots=True)
class _Group:
    """One kind of change."""

    before: str
    after: str
    fields: tuple[str, ...]
    """The members of the decision that differ."""


class ReplayResult:
    """Counts replayed calls, and keeps the first changed ones.

    Holds no number and no name of a caller: a call is named by the id of its decision, and a number that a queue sends
    in the place of an identifier is redacted.
    """

    def __init__(self, names: PlaceNames, *, max_diffs: int = _MAX_DIFFS) -> None:
        self._names = names
        self._max_diffs = max_diffs
        self.calls = 0
        """Calls decided again."""
        self.changed = 0
        self.other_rule = 0
        """Calls with the same outcome by another rule."""
        self.skipped = 0
        """Fire drills, and calls whose facts are gone."""
        self._groups: Counter[_Group] = Counter()
        self._missing: Counter[str] = Counter()
        self._diffs: list[dict[str, Any]] = []

    def add(self, replayer: Replayer, record: DecisionRecord) -> bool:
        """Decide one call again and count it; tell whether something would change."""
        found = replayer.replay(record)
        if found is None:
            self.skipped += 1
            return False
        self.calls += 1
        self._missing.update(found.missing)
        if not found.changed:
            self.other_rule += found.other_rule
            return False
        self.changed += 1
        group = self._name_group(found, record)
        self._groups[group] += 1
        if len(self._diffs) < self._max_diffs:
            self._diffs.append(_write_diff(group, found, record))
        return True

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
        """Add what another result wrote."""
        self.calls += document["calls"]
        self.changed += document["changed"]
        self.other_rule += document["other_rule"]
        self.skipped += document["skipped"]
        for group in document["groups"]:
            self._groups[_Group(group["before"], group["after"], tuple(group["fields"]))] += group["calls"]
        self._missing.update(document["missing_facts"])
        self._diffs = [*self._diffs, *document["diffs"]][-self._max_diffs :]

    def _name_group(self, found: ReplayedCall, record: DecisionRecord) -> _Group:
        target = _redact(record.target_id)
        before, after = (
            self._names.describe(effect, record.queue_id, target) for effect in (found.before, found.after)
        )
        return _Group(before, after, found.changed_fields)


def summarise(calls: int, changed: int, groups: Sequence[Mapping[str, Any]]) -> str:
    """Say it in one line: `4,812 calls, 37 change: 29 Sales -> VIP queue, 8 VIP queue -> Sales`."""
    head = f"{calls:,} call{'' if calls == 1 else 's'}"
    if not changed:
        return f"{head}, none changes"
    named = [_name_change(group) for group in groups[:_MAX_GROUPS_NAMED]]
    more = len(groups) - len(named)
    return f"{head}, {changed:,} change: {', '.join(named)}{f', and {more} other changes' if more else ''}"


def _name_change(group: Mapping[str, Any]) -> str:
    if group["before"] != group["after"]:
        return f"{group['calls']:,} {group['before']} -> {group['after']}"
    fields = ", ".join(name.replace("_", " ") for name in group["fields"])
    return f"{group['calls']:,} {group['before']} with another {fields}"


def _redact(identifier: str | None) -> str | None:
    return None if identifier is None else redact_text(identifier)


def _write_diff(group: _Group, found: ReplayedCall, record: DecisionRecord) -> dict[str, Any]:
    return {
        "decision": record.id,
        "at": record.at,
        "queue_id": _redact(record.queue_id),
        "target_id": _redact(record.target_id),
        "before": {"to": group.before, "rule": record.rule, "revision": record.revision},
        "after": {"to": group.after, "rule": found.decision.rule},
        "fields": list(group.fields),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """Which recorded calls to decide again."""

    since: float | None = None
    """Seconds since the epoch, inclusive."""
    until: float | None = None
    """Seconds since the epoch, exclusive."""
    queue_id: str | None = None
    sample: int | None = None
    """So many calls, spread evenly over those that fit, and the same each time; `None` takes all."""

    def make_filter(self) -> DecisionFilter:
        """Choose real calls whose caller was not erased since."""
        return DecisionFilter(since=self.since, until=self.until, queue_id=self.queue_id, drill=False, erased=False)

    async def count(self, decisions: DecisionStore) -> int:
        """Tell how many calls that is."""
        found = await decisions.count(self.make_filter())
        return found if self.sample is None else min(found, self.sample)


class Slices:
    """Works for a millisecond and rests for one, so that no call waits for a long task."""

    def __init__(self, *, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + _SLICE_SECONDS

    async def rest(self) -> None:
        """Give way when the slice is over."""
        if self._monotonic() >= self._ends:
            await asyncio.sleep(_REST_SECONDS)
            self._ends = self._monotonic() + _SLICE_SECONDS


async def run_replay(
    replayer: Replayer,
    plan: ReplayPlan,
    result: ReplayResult,
    *,
    decisions: DecisionStore,
    report: Callable[[int], Awaitable[bool]] | None = None,
) -> None:
    """Add every call of the plan to the result, unless `report` says to stop.

    `report` hears how many calls are done, about twice a second and at the end. Raises StoreError.
    """
    slices, done, reported = Slices(), 0, time.monotonic()
    async for record in decisions.stream(plan.make_filter(), sample=plan.sample):
        result.add(replayer, record)
        done += 1
        await slices.rest()
        if report is not None and time.monotonic() - reported >= _REPORT_SECONDS:
            if not await report(done):
                return
            reported = time.monotonic()
    if report is not None:
        await report(done)
