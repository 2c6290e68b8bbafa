"""Turns a recorded decision into a stored test of a draft."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.calls.erasure import ERASED
from app.calls.store import DecisionStore
from app.errors import InvalidInputError, NotFoundError
from app.routing.callers import CallerStatus
from app.routing.decisions import DecisionRecord
from app.routing.registry import MEMBERS, SWITCHES, find_fact
from app.routing.stored_tests import Expectation
from app.rulesets.drafts.drafts import Drafts, put_test
from app.rulesets.repository import RulesetRepository
from app.rulesets.store import Draft
from app.store.audit import AuditNote

__all__ = ["RecordedTests"]

_SOMEBODY = "+358501234567"
"""Stands for the caller's number, which the test does not need."""
_PARAMETERS = "call.parameters."


class RecordedTests:
    """Makes tests that reproduce a call: facts the rules read are pinned, the caller's number is replaced."""

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        drafts: Drafts,
        repository: RulesetRepository,
        clock: Callable[[], float],
    ) -> None:
        self._decisions = decisions
        self._drafts = drafts
        self._repository = repository
        self._clock = clock

    async def add(
        self, decision_id: str, draft_id: str, *, version: str, name: str | None, author: str, reveal: bool
    ) -> tuple[Draft, str]:
        """Add a test to a draft and return the draft and the test's name.

        The test expects what was decided. Rules that read who is calling make the test keep those facts, which must be
        asked for with `reveal` and leaves an audit record. Raises NotFoundError, PreconditionFailedError,
        ConflictError for a name that is taken, InvalidInputError for an erased caller or facts not revealed.
        """
        record = await self._decisions.get(decision_id)
        if record is None:
            raise NotFoundError("there is no such decision; a fresh one takes a moment to reach the database")
        if record.caller_raw == ERASED or not record.facts:
            raise InvalidInputError("the facts of this call are gone, so it cannot become a test")
        draft = await self._repository.find_draft(draft_id)
        rules = await self._repository.load(draft.document)
        pinned = _choose_facts(record, rules.facts_used)
        personal = sorted(name for name, value in pinned.items() if _is_personal(name, value))
        if personal and not reveal:
            facts = ", ".join(personal)
            raise InvalidInputError(
                f"rules of this draft read {facts}; repeat with reveal=true to keep that in the test"
            )
        title = name or _make_name(record)
        test = _write_test(record, pinned, keep_number="call.caller" in pinned)
        edit, notes = put_test(title, test, new=True), [self._note(record, draft_id, personal, author)]
        written = await self._drafts.edit(
            draft_id, edit, version=version, author=author, notes=notes if personal else ()
        )
        return written, title

    def _note(self, record: DecisionRecord, draft_id: str, facts: Sequence[str], author: str) -> AuditNote:
        return AuditNote(
            at=self._clock(),
            who=author,
            what="decision.revealed",
            target=f"decision/{record.id}",
            after={"test_of": f"draft/{draft_id}", "facts": facts},
        )


def _choose_facts(record: DecisionRecord, used: frozenset[str]) -> dict[str, object]:
    """Choose the recorded facts that the rules read; those of the clock follow from the test's own moment."""
    return {name: value for name, value in record.facts.items() if name in used and not name.startswith("time.")}


def _is_personal(name: str, value: object) -> bool:
    if value is None or isinstance(value, Mapping):
        return False
    spec = find_fact(name)
    return name.startswith(_PARAMETERS) or (spec is not None and spec.personal)


def _make_name(record: DecisionRecord) -> str:
    at = datetime.fromtimestamp(record.at, UTC)
    place = record.target_id or record.queue_id or "a queue"
    return f"call of {at:%Y-%m-%d %H:%M:%S} UTC at {place} ({record.id[-12:]})"


def _write_test(record: DecisionRecord, pinned: dict[str, object], *, keep_number: bool) -> dict[str, Any]:
    number = record.caller_e164 or record.caller_raw if keep_number else _SOMEBODY
    hidden = record.caller_status is CallerStatus.WITHHELD or record.facts.get("call.withheld") is True
    extra = {"CurrQueueId": record.queue_id} if record.queue_id else {}
    call = {
        "anum": None if hidden else number,
        "bnum": record.called_e164 or record.called_raw,
        "targetid": record.target_id,
        **({"extradata": extra} if extra else {}),
    }
    expected = {name: value for name, value in record.decision.items() if name in Expectation.model_fields}
    # What did not exist is off, or empty, in a test that does not name it.
    read = {name: value for name, value in pinned.items() if name.startswith((SWITCHES, MEMBERS))}
    states = {name.removeprefix(SWITCHES): value for name, value in read.items() if name.startswith(SWITCHES)}
    switches = {name: state for name, state in states.items() if isinstance(state, bool)}
    tables = _list_rows([name for name, value in read.items() if value is True and name.startswith(MEMBERS)], record)
    return {
        "call": call,
        "at": datetime.fromtimestamp(record.at, UTC).isoformat(),
        "facts": {name: value for name, value in pinned.items() if name not in read},
        **({"switches": switches} if switches else {}),
        **({"tables": tables} if tables else {}),
        "expect": {"rule": record.rule, **expected},
    }


def _list_rows(found: Sequence[str], record: DecisionRecord) -> dict[str, dict[str, dict[str, Any]]]:
    """List the rows that were found: by table, each with nothing but its key."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for name in found:
        table, _, fact = name.removeprefix(MEMBERS).partition(".")
        value = record.facts.get(fact)
        for key in value if isinstance(value, list | tuple) else [value]:
            tables.setdefault(table, {})[str(key)] = {}
    return tables
