"""Probes and metrics."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic

from dirty_equals import IsPartialDict, IsStr

from app.emulators.faults import Fault, FaultKind
from app.web.health import Exposition
from tests.support.service import PROGRAM_KEY, USER_KEY, VIP_ANSWER, VIP_RULES, Service, open_service


async def read_dependencies(service: Service) -> dict[str, dict[str, str]]:
    """Return the dependencies by name, with their details."""
    answer = await service.ask("/health/dependencies")
    assert answer.status_code == 200
    return {found["name"]: found for found in answer.json()["dependencies"]}


def lock_database(folder: Path) -> sqlite3.Connection:
    """Lock the service's database until the connection is closed."""
    database = sqlite3.connect(folder / "smartrouting.db", timeout=60, isolation_level=None, check_same_thread=False)
    database.execute("BEGIN IMMEDIATE")
    return database


async def test_probes_need_no_credential(tmp_path: Path) -> None:
    """Life and readiness are told to anybody, as soon as the service has started."""
    async with open_service(tmp_path) as service:
        live = await service.client.get("/health/live")
        ready = await service.client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_dependencies_are_well(tmp_path: Path) -> None:
    """Everything the service leans on is asked, and is well."""
    async with open_service(tmp_path) as service:
        found = await read_dependencies(service)

    assert {name: found[name]["state"] for name in ("dataverse", "store", "journal")} == {
        "dataverse": "ok",
        "store": "ok",
        "journal": "ok",
    }


async def test_dead_crm_leaves_the_service_ready(tmp_path: Path) -> None:
    """A CRM that is down is told as a dependency, and readiness stays."""
    async with open_service(tmp_path) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=503))
        found = await read_dependencies(service)
        ready = await service.client.get("/health/ready")

    assert found["dataverse"] == {"name": "dataverse", "state": "down", "detail": IsStr(min_length=1)}
    assert found["store"]["state"] == "ok"
    assert ready.status_code == 200


async def test_details_are_for_those_who_may_read_the_status(tmp_path: Path) -> None:
    """Whoever has no credential is told the states alone; a wrong one is refused, as it would be elsewhere."""
    async with open_service(tmp_path) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=503))
        anonymous = await service.client.get("/health/dependencies")
        told = {key: (await service.ask("/health/dependencies", key=key)).json() for key in (USER_KEY, PROGRAM_KEY)}
        wrong = await service.ask("/health/dependencies", key="nobodys-key")

    states = [{"name": "dataverse", "state": "down", "detail": ""}]
    assert anonymous.json()["dependencies"][:1] == told[USER_KEY]["dependencies"][:1] == states
    assert told[PROGRAM_KEY]["dependencies"][0]["detail"]
    assert wrong.status_code == 401


async def test_a_crowd_asks_the_crm_once(tmp_path: Path) -> None:
    """However many want to know, Dataverse is asked once in five seconds, and calls keep their part of the budget."""
    settings = {"requests_per_5_minutes": 20}
    async with open_service(tmp_path, rules=VIP_RULES, dataverse=settings) as service:
        answers = await asyncio.gather(*(service.client.get("/health/dependencies") for _ in range(40)))
        for _ in range(40):
            answers.append(await service.client.get("/health/dependencies"))
        asked = len(service.dataverse.requests)
        call = await service.call("+358501234567")

    assert {answer.json()["dependencies"][0]["state"] for answer in answers} == {"ok"}
    assert asked < 16
    assert call.json() == VIP_ANSWER


async def test_metrics_are_written_once_for_all_who_ask_at_one_time() -> None:
    """What is read is true at the moment of the request, however many share it."""
    numbers = count()
    exposition = Exposition(
        lambda: partial(lambda text: (text, "text/plain"), b"%d" % next(numbers)), monotonic=monotonic
    )

    together = await asyncio.gather(*(exposition.read() for _ in range(40)))
    later = await exposition.read()

    assert (set(together), later) == ({(b"0", "text/plain")}, (b"1", "text/plain"))


async def test_silent_crm_is_told_soon(tmp_path: Path) -> None:
    """A CRM that never answers is down after some seconds, and what else there is to tell is told."""
    async with open_service(tmp_path) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.HANG))
        found = await read_dependencies(service)

    assert found["dataverse"] == {"name": "dataverse", "state": "down", "detail": "no answer within 3 seconds"}
    assert found["journal"]["state"] == "ok"


async def test_busy_database_delays_no_call(tmp_path: Path) -> None:
    """While the database takes nothing, calls are answered and the service is ready; the record gets there later."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        with closing(await asyncio.to_thread(lock_database, tmp_path)):
            answer = await service.call("+358501234567")
            ready = await service.client.get("/health/ready")
        kept = await service.list_decisions(1)

    assert (answer.status_code, ready.status_code) == (200, 200)
    assert kept[0] == IsPartialDict(rule="vip", status=200)


async def test_journal_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Without room for the journal calls are still answered, and health and metrics say so."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        (tmp_path / "journal").rmdir()
        (tmp_path / "journal").write_text("in the way", encoding="utf-8")
        answer = await service.call("+358501234567")
        found = await read_dependencies(service)
        metrics = await service.read_metrics()

    assert answer.status_code == 200
    assert found["journal"] == {"name": "journal", "state": "degraded", "detail": IsStr(min_length=1)}
    assert "smartrouting_journal_failures_total 1.0" in metrics


async def test_metrics_count_calls_and_name_nobody(tmp_path: Path) -> None:
    """Decisions, their time, the cache and the revision are measured; no number, name or key is a label."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        for anum in ("+358501234567", "+358501234567", "+358401112233", None):
            await service.call(anum)
        answer = await service.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'smartrouting_decisions_total{caller_status="identified",cause="none",outcome="redirect"} 2.0',
        'smartrouting_decisions_total{caller_status="identified",cause="none",outcome="no_change"} 1.0',
        'smartrouting_decisions_total{caller_status="withheld",cause="none",outcome="no_change"} 1.0',
        'smartrouting_decision_duration_seconds_count{outcome="redirect"} 2.0',
        'smartrouting_cache_requests_total{state="fresh"} 1.0',
        'smartrouting_cache_requests_total{state="miss"} 2.0',
        'smartrouting_ruleset_info{revision="1"} 1.0',
        "smartrouting_deadline_misses_total 0.0",
        "smartrouting_breaker_state 0.0",
    ):
        assert line in answer.text.splitlines()
    for secret in ("358501234567", "Helena", "webhook-key", "queue-of-vips"):
        assert secret not in answer.text
