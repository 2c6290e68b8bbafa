"""Everything Dataverse knows about one number, in two parallel questions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from app.dataverse.client import Reads, Row, read_rows
from app.dataverse.customer_history import CustomerHistory
from app.dataverse.errors import AccessDeniedError, BadQueryError, DataverseError, RecordNotFoundError
from app.dataverse.queries import (
    MAX_CLAUSES,
    MAX_MATCHES,
    SearchPlan,
    build_account_query,
    build_account_search,
    build_contact_query,
    build_contact_search,
    build_lead_query,
    count_numbers,
    write_literals,
)
from app.dataverse.records import LOOKUP_TYPES, Numbers, read_accounts, read_contacts, read_leads
from app.dataverse.refused_columns import Column, RefusedColumns
from app.routing.callers import LookUp, Match, Selection
from app.routing.number_blocks import MAX_BLOCKS, list_blocks
from app.routing.number_search import tolerant_patterns
from app.routing.numbers import MAX_NOTATIONS, read_number, spell_number
from app.routing.stored_numbers import read_stored_numbers

__all__ = ["CallerLookUp", "Reads"]

log = structlog.get_logger()

_BLOCK_NOTATIONS: Final = 14
"""Notations of a number block that are asked for, half of them with the operator's extension."""
_Build = Callable[[SearchPlan, Selection], str]
_Rows = Coroutine[Any, Any, list[Row]]


class CallerLookUp:
    """Finds the active contacts and accounts that carry a number (Dataverse contract, section 3.4)."""

    def __init__(
        self,
        *,
        client: Reads,
        search_client: Reads,
        plan: SearchPlan,
        region: str,
        patterns: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        """`search_client` is for `search`, which must not use what calls need."""
        self.max_numbers = count_numbers(plan, MAX_NOTATIONS + len(patterns))
        """How many numbers one look-up may be about."""
        self._client = client
        self._search_client = search_client
        self._plan = plan
        self._region = region
        self._patterns = patterns
        self._refused = RefusedColumns(plan=plan, clock=clock)
        self._history = CustomerHistory(client=client, plan=plan, refused=self._refused)
        spellings = min(_BLOCK_NOTATIONS + len(patterns), MAX_CLAUSES // (MAX_BLOCKS * len(plan.account_phones)))
        self._block_notations = max(1, spellings - len(patterns))
        self._blocks_at_once = max(1, MAX_CLAUSES // (MAX_BLOCKS * len(plan.account_phones) * spellings))

    async def look_up(self, e164s: Sequence[str], selection: Selection) -> Mapping[str, LookUp]:
        """Read every record with one of these numbers, and what the selection wants of it.

        Columns of the selection that the organisation does not know are left out and logged; cases and phone calls
        that cannot be read do not fail the look-up. Raises DataverseError, among them BadQueryError for unknown
        columns of the settings; it has no deadline of its own.
        """
        literals = write_literals(spelling for e164 in e164s for spelling in spell_number(e164, self._patterns))
        top = MAX_MATCHES * len(e164s)
        contact_rows, account_rows, lead_rows = await _gather(
            self._ask(partial(build_contact_query, literals=literals, top=top), selection, self._client),
            self._ask(partial(build_account_query, literals=literals, top=top), selection, self._client),
            self._ask_leads(literals, top),
        )
        if len(e164s) > 1 and top in {len(contact_rows), len(account_rows), len(lead_rows)}:
            # One number with many records may have crowded the others out of the answer.
            return {e164: (await self.look_up([e164], selection))[e164] for e164 in e164s}
        numbers = Numbers(e164s, self._read_number)
        leads = {e164: tuple(found) for e164, found in read_leads(lead_rows, self._plan, numbers).items()}
        matches = {**leads, **self._read(contact_rows, account_rows, selection, numbers)}
        found = {e164: LookUp(matches=matches.get(e164, ())) for e164 in e164s}
        if self._plan.number_blocks:
            found |= await self._find_blocks([e164 for e164 in e164s if e164 not in matches], selection)
        return (await self._history.add(found, selection))[0]

    async def search(self, e164: str, selection: Selection) -> LookUp:
        """Read every record with this number, whatever stands between its digits (section 3.7).

        That is a scan of both tables, so it is for numbers that `look_up` did not find. Raises DataverseError, among
        them ThrottledError when the server finds it too expensive.
        """
        patterns = tolerant_patterns(e164)
        if not patterns:
            return LookUp(matches=())
        contact_rows, account_rows = await _gather(
            self._ask(partial(build_contact_search, patterns=patterns), selection, self._search_client),
            self._ask(partial(build_account_search, patterns=patterns), selection, self._search_client),
        )
        matches = self._read(contact_rows, account_rows, selection, Numbers([e164], self._read_stored))
        found, _ = await self._history.add({e164: LookUp(matches=matches.get(e164, ()))}, selection)
        return found[e164]

    async def look_up_typed(self, text: str, selection: Selection) -> LookUp:
        """Read every record that has what a caller typed in the column of the settings; raises DataverseError."""
        column = self._plan.typed_column
        if column is None:
            return LookUp(matches=())
        plan = replace(self._plan, contact_phones=(column,), account_phones=(column,))
        literals, numbers = write_literals([text]), Numbers([text.casefold()], _read_typed)
        if self._plan.typed_table == "account":
            rows = await self._ask(lambda _, asked: build_account_query(plan, asked, literals), selection, self._client)
            matches = read_accounts(rows, plan, self._strip(selection), numbers)
        else:
            rows = await self._ask(lambda _, asked: build_contact_query(plan, asked, literals), selection, self._client)
            matches = read_contacts(rows, plan, self._strip(selection), numbers)
        found = LookUp(matches=tuple(matches.get(text.casefold(), ())))
        return (await self._history.add({text: found}, selection))[0][text]

    async def _ask_leads(self, literals: Sequence[str], top: int) -> list[Row]:
        """Ask for leads, where the settings want them; an organisation may have none, or not let this service see any.

        `smartrouting check` and readiness tell of it.
        """
        if not self._plan.lead_phones or not self._refused.has("lead"):
            return []
        query = build_lead_query(self._plan, literals, top)
        try:
            return read_rows(await self._client.get_json(query, prefer=(LOOKUP_TYPES,)))
        except (AccessDeniedError, RecordNotFoundError) as error:
            self._refused.note_absent("lead")
            log.warning("dataverse.leads_failed", **error.describe())
            return []

    async def _find_blocks(self, e164s: Sequence[str], selection: Selection) -> Mapping[str, LookUp]:
        """Find the accounts that registered the longest number block each number lies in; a question for a few."""
        found: dict[str, LookUp] = {}
        for start in range(0, len(e164s), self._blocks_at_once):
            blocks = {e164: list_blocks(e164) for e164 in e164s[start : start + self._blocks_at_once]}
            wanted = dict.fromkeys(block.e164 for each in blocks.values() for block in each)
            if not wanted:
                continue
            texts = (text for block in wanted for text in self._spell_block(block))
            ask = partial(build_account_query, literals=write_literals(texts), top=MAX_MATCHES * len(wanted))
            rows = await self._ask(ask, selection, self._client)
            accounts = self._read([], rows, selection, Numbers(wanted, self._read_number))
            for e164, each in blocks.items():
                block = next((block for block in each if block.e164 in accounts), None)
                if block is not None:
                    found[e164] = LookUp(matches=accounts[block.e164], block=block)
        return found

    def _spell_block(self, e164: str) -> Iterator[str]:
        """List how a block is stored: as a number, and with the operator's extension behind a hyphen (DIN 5008)."""
        count = self._block_notations
        if e164.endswith("0"):
            yield from (f"{text}-0" for text in spell_number(e164[:-1], (), count - count // 2))
            count //= 2
        yield from spell_number(e164, self._patterns, count)

    def _read(
        self, contact_rows: Sequence[Row], account_rows: Sequence[Row], selection: Selection, numbers: Numbers
    ) -> Mapping[str, tuple[Match, ...]]:
        """Turn rows into matches by number."""
        known = self._strip(selection)
        contacts = read_contacts(contact_rows, self._plan, known, numbers)
        accounts = read_accounts(account_rows, self._plan, known, numbers)
        return {e164: (*contacts.get(e164, ()), *accounts.get(e164, ())) for e164 in {**contacts, **accounts}}

    def _read_number(self, text: object) -> Sequence[str]:
        number = read_number(text, self._region).e164
        return () if number is None else (number,)

    def _read_stored(self, text: object) -> Sequence[str]:
        return [number.e164 for number in read_stored_numbers(text, self._region) if number.e164]

    async def _ask(self, build: _Build, selection: Selection, client: Reads) -> list[Row]:
        """Ask; when columns of the selection are refused, ask again without them."""
        while True:
            asked = self._strip(selection)
            try:
                return read_rows(await client.get_json(build(self._plan, asked), prefer=(LOOKUP_TYPES,)))
            except BadQueryError as error:
                if not self._refused.learn(error, _list_columns(asked)):
                    raise
                log.warning("dataverse.column_refused", table=error.facts.table, column=error.facts.column)

    def _strip(self, selection: Selection) -> Selection:
        if not selection.contact_columns and not selection.account_columns:
            return selection
        return replace(
            selection,
            contact_columns=self._refused.strip("contact", selection.contact_columns),
            account_columns=self._refused.strip("account", selection.account_columns),
        )


def _list_columns(selection: Selection) -> frozenset[Column]:
    """List the columns of a selection with their tables."""
    contact = {("contact", column) for column in selection.contact_columns}
    return frozenset(contact | {("account", column) for column in selection.account_columns})


async def _gather(*questions: _Rows) -> list[list[Row]]:
    """Ask all at once; when one fails the others are stopped, and the failure itself is raised."""
    first, *others = questions
    errors: Sequence[BaseException] = ()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other) for other in others]
            rows = await first
    except* DataverseError as failed:
        errors = failed.exceptions
    if errors:
        raise errors[0]
    return [rows, *(task.result() for task in tasks)]


def _read_typed(text: object) -> Sequence[str]:
    return (text.strip().casefold(),) if isinstance(text, str) else ()
