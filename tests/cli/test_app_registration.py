"""`smartrouting app-registration guide`."""

import asyncio
from pathlib import Path

from app.emulators.dataverse import CLIENT_ID
from app.operations.registrations.registration import AppRegistration
from app.operations.registrations.registrations import AppRegistrations
from app.operations.registrations.store import Reading, ReadingStore
from app.store.database import open_database
from app.store.settings_documents import SettingsDocumentStore
from tests.support.console import Console
from tests.support.samples import lay_database

OTHER = "11111111-2222-3333-4444-555555555555"


def test_guide_names_both_ways_for_this_registration(console: Console, tmp_path: Path) -> None:
    """Name and id are filled in, of the own registration without its being entered; each way has its price."""
    ended = console.run(tmp_path, "app-registration", "guide", SMARTROUTING_DEMO="1")

    assert (ended.status, ended.err) == (0, "")
    assert f"Application (client) id {CLIENT_ID}; here: routing\n" in ended.out
    assert f"az ad app credential reset --id {CLIENT_ID} \\\n" in ended.out
    assert '--append --display-name "voice" --years 100' in ended.out
    assert ended.out.count("For: ") == ended.out.count("Against: ") == 2
    assert "PUT /admin/app-registrations/routing/renewal" in ended.out


def test_guide_takes_the_name_from_entra_id(console: Console, tmp_path: Path) -> None:
    """One that was entered is called as Microsoft Graph calls it; an unknown one is refused."""
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    lay_database(url)
    asyncio.run(_enter(url))

    settings = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_STORE__URL": url}
    ended = console.run(tmp_path, "app-registration", "guide", "enreach-test", **settings)
    unknown = console.run(tmp_path, "app-registration", "guide", "enreach", **settings)

    assert ended.out.splitlines()[:2] == [
        "A secret for the app registration Voice back end",
        f"Application (client) id {OTHER}; here: enreach-test",
    ]
    assert (unknown.status, unknown.err) == (
        1,
        "smartrouting: there is no app registration 'enreach'; entered are: enreach-test\n",
    )


async def _enter(url: str) -> None:
    database = open_database(url)
    readings = ReadingStore(database=database)
    await readings.put(OTHER, Reading(name="Voice back end", tried_at=0))
    registrations = AppRegistrations(
        documents=SettingsDocumentStore(database=database), readings=readings, clock=lambda: 0.0
    )
    entered = AppRegistration(used_by="enreach-back-end", application_id=OTHER)
    await registrations.put("enreach-test", entered, version=None, who="anna")
    await database.close()
