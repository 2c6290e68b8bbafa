"""Works on drafts: every change is checked for form, made from a known version, and audited."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from app.errors import ConflictError, Finding, InvalidInputError, NotFoundError
from app.routing.documents import join_pointer
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.rulesets.repository import RulesetRepository
from app.rulesets.store import Document, Draft, RulesetStore
from app.store.audit import AuditNote
from app.store.json_text import dump
from app.web.limits import HeavyWork

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "Drafts",
    "Edit",
    "add_rule",
    "move_rule",
    "put_member",
    "put_rule",
    "put_test",
    "remove_member",
    "remove_rule",
    "remove_test",
]

MAX_DOCUMENT_BYTES = 1_048_576
"""Of a draft as JSON: some four thousand rules, which take a second to read."""
Content = Mapping[str, Any]
"""A ruleset as JSON, as far as it has been read as one before."""
Rewritten = tuple[dict[str, Any], str]
"""The new document, and the pointer to the part that was sent; empty when none was."""
Edit = Callable[[Content], Rewritten]
"""Gives the document after a change; raises NotFoundError or ConflictError when the change does not fit."""
Member = Literal["destinations", "calendars", "rotas"]


class Drafts:
    """Creates, changes and throws away drafts.

    A draft can always be read as a ruleset; whether it makes sense the publish checks say.
    """

    def __init__(
        self,
        *,
        rulesets: RulesetStore,
        repository: RulesetRepository,
        heavy_work: HeavyWork,
        clock: Callable[[], float],
    ) -> None:
        self._rulesets = rulesets
        self._drafts = rulesets.drafts
        self._repository = repository
        self._heavy_work = heavy_work
        self._clock = clock

    async def create(self, *, name: str, source: str | None, document: object | None, author: str) -> Draft:
        """Start a draft from a document, from another ruleset (see `RulesetRepository.find`), or empty.

        Raises NotFoundError for an unknown source and InvalidInputError for an unusable document.
        """
        based_on = await self._rulesets.current_number()
        content: Document = {}
        if document is not None:
            content = (await self._read(document, _prefix_with("/document")))[1]
        elif source is not None:
            ruleset = await self._repository.read(source)
            content = await self._heavy_work.run(_write_document, ruleset)
            based_on = int(source) if source.isdecimal() else based_on
        now, draft_id = self._clock(), str(uuid.uuid4())
        note = _note(draft_id, "draft.created", author, now, after={"name": name, "source": source})
        return await self._drafts.create(
            draft_id,
            name=name,
            document=content,
            based_on=based_on,
            author=author,
            now=now,
            notes=[note],
        )

    async def replace(self, draft_id: str, *, version: str, name: str | None, document: object, author: str) -> Draft:
        """Write the whole draft anew; raises NotFoundError, PreconditionFailedError, InvalidInputError."""
        draft = await self._repository.take_draft(draft_id, version)
        return await self._write(draft, *await self._read(document), name=name, author=author)

    async def edit(
        self, draft_id: str, edit: Edit, *, version: str, author: str, notes: Sequence[AuditNote] = ()
    ) -> Draft:
        """Change one part of a draft; findings about the part that was sent point into that part.

        `notes` are kept in the audit besides that of the change itself. Raises NotFoundError, PreconditionFailedError,
        ConflictError, InvalidInputError.
        """
        draft = await self._repository.take_draft(draft_id, version)
        document, place = edit(draft.document)
        found = await self._read(document, lambda pointer: _point_into(pointer, place))
        return await self._write(draft, *found, name=None, author=author, notes=notes)

    async def delete(self, draft_id: str, *, version: str, author: str) -> None:
        """Throw a draft away; raises NotFoundError and PreconditionFailedError."""
        draft = await self._repository.take_draft(draft_id, version)
        before = {"name": draft.name, "document": draft.document}
        note = _note(draft_id, "draft.deleted", author, self._clock(), before=before)
        await self._drafts.delete(draft_id, version=version, notes=[note])

    async def _read(
        self, document: object, move: Callable[[str], str] = lambda pointer: pointer
    ) -> tuple[Ruleset, Document]:
        """Read a ruleset; `move` turns pointers into it into pointers into what was sent."""
        try:
            return await self._heavy_work.run(_read_document, document)
        except InvalidInputError as error:
            findings = [replace(finding, pointer=move(finding.pointer)) for finding in error.findings]
            raise InvalidInputError(error.detail, findings=findings) from error

    async def _write(
        self,
        draft: Draft,
        ruleset: Ruleset,
        document: Document,
        *,
        name: str | None,
        author: str,
        notes: Sequence[AuditNote] = (),
    ) -> Draft:
        now = self._clock()
        after = {"name": name or draft.name, **await self._repository.describe_changes(draft.document, ruleset)}
        note = _note(draft.id, "draft.changed", author, now, before={"version": draft.version}, after=after)
        return await self._drafts.update(
            draft.id,
            version=draft.version,
            name=name or draft.name,
            document=document,
            author=author,
            now=now,
            notes=[*notes, note],
        )


def _note(draft_id: str, what: str, who: str, at: float, *, before: object = None, after: object = None) -> AuditNote:
    return AuditNote(at=at, who=who, what=what, target=f"draft/{draft_id}", before=before, after=after)


def _read_document(document: object) -> tuple[Ruleset, Document]:
    ruleset = read_ruleset(document)
    return ruleset, _write_document(ruleset)


def _write_document(ruleset: Ruleset) -> Document:
    document = ruleset_document(ruleset)
    if (size := len(dump(document))) > MAX_DOCUMENT_BYTES:
        message = f"{size:,} bytes of JSON; a draft may have {MAX_DOCUMENT_BYTES:,}"
        finding = Finding(code="too-large", pointer="", message=message, hint="use `in` for alternatives")
        raise InvalidInputError("the ruleset is too large", findings=[finding])
    return document


def _prefix_with(place: str) -> Callable[[str], str]:
    return lambda pointer: place + pointer


def _point_into(pointer: str, place: str) -> str:
    """Turn a pointer into the whole draft into one into the part that was sent, where it lies there."""
    inside = place and (pointer == place or pointer.startswith(f"{place}/"))
    return pointer.removeprefix(place) if inside else pointer


def add_rule(rule: Any, position: int | None) -> Edit:
    """Insert a rule before the one at that position (from 0); at the end for `None` or a place beyond it."""

    def edit(document: Content) -> Rewritten:
        rules = _list(document, "rules")
        place = len(rules) if position is None else min(position, len(rules))
        rules.insert(place, rule)
        return {**document, "rules": rules}, join_pointer("rules", place)

    return edit


def put_rule(rule_id: str, rule: Any) -> Edit:
    """Write a rule over the one with that id; the new one may have another id."""

    def edit(document: Content) -> Rewritten:
        rules = _list(document, "rules")
        place = _find(rules, "id", rule_id, "rule")
        rules[place] = {"id": rule_id, **rule} if isinstance(rule, dict) else rule
        return {**document, "rules": rules}, join_pointer("rules", place)

    return edit


def move_rule(rule_id: str, position: int) -> Edit:
    """Put a rule at another position (from 0); one beyond the end is the end."""

    def edit(document: Content) -> Rewritten:
        rules = _list(document, "rules")
        rules.insert(position, rules.pop(_find(rules, "id", rule_id, "rule")))
        return {**document, "rules": rules}, ""

    return edit


def remove_rule(rule_id: str) -> Edit:
    """Take a rule out."""

    def edit(document: Content) -> Rewritten:
        rules = _list(document, "rules")
        del rules[_find(rules, "id", rule_id, "rule")]
        return {**document, "rules": rules}, ""

    return edit


def put_member(member: Member, name: str, value: Any) -> Edit:
    """Set a destination, a calendar or a rota, new or not."""

    def edit(document: Content) -> Rewritten:
        return {**document, member: {**document.get(member, {}), name: value}}, join_pointer(member, name)

    return edit


def remove_member(member: Member, name: str) -> Edit:
    """Take a destination, a calendar or a rota out."""

    def edit(document: Content) -> Rewritten:
        members = dict(document.get(member, {}))
        if name not in members:
            raise NotFoundError(f"the draft has no {member.removesuffix('s')} {name!r}")
        del members[name]
        return {**document, member: members}, ""

    return edit


def put_test(name: str, test: Any, *, new: bool = False) -> Edit:
    """Set the test of that name; with `new` raises ConflictError when there is one."""

    def edit(document: Content) -> Rewritten:
        tests = _list(document, "tests")
        named = {**test, "name": name} if isinstance(test, dict) else test
        place = next((index for index, known in enumerate(tests) if known.get("name") == name), len(tests))
        if new and place < len(tests):
            raise ConflictError(f"the draft has a test {name!r} already")
        tests[place : place + 1] = [named]
        return {**document, "tests": tests}, join_pointer("tests", place)

    return edit


def remove_test(name: str) -> Edit:
    """Take the test of that name out."""

    def edit(document: Content) -> Rewritten:
        tests = _list(document, "tests")
        del tests[_find(tests, "name", name, "test")]
        return {**document, "tests": tests}, ""

    return edit


def _list(document: Content, key: str) -> list[Any]:
    return list(document.get(key, ()))


def _find(items: list[Any], key: str, value: str, word: str) -> int:
    place = next((index for index, item in enumerate(items) if item.get(key) == value), None)
    if place is None:
        raise NotFoundError(f"the draft has no {word} {value!r}")
    return place
