"""Whether what a ruleset names exists: columns in the organisation, queues and users in Enreach."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.dataverse.check import CheckResult
from app.dataverse.column_types import ColumnTypes
from app.dataverse.errors import DataverseError
from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachTimeoutError, EnreachUnauthorizedError
from app.errors import Finding
from app.routing.columns import Columns, ColumnSpec, list_columns
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.lint_columns import list_undescribed
from app.routing.registry import suggest
from app.routing.ruleset import Ruleset

__all__ = ["EnreachTargets", "Targets", "check_enreach", "describe_columns", "find_lost_targets", "read_columns"]

_TIMEOUT_SECONDS = 10.0
"""An administrator waits for the answer; what is not known by then is a warning."""


async def describe_columns(ruleset: Ruleset, types: ColumnTypes) -> Ruleset:
    """Describe the columns that rules compare and that are not described yet, as far as Dataverse answers."""
    wanted = await asyncio.to_thread(lambda: list_columns(list_undescribed(ruleset)))
    try:
        found = await types.describe(wanted)
    except DataverseError:
        return ruleset
    return ruleset.describe_columns(found)


async def read_columns(
    rules: CompiledRuleset, types: ColumnTypes
) -> tuple[Mapping[str, Mapping[str, str]], Columns, list[Finding]]:
    """List the columns and their types of the tables that rules read, and describe the columns that they read.

    A table that is silent is a warning.
    """
    known: dict[str, Mapping[str, str]] = {}
    found, silence = dict[str, Mapping[str, ColumnSpec]](), list[Finding]()
    for table, names in sorted(list_columns(rules.facts_used).items()):
        try:
            known[table] = await types.list_types(table)
            found |= await types.describe({table: names})
        except DataverseError as error:
            silence.append(_warn(table, error))
            break
    return known, found, silence


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


async def check_enreach(client: EnreachClient | None) -> CheckResult:
    """Ask the Enreach API whether it takes the key."""
    name = "Enreach API"
    if client is None:
        hint = "set SMARTROUTING_ENREACH__URL, SMARTROUTING_ENREACH__USER and SMARTROUTING_ENREACH__SECRET"
        return CheckResult(name, ok=None, detail="queues and users are not checked", hint=hint)
    try:
        await client.fetch_own_user()
    except EnreachError as error:
        refused = isinstance(error, EnreachUnauthorizedError)
        setting = "USER and SMARTROUTING_ENREACH__SECRET" if refused else "URL"
        return CheckResult(name, ok=False, detail=error.detail, hint=f"check SMARTROUTING_ENREACH__{setting}")
    return CheckResult(name, ok=True, detail="answers, and accepts the key")


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


def _warn(table: str, error: DataverseError) -> Finding:
    return Finding(
        code="dataverse-silent",
        pointer="/rules",
        message=f"the columns of table {table} could not be checked: {error.detail}",
        hint="a column that does not exist is left out of look-ups, and facts about it are unknown",
        severity="warning",
    )


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
