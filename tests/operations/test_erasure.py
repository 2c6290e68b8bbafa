"""What is erased is nowhere."""

from pathlib import Path
from typing import Any

from app.store.database import open_database
from app.store.settings_documents import Confirmation, ConfirmationStore
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import VIP_RULES, open_service, wait_for

NUMBER = "+358501234567"
OTHER = "+358401112233"
DIGITS = b"501234567"
RULE = make_rule("him", {"fact": "call.caller", "op": "is", "value": NUMBER}, no_change=True)


def find_files_with(folder: Path, text: bytes) -> list[str]:
    """List the files that hold a text anywhere."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if text in _read(file))


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


async def confirm(folder: Path, note: str) -> None:
    """Confirm something by hand, with a note."""
    database = open_database(f"sqlite:///{folder}/smartrouting.db")
    confirmation = Confirmation(subject="*", item="support", who="anna", at=1.0, note=note)
    await ConfirmationStore(database=database).put(confirmation)
    await database.close()


async def test_erasure_reaches_everything_while_the_service_runs(tmp_path: Path) -> None:
    """Every place is on the receipt with its count, and afterwards no file of the service holds the number."""
    document = {**VIP_RULES, "rules": [RULE, *VIP_RULES["rules"]]}
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft(document, name=f"for {NUMBER}")
        await admin.draft(document)
        assert (await admin.publish(draft, None)).is_success
        for caller in (NUMBER, OTHER):
            await service.call(caller)
        await service.list_decisions(2)
        await admin.replay("1")
        (tmp_path / "journal" / "1.rejected").write_text(f'{{"caller_raw": "{NUMBER}"}}\n{{"caller_raw": "{OTHER}"}}\n')
        await confirm(tmp_path, f"called {NUMBER}")

        async def look() -> list[str] | None:
            found = find_files_with(tmp_path, DIGITS)
            return found if "journal/live-revision.json" in found else None

        before = await wait_for(look)

        receipt = (await admin.send("POST", "/admin/erasures", {"number": NUMBER})).json()
        again = (await admin.send("POST", "/admin/erasures", {"number": NUMBER})).json()

        after = find_files_with(tmp_path, DIGITS)
        decisions = await service.list_decisions(2)

    places: dict[str, Any] = {
        "drafts": 1,
        "revisions": 1,
        "jobs": 1,
        "audit": 2,
        "confirmations": 1,
        "switches": 0,
        "tables": 0,
        "shadow": 0,
        "decisions": 1,
        "event_runs": 0,
        "enterprise_calls": 0,
        "rejected_lines": 1,
        "mirror": 0,
        "callers": 2,
    }
    assert receipt == {"number": "+35850*****67", "erased": places}
    assert again["erased"] == dict.fromkeys(places, 0)
    assert {"journal/1.rejected", "smartrouting.db-wal"} <= set(before)
    assert after == []
    assert [decision["caller"] for decision in decisions] == ["+35840*****33", "erased"]


async def test_erasure_takes_what_a_dead_process_left(tmp_path: Path) -> None:
    """Lines that nobody has carried to the database yet are carried there and erased; what cannot be is told."""
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        (tmp_path / "journal" / "0-1-broken.log").mkdir()

        refused = await admin.send("POST", "/admin/erasures", {"number": NUMBER})
        (tmp_path / "journal" / "0-1-broken.log").rmdir()
        erased = await admin.send("POST", "/admin/erasures", {"number": NUMBER})

    assert (refused.status_code, refused.json()["title"], erased.status_code) == (503, "Journal not movable", 200)
