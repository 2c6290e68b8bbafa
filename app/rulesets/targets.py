"""Whether the queues and users a ruleset names exist in Enreach."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachTimeoutError
from app.errors import Finding
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.registry import suggest
from app.routing.ruleset import Ruleset

__all__ = ["EnreachTargets", "TargetCatalogue", "Targets", "find_lost_targets"]

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Targets:
    """The places Enreach knows."""

    queues: Mapping[str, str | None]
    """Name by id."""
    users: frozenset[str]
    """Ids."""


class TargetCatalogue(Protocol):
    """Whoever knows the places."""

    async def list_targets(self) -> Targets:
        """List queues and users; raises EnreachError."""


class EnreachTargets:
    """Asks the Enreach API."""

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


async def find_lost_targets(ruleset: Ruleset, catalogue: TargetCatalogue, *, silence: str) -> list[Finding]:
    """Find destinations that do not exist; when Enreach does not answer, that is one finding of severity `silence`.

    Numbers are not looked up: Enreach calls any number.
    """
    if all(spec.kind is DestinationKind.NUMBER for spec in ruleset.destinations.values()):
        return []
    try:
        targets = await catalogue.list_targets()
    except EnreachError as error:
        message = f"the destinations could not be checked: {error.detail}"
        hint = "check the Enreach settings, or publish anyway"
        return [Finding(code="enreach-silent", pointer="/destinations", message=message, hint=hint, severity=silence)]
    return list(_compare(ruleset, targets))


def _compare(ruleset: Ruleset, targets: Targets) -> Iterator[Finding]:
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
