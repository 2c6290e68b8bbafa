"""A directory over the real adapter, with only the network replaced."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx

from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import DataverseClient, RequestBudget, Tokens
from app.dataverse.connection import Substitute
from app.dataverse.queries import SearchPlan
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.snapshots import CallerSnapshots
from app.routing.callers import Caller, Selection
from app.routing.identification import identify
from app.routing.vip import VipRules
from tests.directory.scripted import DurationList, SnapshotTable, build_directory, count_tasks

PLAN = SearchPlan(contact_phones=("mobilephone",), account_phones=("telephone1",))
ANNA_ROW = {
    "contactid": "a0000000-0000-0000-0000-000000000001",
    "fullname": "Anna Example",
    "mobilephone": "+358501234567",
    "modifiedon": "2025-01-01T00:00:00Z",
}
Handle = Callable[[httpx.Request], Awaitable[httpx.Response]]


class EndlessToken:
    """One token for ever."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self) -> str:
        """Return it."""
        return self._token

    async def renew(self, rejected: str) -> str:
        """Return the same one."""
        return rejected


class Wire(httpx.MockTransport):
    """Where requests arrive; notes when."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(self._take)
        self._handle = handle
        self.arrived: list[float] = []

    async def _take(self, request: httpx.Request) -> httpx.Response:
        self.arrived.append(asyncio.get_running_loop().time())
        return await self._handle(request)


@asynccontextmanager
async def open_directory(
    transport: httpx.AsyncBaseTransport,
    *,
    tokens: Tokens | None = None,
    requests: int = 5400,
    limits: DirectoryLimits | None = None,
    store: CallerSnapshots | None = None,
) -> AsyncIterator[CachedDirectory]:
    """Build everything but the network, and check that it leaves nothing behind."""
    tasks = count_tasks()
    time = asyncio.get_running_loop().time
    budget = RequestBudget(requests=requests, seconds=300, monotonic=time)
    async with DataverseClient(
        wire=Substitute(transport),
        tokens=tokens or EndlessToken("fake-token"),
        url="https://org.example.com",
        max_connections=50,
        budget=budget,
    ) as client:
        organisation = CallerLookUp(
            client=client, search_client=client.leave_rest(0.5), plan=PLAN, region="FI", patterns=(), clock=time
        )
        rules = VipRules()

        async def look_up(e164s: Sequence[str], selection: Selection) -> Mapping[str, Caller]:
            found = await organisation.look_up(e164s, selection)
            return {e164: identify(each, vip=rules, agent_of=None, now=1_700_000_000.0) for e164, each in found.items()}

        directory = build_directory(
            look_up,
            snapshots=store or SnapshotTable(),
            limits=limits or DirectoryLimits(),
            on_look_up=DurationList().observe_look_up,
            monotonic=time,
        )
        yield directory
        await directory.aclose()
    assert count_tasks() == tasks


def by(seconds: float) -> float:
    """Return the loop time so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds
