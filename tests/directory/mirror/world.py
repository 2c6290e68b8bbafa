"""An emulated organisation and the mirror of it, without the service around it."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Self

import httpx
from sqlalchemy import event

from app.dataverse.client import DataverseClient, RequestBudget
from app.dataverse.connection import Substitute
from app.dataverse.queries import SearchPlan
from app.directory.mirror.follower import MirrorFollower, MirrorOptions
from app.directory.mirror.matching import MatchReader
from app.directory.mirror.plan import MirrorPlan
from app.directory.mirror.reads import Found
from app.directory.mirror.status import MirrorStatus
from app.directory.mirror.store import MirrorStore
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator, read_tables
from app.routing.callers import AccountRecord, Caller, CallerKind, LookUp, Match, Selection
from app.routing.calls import Scalar
from app.routing.identification import identify
from app.routing.number_regions import region_of_country
from app.routing.stored_numbers import read_stored_numbers
from app.routing.vip import VipCriterion, VipRules
from app.store.database import Database

__all__ = ["CONTACT_COLUMN", "PLAN", "MirrorWorld", "scan"]

TOKEN = "token-of-the-mirror"
CONTACT_COLUMN = "jobtitle"
"""A column that rules may read."""
PLAN = SearchPlan(
    contact_phones=("mobilephone", "telephone1"),
    account_phones=("telephone1",),
    contact_columns=frozenset({"donotphone"}),
    account_columns=frozenset({"accountcategorycode"}),
    account_depth=2,
    agent_column="employeeid",
)
VIP = VipRules(
    criteria=(
        VipCriterion(table=CallerKind.ACCOUNT, column="accountcategorycode", value=1),
        VipCriterion(table=CallerKind.CONTACT, column="donotphone", value=True),
    ),
    account_depth=2,
)
OPTIONS = MirrorOptions(page_size=2, poll_seconds=0, grace_seconds=0, reload_seconds=0)
_MAX_STEPS = 200


class _Tokens:
    async def get(self) -> str:
        return TOKEN

    async def renew(self, rejected: str) -> str:
        return rejected


class MirrorWorld:
    """The mirror may crash and start again; the organisation and the database stay."""

    def __init__(self, database: Database, rows: dict[str, Any], **options: Any) -> None:
        self.emulator = create_dataverse_emulator(data=read_tables(rows), static_tokens={TOKEN: CLIENT_ID})
        self.selection = Selection()
        self._database = database
        if database.is_sqlite and not event.contains(database.engine.sync_engine, "invalidate", _roll_back):
            event.listen(database.engine.sync_engine, "invalidate", _roll_back)
        self._options = options.get("mirror", OPTIONS)
        self._times = itertools.count(1)
        self.client = DataverseClient(
            wire=Substitute(httpx.ASGITransport(self.emulator)),
            tokens=_Tokens(),
            url="https://org.example",
            max_connections=5,
            budget=RequestBudget(requests=1_000_000, seconds=300, monotonic=time.monotonic),
        )
        self.start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.aclose()
        await self.client.aclose()

    @property
    def wanted(self) -> MirrorPlan:
        return MirrorPlan.make(PLAN, self.selection, region="FI")

    def start(self) -> None:
        """Begin with nothing in memory, as a process does."""
        self.store = MirrorStore(database=self._database)
        self.status = MirrorStatus(store=self.store, clock=self.read_clock, behind_seconds=60, max_age_seconds=1e9)
        self.follower = MirrorFollower(
            client=self.client,
            store=self.store,
            status=self.status,
            lead=_lead,
            required=lambda: MirrorPlan.make(PLAN, Selection(), region="FI"),
            wanted=lambda: self.wanted,
            clock=self.read_clock,
            options=self._options,
        )

    def read_clock(self) -> float:
        """A second passes with every look at the clock."""
        return float(next(self._times))

    async def crash(self, turns: int) -> None:
        """Kill the mirror so many turns of the event loop into its next piece of work, and start it again."""
        task = asyncio.create_task(self.follower.step())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.store.aclose()
        self.start()

    def expire_tokens(self) -> None:
        """Let more than a week pass in the organisation, which change tracking does not remember."""
        self.emulator.clock.ahead_seconds += 8 * 24 * 3600

    async def catch_up(self) -> None:
        """Work until the index holds everything, and then once more for what came meanwhile."""
        followed = False
        for _ in range(_MAX_STEPS):
            await self.follower.step()
            await self.status.refresh()
            if followed and self.follower.failure is None:
                return
            followed = self.status.live is not None and self.status.live.plan.serves(self.wanted)
        raise AssertionError(self.follower.failure)

    async def look_up(self, e164: str) -> Caller:
        """Return whom the index knows under a number."""
        live = self.status.live
        assert live is not None
        reader = MatchReader(
            contact_columns=tuple(sorted(self.wanted.contact_columns)),
            account_columns=tuple(sorted(self.wanted.account_columns)),
            account_depth=PLAN.account_depth,
        )
        found = Found(await self.store.find(live.number, [e164], depth=PLAN.account_depth + 1))
        return judge(reader.read(found, e164))

    def scan(self, e164: str) -> Caller:
        """Return whom a look through all rows of the organisation finds under a number."""
        return judge(scan(self.emulator, self.wanted, e164))


def judge(matches: Iterable[Match]) -> Caller:
    return identify(LookUp(matches=tuple(matches)), vip=VIP, agent_of=None, now=0.0)


def scan(emulator: DataverseEmulator, plan: MirrorPlan, e164: str) -> Iterator[Match]:
    """Look through every row, the slow and plain way."""
    kinds = (
        (CallerKind.CONTACT, "contacts", plan.contact_phones, plan.contact_columns),
        (CallerKind.ACCOUNT, "accounts", plan.account_phones, plan.account_columns),
    )
    for kind, entity_set, phones, columns in kinds:
        for row in emulator.tables.rows(entity_set):
            region = region_of_country(row.get("address1_country")) or plan.region
            numbers = {number.e164 for phone in phones for number in read_stored_numbers(row.get(phone), region)}
            if row["statecode"] == 0 and e164 in numbers:
                is_contact = kind is CallerKind.CONTACT
                account_id = row.get("_parentcustomerid_value") if is_contact else row["accountid"]
                yield Match(
                    kind=kind,
                    id=row[f"{kind}id"],
                    name=row.get("fullname" if is_contact else "name"),
                    columns={column: row.get(column) for column in sorted(columns)},
                    owner_id=row.get("_ownerid_value"),
                    owner_agent=_find_agent(emulator, row),
                    account=_climb(emulator, plan, account_id, PLAN.account_depth),
                    modified_at=_read_time(row),
                )


def _climb(emulator: DataverseEmulator, plan: MirrorPlan, account_id: str | None, depth: int) -> AccountRecord | None:
    row = emulator.tables.find("accounts", account_id or "")
    if row is None:
        return None
    columns: dict[str, Scalar] = {column: row.get(column) for column in sorted(plan.account_columns)}
    return AccountRecord(
        id=row["accountid"],
        name=row.get("name"),
        columns=columns,
        owner_id=row.get("_ownerid_value"),
        owner_agent=_find_agent(emulator, row),
        active=row["statecode"] == 0,
        parent=_climb(emulator, plan, row.get("_parentaccountid_value"), depth - 1) if depth else None,
    )


def _find_agent(emulator: DataverseEmulator, row: dict[str, Any]) -> str | None:
    owner = emulator.tables.find("systemusers", row.get("_ownerid_value") or "")
    return owner.get("employeeid") if owner else None


def _read_time(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["modifiedon"]).timestamp()


async def _lead() -> bool:
    return True


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """Let go of the database's lock when a write is cancelled, as the service does."""
    connection.rollback()
