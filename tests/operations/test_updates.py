"""What is installed in each environment, which releases there are, and plans that only a read version closes."""

import json
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsPartialDict, IsStr
from typing_extensions import override

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.operations.updates.plans import StoredPlan, find_due
from app.operations.updates.releases import read_releases
from tests.support.samples import make_tables
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, Service, open_service, wait_for

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
ELSEWHERE = "http://127.0.0.1:9"
PLAN: dict[str, Any] = {"version": "2.1.0.0", "agreed_on": "2030-01-08"}
DONE = PLAN | {
    "package_received_on": "2030-01-02",
    "installed_on": "2030-01-08",
    "back_end_updated_on": "2030-01-08",
}


class Environments(httpx.AsyncBaseTransport):
    """The way to two environments: one has a solution of some version, the other denies the privilege."""

    def __init__(self, version: str = "1.4.0.0") -> None:
        self.version = version
        self.asked = 0
        self._emulator = httpx.ASGITransport(
            create_dataverse_emulator(data=make_tables(None), static_tokens={"token-of-the-emulator": CLIENT_ID})
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/solutions"):
            return await self._emulator.handle_async_request(request)
        self.asked += 1
        if request.url.port == httpx.URL(ELSEWHERE).port:
            error = {"code": "0x80040220", "message": "Principal user is missing prvReadSolution privilege"}
            return httpx.Response(403, json={"error": error})
        row = {"uniquename": "Voice", "version": self.version, "installedon": "2029-05-05T08:00:00Z"}
        return httpx.Response(200, json={"value": [row]})


async def send(service: Service, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    """Send something as an administrator."""
    sent = {"Authorization": f"Bearer {ADMIN_KEY}", **headers}
    return await service.client.request(method, path, json=body, headers=sent)


def make_upstreams(environments: Environments) -> Upstreams:
    """Make the world beyond the service."""
    return Upstreams(dataverse=environments, clock=START.timestamp)


async def test_versions_of_all_environments_and_releases_are_shown(tmp_path: Path) -> None:
    """A missing privilege is named, the operator's file extends the releases, and Dataverse is asked once."""
    file = tmp_path / "releases.json"
    newer = {"product": "voice-for-dynamics-365", "version": "2.1", "notes": ["Ask Enreach for the package."]}
    file.write_text(json.dumps({"releases": [newer]}), encoding="utf-8")
    environments = Environments()
    updates = {"other_environments": {"test": ELSEWHERE}, "releases_file": str(file)}
    async with open_service(tmp_path, upstreams=make_upstreams(environments), updates=updates) as service:
        shown = (await service.ask("/admin/releases", key=PROGRAM_KEY)).json()
        again = (await service.ask("/admin/releases")).json()
        refused = await service.ask("/admin/releases", key=USER_KEY)
        file.write_text('{"releases": [{"product": "voice-for-dynamics-365", "version": "two"}]}', encoding="utf-8")
        broken = (await service.ask("/admin/releases")).json()

    own = metadata.version("smartrouting")
    assert shown == {
        "items": [
            {
                "environment": "production",
                "state": "installed",
                "reason": "Voice 1.4.0.0 is installed",
                "remedy": "",
                "unique_name": "Voice",
                "version": "1.4.0.0",
                "installed_on": "2029-05-05T08:00:00Z",
                "newer": "2.1",
                "looked_at": "2030-01-01T12:00:00Z",
            },
            IsPartialDict(environment="test", state="unknown", remedy=IsStr(regex=".*prvReadSolution.*"), version=None),
        ],
        "next": None,
        "version": own,
        "known": [
            {**newer, "released_on": None, "url": None},
            IsPartialDict(product="smart-routing", version=own),
        ],
        "file_problem": None,
    }
    assert (again, environments.asked, refused.status_code) == (shown, 2, 403)
    assert len(broken["known"]) == 1
    assert broken["file_problem"].startswith("releases.json: /releases/0/version must")


async def test_solution_is_found_by_its_shown_name_or_by_its_unique_name(tmp_path: Path) -> None:
    """Without a setting the one that is shown as Voice for Dynamics 365 counts; a wrong unique name is told."""
    async with open_service(tmp_path) as service:
        shown = (await service.ask("/admin/releases")).json()["items"]
    async with open_service(tmp_path, updates={"solution": "SampleSales"}) as service:
        named = (await service.ask("/admin/releases")).json()["items"]
    async with open_service(tmp_path, updates={"solution": "Nothing"}) as service:
        absent = (await service.ask("/admin/releases")).json()["items"]

    assert shown == [IsPartialDict(state="installed", unique_name="SampleVoice", version="1.4.0.0", newer=None)]
    assert named == [IsPartialDict(state="installed", unique_name="SampleSales", version="3.1.0.2")]
    assert absent == [IsPartialDict(state="absent", reason="there is no solution Nothing", remedy=IsStr(min_length=9))]


async def test_plan_is_closed_only_by_the_version_that_is_read(tmp_path: Path) -> None:
    """Steps that are not done and an old version keep it open; the version read later closes it, with an audit."""
    environments = Environments()
    async with open_service(tmp_path, upstreams=make_upstreams(environments)) as service:
        path = "/admin/update-plans/production"
        unset = await service.ask(path)
        planned = await send(service, "PUT", path, PLAN)
        early = await send(service, "POST", f"{path}/verify")
        await send(service, "PUT", path, DONE, **{"If-Match": planned.headers["ETag"]})
        old = await send(service, "POST", f"{path}/verify")
        environments.version = "2.1.0.3"
        closed = await send(service, "POST", f"{path}/verify")
        stale = await send(service, "PUT", path, PLAN, **{"If-Match": planned.headers["ETag"]})
        listed = await service.ask("/admin/update-plans", key=PROGRAM_KEY)
        audit = (await service.ask("/admin/audit", target="update-plans")).json()["items"]
        removed = await send(service, "DELETE", path, **{"If-Match": closed.headers["ETag"]})
        gone = (await service.ask("/admin/update-plans")).json()

    assert (unset.status_code, planned.status_code) == (404, 200)
    assert planned.json() == IsPartialDict(environment="production", state="open", next="package-received", proof=None)
    assert [(step["id"], step["done_on"]) for step in planned.json()["steps"]] == [
        ("agreed", "2030-01-08"),
        ("package-received", None),
        ("installed", None),
        ("back-end-updated", None),
        ("verified", None),
    ]
    assert (early.status_code, early.json()["detail"]) == (409, IsStr(regex=".*package-received, installed.*"))
    assert (old.status_code, old.json()["detail"]) == (409, IsStr(regex=".*still has version 1.4.0.0.*"))
    assert closed.json() == IsPartialDict(
        state="closed", next=None, proof={"version": "2.1.0.3", "read_at": "2030-01-01T12:00:00Z", "who": "anna"}
    )
    assert listed.json() == {"items": [closed.json()], "next": None}
    assert listed.headers["ETag"] == closed.headers["ETag"]
    assert [(each["who"], each["what"]) for each in audit] == [("anna", "update_plans.changed")] * 3
    assert (stale.status_code, removed.status_code, gone["items"]) == (412, 204, [])


async def test_plan_needs_an_environment_that_the_settings_name(tmp_path: Path) -> None:
    """The refusal names those there are; a version that is none and an unknown member are refused too."""
    async with open_service(tmp_path) as service:
        elsewhere = await send(service, "PUT", "/admin/update-plans/moon", PLAN)
        wrong = await send(service, "PUT", "/admin/update-plans/production", PLAN | {"version": "two"})
        proof = await send(service, "PUT", "/admin/update-plans/production", PLAN | {"proof": None})

    assert (elsewhere.status_code, elsewhere.json()["detail"]) == (404, IsStr(regex=".*there are production.*"))
    assert (wrong.status_code, proof.status_code) == (422, 422)


async def test_open_plan_near_its_day_is_an_alert(tmp_path: Path) -> None:
    """Its sentence names the day and the step that is next."""
    async with open_service(tmp_path, upstreams=make_upstreams(Environments())) as service:
        await send(service, "PUT", "/admin/update-plans/production", PLAN)

        async def find_alert() -> list[Any] | None:
            alerts: list[Any] = (await service.ask("/admin/alerts")).json()["items"]
            return [(each["key"], each["detail"]["message"]) for each in alerts if each["kind"] == "update_due"] or None

        found = await wait_for(find_alert)

    planned = "The update of production to 2.1.0.0 is agreed for 2030-01-08"
    to_do = "Get the package of this version from Enreach."
    assert found == [("update_due:production:7", f"{planned}; to do: {to_do}")]


@pytest.mark.parametrize(
    ("day", "subject"),
    [
        (date(2029, 12, 31), None),
        (date(2030, 1, 1), "production:7"),
        (date(2030, 1, 6), "production:7"),
        (date(2030, 1, 7), "production:1"),
        (date(2030, 1, 8), "production:0"),
        (date(2030, 1, 9), "production:overdue"),
        (date(2031, 1, 9), "production:overdue"),
    ],
)
def test_reminders_come_before_the_day_and_after_it_until_the_plan_is_closed(day: date, subject: str | None) -> None:
    """A week before, the day before, on the day and after it; a closed plan and one without a day are silent."""
    plan = StoredPlan.model_validate(PLAN)
    proof = {"version": "2.1.0.0", "read_at": START, "who": "anna"}
    silent = {"closed": {**DONE, "proof": proof}, "vague": {**PLAN, "agreed_on": None}}
    plans = {"production": plan, **{name: StoredPlan.model_validate(each) for name, each in silent.items()}}

    assert [alert.subject for alert in find_due(plans, day)] == ([] if subject is None else [subject])


def test_own_version_is_among_the_releases() -> None:
    """Whoever raises the version of the package says in the file that ships what is new."""
    own = [each.version for each in read_releases(None) if each.product == "smart-routing"]

    assert own[0] == metadata.version("smartrouting")
