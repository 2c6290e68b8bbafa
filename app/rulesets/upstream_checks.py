"""Whether what a ruleset names exists: columns in the organisation, queues and users in Enreach."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.dataverse.client import DataverseClient, Row, read_rows, read_text
from app.dataverse.errors import DataverseError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachTimeoutError
from app.errors import Finding
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.registry import suggest
from app.routing.ruleset import Ruleset

__all__ = ["EnreachTargets", "Targets", "find_lost_targets", "read_known_columns"]

_TIMEOUT_SECONDS = 10.0
"""An administrator waits for the answer; what is not known by then is a warning."""
_LOOKUPS = frozenset({"Customer", "Lookup", "Owner"})


async def read_known_columns(
    rules: CompiledRuleset, dataverse: DataverseClient
) -> tuple[Mapping[str, Mapping[str, str]], list[Finding]]:
    """List the columns, with their types, of the tables whose columns the rules read; a silent table is a warning.

    Lookups count also as `_name_value` (Dataverse contract, section 6.4).
    """
    selection = rules.selection
    wanted = {
        "contact": selection.contact_columns,
        "account": selection.account_columns,
        "incident": selection.case_columns,
    }
    known: dict[str, Mapping[str, str]] = {}
    for table in (table for table, columns in wanted.items() if columns):
        try:
            known[table] = await _list_columns(table, dataverse)
        except DataverseError as error:
            return known, [_warn(table, error)]
    return known, []


@dataclass(frozen=True, slots=True)
class Targets:
    """The places Enreach knows."""

    queues: Mapping[str, str | None]
    """Name by id."""
    users: frozenset[str]
    """Ids."""


class EnreachTargets:
    """Asks the Enreach API for the places calls can go."""

    def __init__(self, *, client: EnreachClient) -> None:
        self._client = client

    async def list_targets(self) -> Targets:
        """List queues and users within ten seconds; raises EnreachError."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                queues = await self._client.list_queues()
                users = await self._client.list_users()
        except TimeoutError as error:
            raise EnreachTimeoutError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds") from error
        return Targets({queue.id: queue.name for queue in queues}, frozenset(user.id for user in users))


async def find_lost_targets(ruleset: Ruleset, enreach: EnreachTargets, *, silence: str) -> list[Finding]:
    """Find destinations that do not exist; when Enreach does not answer, that is one finding of severity `silence`.

    Numbers are not looked up: Enreach calls any number.
    """
    if all(spec.kind is DestinationKind.NUMBER for spec in ruleset.destinations.values()):
        return []
    try:
        targets = await enreach.list_targets()
    except EnreachError as error:
        message = f"the destinations could not be checked: {error.detail}"
        hint = "check the Enreach settings, or publish anyway"
        return [Finding(code="enreach-silent", pointer="/destinations", message=message, hint=hint, severity=silence)]
    return list(_find_lost(ruleset, targets))


async def _list_columns(table: str, dataverse: DataverseClient) -> Mapping[str, str]:
    path = build_path(f"EntityDefinitions(LogicalName='{table}')/Attributes", {"$select": "LogicalName,AttributeType"})
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answer = await dataverse.get_json(path)
    except TimeoutError as error:
        raise UnreadableAnswerError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds") from error
    return {name: str(read_text(row, "AttributeType")) for row in read_rows(answer) for name in _spell(row)}


def _warn(table: str, error: DataverseError) -> Finding:
    return Finding(
        code="dataverse-silent",
        pointer="/rules",
        message=f"the columns of table {table} could not be checked: {error.detail}",
        hint="a column that does not exist is left out of look-ups, and facts about it are unknown",
        severity="warning",
    )


def _spell(row: Row) -> list[str]:
    name = str(row.get("LogicalName"))
    return [name, f"_{name}_value"] if row.get("AttributeType") in _LOOKUPS else [name]


def _find_lost(ruleset: Ruleset, targets: Targets) -> Iterator[Finding]:
    known = {
        DestinationKind.QUEUE: {place.casefold() for place in targets.queues},
        DestinationKind.USER: {place.casefold() for place in targets.users},
    }
    queues = {name.casefold(): place for place, name in targets.queues.items() if name}
    for name, spec in ruleset.destinations.items():
        if spec.kind in known and spec.id.casefold() not in known[spec.kind]:
            other = queues.get(spec.id.casefold()) or queues.get(spec.label.casefold())
            hint = (
                f'the queue of that name has the id "{other}"' if other and spec.kind is DestinationKind.QUEUE else ""
            )
            yield Finding(
                code=f"unknown-{spec.kind}",
                pointer=join_pointer("destinations", name, "id"),
                message=f"Enreach has no {spec.kind} with this id",
                hint=hint or suggest(spec.id.casefold(), known[spec.kind]) or "take the id from the Enreach portal",
            )
