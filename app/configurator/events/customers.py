"""What plugins ask Dataverse about customers, by the settings that hold when they ask.

They ask beside the calls: through a client that leaves calls their share of the request budget.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.calls.call_settings import make_vip_rules
from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import DataverseClient, read_rows
from app.dataverse.queries import build_open_cases_query, build_record_query, plan_search
from app.dataverse.records import read_account_match, read_contact_match
from app.routing.callers import CallerKind, Match, Selection
from app.routing.vip import explain_vip
from app.settings import Settings

__all__ = ["CustomerRecords", "OpenCase"]


@dataclass(frozen=True, slots=True)
class OpenCase:
    """One active case."""

    id: str
    number: str | None
    title: str | None
    created_on: str | None
    """ISO 8601."""


class CustomerRecords:
    """Contacts, accounts and their cases. Everything raises DataverseError."""

    def __init__(
        self, *, client: DataverseClient, read_settings: Callable[[], Settings], clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._read_settings = read_settings
        self._clock = clock
        self._settings: Settings | None = None
        self._look_up: CallerLookUp

    async def find(self, e164: str, columns: Sequence[str]) -> Sequence[Match]:
        """Find the active records that carry a number, with these columns of them."""
        wanted = Selection(contact_columns=frozenset(columns), account_columns=frozenset(columns))
        return (await self._follow().look_up([e164], wanted))[e164].matches

    async def read(self, kind: CallerKind, record_id: str) -> Match | None:
        """Read one record with its companies; `None` when it is not there."""
        settings = self._read_settings()
        plan = plan_search(settings.dataverse, settings.vip, settings.phone)
        rows = read_rows(await self._client.get_json(build_record_query(plan, kind, record_id)))
        read = read_contact_match if kind is CallerKind.CONTACT else read_account_match
        return read(rows[0], plan, Selection()) if rows else None

    async def list_cases(self, customer_id: str, *, limit: int) -> list[OpenCase]:
        """List the active cases of a contact or an account, the newest first."""
        rows = read_rows(await self._client.get_json(build_open_cases_query(customer_id, limit)))
        return [_read_case(row) for row in rows]

    def explain_vip(self, match: Match) -> str | None:
        """Say why a record is a VIP, or `None`."""
        return explain_vip(match, make_vip_rules(self._read_settings().vip))

    def _follow(self) -> CallerLookUp:
        settings = self._read_settings()
        if settings is not self._settings:
            self._settings = settings
            plan = plan_search(settings.dataverse, settings.vip, settings.phone)
            self._look_up = CallerLookUp(
                client=self._client,
                search_client=self._client,
                plan=replace(plan, lead_phones=()),  # a customer of the phone client is a contact or an account
                region=settings.phone.default_region,
                patterns=settings.phone.patterns,
                clock=self._clock,
            )
        return self._look_up


def _read_case(row: Mapping[str, Any]) -> OpenCase:
    number, title, created = (row.get(name) for name in ("ticketnumber", "title", "createdon"))
    return OpenCase(str(row.get("incidentid")), number, title, created)
