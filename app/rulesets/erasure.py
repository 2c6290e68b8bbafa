"""Takes the number of somebody who is to be forgotten out of rulesets, their tests and replays.

In a published revision it is replaced by a pseudonym: the rule and its test stay and still fit together, but nobody is
recognised by them any more. What rules do with a call, and the numbers of destinations, are places of the organisation
and stay.
"""

from collections.abc import Mapping
from typing import Any

from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.store import Document, compute_checksum, make_version
from app.store.json_text import dump_text, load
from app.store.number_erasure import NumberErasure, Replace
from app.store.tables import drafts, jobs, revisions

__all__ = ["RulesetErasure"]

_TEXT_MEMBERS = ("document", "diffs")
"""Members of a replay's result that are kept as text."""


class RulesetErasure:
    """Forgets a number, place by place. Everything returns how many entries changed, and raises StoreError."""

    def __init__(self, *, numbers: NumberErasure, live_ruleset: LiveRuleset) -> None:
        self._numbers = numbers
        self._live_ruleset = live_ruleset

    async def erase_in_drafts(self, e164: str) -> int:
        """Take a number out of drafts; whoever has read one before must read it again."""
        return await self._numbers.erase(drafts, e164, _change_draft)

    async def erase_in_revisions(self, e164: str) -> int:
        """Take a number out of published revisions, and out of the live rules of every process within a second."""
        erased = await self._numbers.erase(revisions, e164, _change_revision)
        await self._live_ruleset.refresh()
        return erased

    async def erase_in_replays(self, e164: str) -> int:
        """Take a number out of the results of replays and other jobs."""
        return await self._numbers.erase(jobs, e164, _change_job)


def _change_draft(row: Mapping[Any, Any], replace: Replace) -> dict[str, Any]:
    changed = {"name": replace(row["name"]), "document": _replace_in_ruleset(row["document"], replace)}
    return {**changed, "version": make_version()} if _differ(changed, row) else {}


def _change_revision(row: Mapping[Any, Any], replace: Replace) -> dict[str, Any]:
    document = _replace_in_ruleset(row["document"], replace)
    changed = {"comment": replace(row["comment"]), "document": document}
    return {**changed, "checksum": compute_checksum(document)} if _differ(changed, row) else {}


def _change_job(row: Mapping[Any, Any], replace: Replace) -> dict[str, Any]:
    result = row["result"]
    if isinstance(result, Mapping):
        texts = {name: result[name] for name in _TEXT_MEMBERS if isinstance(result.get(name), str)}
        replaced = {name: dump_text(replace(load(text))) for name, text in texts.items()}
        others = replace({name: value for name, value in result.items() if name not in texts})
        changed: dict[str, Any] = {"result": {**others, **replaced}}
    else:
        changed = {"result": replace(result)}
    changed["error"] = replace(row["error"])
    return changed if _differ(changed, row) else {}


def _replace_in_ruleset(document: Document, replace: Replace) -> dict[str, Any]:
    return {key: _replace_in_part(key, value, replace) for key, value in document.items()}


def _replace_in_part(key: str, value: Any, replace: Replace) -> Any:
    if key == "destinations":
        return value
    if key == "tests":
        return [_replace_in_test(test, replace) for test in value]
    if key != "rules":
        return replace(value)
    return [{name: part if name == "then" else replace(part) for name, part in rule.items()} for rule in value]


def _replace_in_test(test: Mapping[str, Any], replace: Replace) -> dict[str, Any]:
    """Replace a number in a test; its rule is to find the pseudonym where the caller's number was."""
    replaced: dict[str, Any] = replace(test)
    before, after = (document["call"].get("anum") for document in (test, replaced))
    if before != after:
        replaced["facts"] = {"call.caller": after, **replaced.get("facts", {})}
    return replaced


def _differ(changed: Mapping[str, Any], row: Mapping[Any, Any]) -> bool:
    return any(value != row[name] for name, value in changed.items())
