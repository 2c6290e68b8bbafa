"""What was answered to which call, and why; who called only for those who may know it."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from app.auth.principals import Principal
from app.calls.redaction import redact_facts, redact_number, redact_trace
from app.calls.store import DecisionFilter, DecisionStore, DecisionSummary
from app.errors import AppError, NotFoundError
from app.observability.redaction import redact_identifier
from app.observability.redaction import redact_number as hide_number
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decisions import Decision, DecisionRecord, Outcome
from app.routing.facts import decode_facts
from app.routing.ruleset import read_ruleset
from app.store.audit import AuditStore
from app.store.pages import Page

__all__ = ["DecisionLog", "Revisions", "ShownDecision", "redact_summary"]

_REVISIONS_KEPT = 16
_AT_ONCE = 200
"""Decisions read at once when all of them are wanted: few milliseconds of work."""


class Revision(Protocol):
    """A published ruleset."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The ruleset file."""


class Revisions(Protocol):
    """The published rulesets."""

    async def revision(self, number: int) -> Revision:
        """Return a revision; raises NotFoundError and StoreError."""


@dataclass(frozen=True, slots=True)
class ShownDecision:
    """One decision with its explanation."""

    record: DecisionRecord
    trace: dict[str, Any] | None
    """`None` when its revision can no longer be read."""
    trace_agrees: bool
    """Whether the rules, asked again with the recorded facts, decide the same."""
    revealed: bool


class DecisionLog:
    """Finds decisions and explains them.

    A trace is not stored: rules are pure, so that revision and facts, which are stored, give it again.
    """

    def __init__(
        self, *, decisions: DecisionStore, revisions: Revisions, audit: AuditStore, clock: Callable[[], float]
    ) -> None:
        self._decisions = decisions
        self._revisions = revisions
        self._audit = audit
        self._clock = clock
        self._compiled: OrderedDict[int, CompiledRuleset] = OrderedDict()

    async def note_reading(self, who: Principal, wanted: DecisionFilter, *, revealed: bool) -> None:
        """Note that somebody looks for a number or sees full ones. Raises StoreError."""
        await self._audit.add(
            at=self._clock(),
            who=who.name,
            what="decisions.revealed" if revealed else "decisions.searched",
            target="decisions",
            after=redact_number(wanted.caller_e164 or "") or None,
        )

    async def page(
        self, wanted: DecisionFilter, *, limit: int, after: str | None, revealed: bool = False
    ) -> Page[DecisionSummary]:
        """List decisions, newest first, nameless, with masked numbers unless `revealed`. Raises StoreError."""
        page = await self._decisions.page(wanted, limit=limit, after=after)
        if revealed:
            return page
        return Page(tuple(map(redact_summary, page.items)), page.next)

    async def walk(
        self, wanted: DecisionFilter, *, after: str | None, revealed: bool
    ) -> AsyncIterator[Sequence[DecisionSummary]]:
        """List all decisions, newest first, some at a time and at least once. Raises StoreError."""
        while True:
            page = await self.page(wanted, limit=_AT_ONCE, after=after, revealed=revealed)
            yield page.items
            if (after := page.next) is None:
                return

    async def show(self, decision_id: str, *, reveal_to: Principal | None) -> ShownDecision:
        """Explain one decision; with `reveal_to` the full number is shown and that leaves an audit record first.

        Raises NotFoundError and StoreError.
        """
        record = await self._decisions.get(decision_id)
        if record is None:
            raise NotFoundError("there is no such decision; a fresh one takes a moment to reach the database")
        if reveal_to is not None:
            await self._audit.add(
                at=self._clock(), who=reveal_to.name, what="decision.revealed", target=f"decision/{decision_id}"
            )
        return await self._explain(record, revealed=reveal_to is not None)

    async def _explain(self, record: DecisionRecord, *, revealed: bool) -> ShownDecision:
        rules = await self._find_rules(record.revision)
        shown = record if revealed else _redact(record)
        if rules is None:
            return ShownDecision(shown, None, trace_agrees=False, revealed=revealed)
        trace = rules.trace(decode_facts(record.facts), record.at)
        document = trace.document()
        return ShownDecision(
            record=shown,
            trace=document if revealed else redact_trace(document),
            trace_agrees=_agrees(trace.decision, record),
            revealed=revealed,
        )

    async def _find_rules(self, number: int | None) -> CompiledRuleset | None:
        if number is None:
            return compile_ruleset(read_ruleset({}), revision=None)
        if number not in self._compiled:
            try:
                revision = await self._revisions.revision(number)
                self._compiled[number] = compile_ruleset(read_ruleset(revision.document), revision=number)
            except AppError:
                return None
            if len(self._compiled) > _REVISIONS_KEPT:
                self._compiled.popitem(last=False)
        return self._compiled[number]


def _agrees(decision: Decision, record: DecisionRecord) -> bool:
    """Compare what the rules say with what was answered, which may be no change for a reason beyond the rules."""
    overruled = record.outcome is Outcome.NO_CHANGE and "reason" in record.decision
    return decision.rule == record.rule and (overruled or decision.outcome is record.outcome)


def _redact(record: DecisionRecord) -> DecisionRecord:
    return msgspec.structs.replace(record, **_redact_who(record), facts=redact_facts(record.facts))


def redact_summary(summary: DecisionSummary) -> DecisionSummary:
    """Mask the numbers of a decision."""
    return msgspec.structs.replace(summary, **_redact_who(summary))


def _redact_who(record: DecisionRecord | DecisionSummary) -> dict[str, Any]:
    return {
        "caller_raw": None if record.caller_raw is None else redact_number(record.caller_raw),
        "caller_e164": hide_number(record.caller_e164) or None,
        "call_id": record.call_id and redact_identifier(record.call_id),
        "target_id": record.target_id and redact_identifier(record.target_id),
        "queue_id": record.queue_id and redact_identifier(record.queue_id),
    }
