"""What operators do: drills, purging, erasure, credentials, alerts."""

from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsPartialDict, IsPositive, IsStr

from app.directory.store import CallerSnapshotStore
from app.operations.store import AlertStore
from app.store.database import open_database
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, VIP_RULES, Service, open_service, wait_for

ANNA = "+358501234567"
CALL = {"anum": ANNA, "bnum": "+358912345678", "targetid": "SALES_QUEUE"}


async def post(service: Service, path: str, body: object = None, *, key: str = ADMIN_KEY) -> Any:
    """Post JSON as an administrator."""
    answer = await service.client.post(path, json=body, headers={"Authorization": f"Bearer {key}"})
    return {"status": answer.status_code, **answer.json()} if answer.status_code >= 400 else answer.json()


def find_files_with(folder: Path, text: bytes) -> list[str]:
    """List the files of a service that has ended which hold a text anywhere."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes())


@pytest.mark.parametrize(
    ("pretend", "status", "cause"),
    [
        ("down", "unavailable", "error"),
        ("throttled", "unavailable", "throttled"),
        ("circuit_open", "unavailable", "circuit_open"),
        ("not_configured", "unavailable", "not_configured"),
        ("slow", "unavailable", "timeout"),
        ("ambiguous", "ambiguous", None),
        ("unknown", "unknown", None),
    ],
)
async def test_drill_shows_what_would_happen(tmp_path: Path, pretend: str, status: str, cause: str | None) -> None:
    """A drill goes through the live rules, is recorded as one, and other calls notice nothing."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        asked = len(service.dataverse.requests)
        report = await post(service, "/admin/drills", {"call": CALL, "pretend": pretend})
        assert report == IsPartialDict(
            pretend=pretend,
            caller_status=status,
            caller_cause=cause,
            revision=1,
            answer={"status": 204, "body": None},
            waterfall=IsPartialDict(total=IsPositive),
            trace=IsPartialDict(revision=1),
        )
        assert ANNA not in str(report)
        assert len(service.dataverse.requests) == asked
        (drilled,) = await service.list_decisions(1, drill=True)
        assert (drilled["id"], drilled["drill"], drilled["credential"]) == (report["decision_id"], pretend, "anna")
        assert (await service.ask("/admin/decisions", drill=False)).json()["items"] == []
        assert "smartrouting_decisions_total{" not in await service.read_metrics()
        assert (await service.call(ANNA)).status_code == 200


async def test_drill_needs_a_call_and_an_administrator(tmp_path: Path) -> None:
    """A program may not hold drills, and a call without anum is refused."""
    async with open_service(tmp_path) as service:
        assert (await post(service, "/admin/drills", {"call": {}, "pretend": "down"}))["status"] == 422
        assert (await post(service, "/admin/drills", {"call": CALL, "pretend": "asleep"}))["status"] == 422
        refused = await post(service, "/admin/drills", {"call": CALL, "pretend": "down"}, key=PROGRAM_KEY)
        assert refused["status"] == 403


async def test_erasure_leaves_nothing_of_a_number(tmp_path: Path) -> None:
    """After an erasure neither database, journal nor memory holds the number, and the audit names it masked."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        for _ in range(3):
            await service.call(ANNA)
        await service.call("+358401112233")
        answer = await post(service, "/admin/erasures", {"number": "050 123 4567"})
        assert answer == {
            "number": "+35850*****67",
            "erased": IsPartialDict(decisions=3, rejected_lines=0, callers=IsPositive),
        }
        items = await service.list_decisions(4)
        assert {item["outcome"] for item in items} == {"redirect", "no_change"}
        assert not [item for item in items if "+35850" in str(item)]
        assert await post(service, "/admin/erasures", {"number": ANNA}) == IsPartialDict(
            erased=IsPartialDict(decisions=0, callers=0)
        )
    assert find_files_with(tmp_path, b"501234567") == []
    assert find_files_with(tmp_path, b"caller/+35850*****67") == ["smartrouting.db"]


@pytest.mark.parametrize("number", ["anonymous", "112", "", "+"])
async def test_erasure_wants_a_full_number(tmp_path: Path, number: str) -> None:
    """What is no full number is refused, rather than erasing the wrong person."""
    async with open_service(tmp_path) as service:
        assert (await post(service, "/admin/erasures", {"number": number}))["status"] == 422


async def test_purge_makes_callers_be_looked_up_anew(tmp_path: Path) -> None:
    """After a purge, of one number or of all, the CRM is asked again."""
    async with open_service(tmp_path) as service:
        await service.call(ANNA)
        for body in ({"number": ANNA}, {"all": True}):
            await service.call(ANNA)
            asked = len(service.dataverse.requests)
            assert await post(service, "/admin/callers/purge", body) == {"callers": IsPositive}
            await service.call(ANNA)
            assert len(service.dataverse.requests) == asked + 2
        for wrong in ({}, {"number": ANNA, "all": True}):
            assert (await post(service, "/admin/callers/purge", wrong))["status"] == 422


async def test_credentials_show_their_last_use(tmp_path: Path) -> None:
    """Every label is listed with its last use and its last day; secrets are not."""
    webhook = {
        "api_keys": {"new": "fake-new-webhook-key", "old": "fake-old-webhook-key", "queue": "webhook-key-for-tests"},
        "basic_users": {"enreach": "fake-password-of-enreach"},
        "retiring": {"old": "2026-12-31"},
    }
    async with open_service(tmp_path, webhook=webhook) as service:
        await service.call(ANNA)
        listed = (await service.ask("/admin/credentials", key=PROGRAM_KEY)).json()["items"]
        assert 'smartrouting_secret_expiry_timestamp_seconds{secret="webhook:old"} 1.7986752e+09' in (
            await service.read_metrics()
        )
        assert listed == [
            {"label": "enreach", "kind": "basic", "last_used": None, "retiring": None},
            {"label": "new", "kind": "api_key", "last_used": None, "retiring": None},
            {"label": "old", "kind": "api_key", "last_used": None, "retiring": "2026-12-31"},
            {"label": "queue", "kind": "api_key", "last_used": IsStr(regex=r"20.*Z"), "retiring": None},
        ]


async def test_alert_is_listed_acknowledged_and_audited(tmp_path: Path) -> None:
    """An open alert can be acknowledged by an administrator; the first to do so stays noted."""
    async with open_service(tmp_path) as service:
        database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
        await AlertStore(database=database).open("silence:SALES", kind="silence", detail={"message": "m"}, now=1.0)
        await database.close()
        (alert,) = (await service.ask("/admin/alerts", open=True, key=PROGRAM_KEY)).json()["items"]
        assert alert == IsPartialDict(key="silence:SALES", state="open", detail={"message": "m"}, acknowledged_by=None)
        path = f"/admin/alerts/{alert['id']}/acknowledge"
        assert (await post(service, path, key=PROGRAM_KEY))["status"] == 403
        assert (await post(service, path))["acknowledged_by"] == "anna"
        assert (await post(service, "/admin/alerts/none/acknowledge"))["status"] == 404


async def test_alarms_of_a_running_service_reach_the_list(tmp_path: Path) -> None:
    """A retiring key that is still used becomes an alert by itself."""
    webhook = {"api_keys": {"queue": "webhook-key-for-tests"}, "retiring": {"queue": "2026-01-01"}}
    async with open_service(tmp_path, webhook=webhook) as service:
        await service.call(ANNA)

        async def read() -> list[dict[str, Any]] | None:
            return (await service.ask("/admin/alerts", open=True)).json()["items"] or None

        (alert,) = await wait_for(read)
        assert (alert["kind"], alert["key"]) == ("credential_retiring", "credential_retiring:queue")
        assert "was used on" in alert["detail"]["message"]


async def test_snapshots_are_erased_too(tmp_path: Path) -> None:
    """The last known caller in the store goes with the rest."""
    async with open_service(tmp_path) as service:
        await service.call(ANNA)
        await post(service, "/admin/erasures", {"number": ANNA})
    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    assert await CallerSnapshotStore(database=database).get_many([ANNA]) == {}
    await database.close()
