"""A service whose mirror has been loaded, and the organisation behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.emulators.dataverse import DataverseEmulator
from tests.support.service import VIP_RULES, Service, open_service, wait_for

__all__ = [
    "ANNA",
    "CONTOSO",
    "GROUP",
    "PATIENT",
    "POLL",
    "change",
    "count_look_ups",
    "fail_everything",
    "guid",
    "make_tables",
    "make_vip",
    "open_mirrored",
    "reach",
    "read_health",
    "wait_for_answer",
    "wait_for_source",
    "wait_until_loaded",
]

GROUP = "00000000-0000-4000-8000-0000000000a2"
CONTOSO = "00000000-0000-4000-8000-0000000000a1"
ANNA = "+358501112223"
POLL = 1.0
PATIENT = {"deadline_ms": 4500}
"""So that a busy machine makes no look-up late."""


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def make_vip(number: int, phone: str, **columns: object) -> dict[str, Any]:
    """Make a contact of a company below a preferred customer."""
    usual = {"contactid": guid(number), "fullname": f"Contact {number}", "_parentcustomerid_value": CONTOSO}
    return usual | {"mobilephone": phone} | columns


def make_tables(*contacts: dict[str, Any], **tables: Any) -> dict[str, Any]:
    accounts = [
        {"accountid": GROUP, "name": "Group", "accountcategorycode": 1},
        {"accountid": CONTOSO, "name": "Contoso", "_parentaccountid_value": GROUP},
    ]
    return {"accounts": accounts, "contacts": list(contacts), **tables}


@asynccontextmanager
async def open_mirrored(folder: Path, tables: Mapping[str, Any], **groups: Any) -> AsyncIterator[Service]:
    """Open a service whose mirror has been loaded."""
    dataverse = {"directory": "mirror", "mirror_poll_seconds": POLL} | groups.pop("dataverse", {})
    groups = {"rules": VIP_RULES, "tables": tables, "webhook": PATIENT, **groups}
    async with open_service(folder, dataverse=dataverse, **groups) as service:
        await wait_until_loaded(service)
        yield service


async def wait_until_loaded(service: Service) -> None:
    async def read() -> bool | None:
        return await read_health(service) == {"name": "mirror", "state": "ok", "detail": ""} or None

    await wait_for(read)


async def read_health(service: Service) -> dict[str, str] | None:
    dependencies = (await service.ask("/health/dependencies")).json()["dependencies"]
    return next((found for found in dependencies if found["name"] == "mirror"), None)


def count_look_ups(dataverse: DataverseEmulator) -> int:
    """Count the questions for records by number, as a call asks them."""
    return sum("$filter" in request.options for request in dataverse.requests)


async def change(dataverse: DataverseEmulator, entity_set: str, **row: object) -> None:
    """Change a row past the Web API, as other people's work does."""
    async with reach(dataverse) as emulator:
        (await emulator.put("/_emulator/rows", json={entity_set: [row]})).raise_for_status()


async def fail_everything(dataverse: DataverseEmulator) -> None:
    """Let Dataverse answer nothing but 503 from now on."""
    async with reach(dataverse) as emulator:
        (await emulator.put("/_emulator/faults", json=[{"kind": "status", "status": 503}])).raise_for_status()


@asynccontextmanager
async def reach(dataverse: DataverseEmulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(dataverse)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        yield client


async def wait_for_answer(service: Service, number: str, status: int) -> None:
    """Call until the answer has this status: a change is in the index after a poll."""

    async def read() -> bool | None:
        return (await service.call(number)).status_code == status or None

    await wait_for(read)


async def wait_for_source(service: Service, number: str, source: str) -> None:
    """Call until the caller comes from there."""

    async def read() -> bool | None:
        await service.call(number)
        return source in {decision["caller_source"] for decision in await service.list_decisions(1)} or None

    await wait_for(read)
