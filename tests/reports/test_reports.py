"""What a team lead reads about the calls, compared with a count by hand."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsStr

from app.enterprise_calls.rules import CallEvent, Reason, SyncOutcome
from app.enterprise_calls.store import EnterpriseCallStore, StoredCall
from app.reports.figures import REPORTS
from app.routing.numbers import NumberKind
from app.store.database import open_database
from tests.support.live_settings import save
from tests.support.organisation import open_organisation
from tests.support.service import PROGRAM_KEY, UNHURRIED, USER_KEY, VIP_RULES, Service, open_service, wait_for

NOON = 1_790_078_400.0
"""2026-09-22 at twelve o'clock, UTC."""
DAY = {"from": "2026-09-22", "until": "2026-09-23"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Open a service at noon, to which a VIP called twice, a stranger and somebody withheld once."""
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: NOON, webhook=UNHURRIED) as opened:
        for anum in ("+358501234567", "+358501234567", "+358409999999", "anonymous"):
            await opened.call(anum, targetid="SALES")
        await opened.list_decisions(4)
        yield opened


async def read(service: Service, report: str, **query: Any) -> dict[str, Any]:
    """Return a report of the day."""
    answer = await service.ask(f"/admin/reports/{report}", **{**DAY, **query})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_calls_tell_what_became_of_them(service: Service) -> None:
    """Two redirected VIP calls and two that stay, for the queue and the rule."""
    assert await read(service, "calls") == {
        "report": "calls",
        "from": "2026-09-22T00:00:00Z",
        "until": "2026-09-23T00:00:00Z",
        "by": "day",
        "time_zone": "UTC",
        "rows": [
            {
                "period": "2026-09-22T00:00:00Z",
                "calls": 4,
                "redirected": 2,
                "disconnected": 0,
                "no_change": 2,
                "in_time": 4,
                "by_queue": {"SALES": 4},
                "by_rule": {"vip": 2},
            }
        ],
    }


async def test_recognition_tells_who_called(service: Service) -> None:
    """Two identified VIPs, one unknown, one withheld."""
    [row] = (await read(service, "recognition"))["rows"]
    assert row == {
        "period": "2026-09-22T00:00:00Z",
        "calls": 4,
        "identified": 2,
        "ambiguous": 0,
        "unknown": 1,
        "withheld": 1,
        "unavailable": 0,
        "vip": 2,
        "unavailable_by_cause": {},
    }


async def test_rules_tell_where_calls_went(service: Service) -> None:
    """One row for each rule and destination, those that no rule decided too."""
    rows = (await read(service, "rules"))["rows"]
    shared = {"period": "2026-09-22T00:00:00Z", "calls": 2, "share": 0.5}
    assert rows == [
        {**shared, "rule": None, "outcome": "no_change", "destination": None},
        {**shared, "rule": "vip", "outcome": "redirect", "destination": "vip-queue"},
    ]


async def test_a_report_of_one_queue_and_rule_leaves_out_the_others(service: Service) -> None:
    """The filter of another queue finds nothing, and what it fixes is not broken down again."""
    [row] = (await read(service, "calls", queue_id="SALES", rule="vip"))["rows"]
    assert (row["calls"], row["by_queue"], row["by_rule"]) == (2, None, None)
    [row] = (await read(service, "calls", queue_id="OTHER"))["rows"]
    assert (row["calls"], row["by_queue"], row["by_rule"]) == (0, None, {})


async def test_hours_of_a_zone_are_rows(service: Service) -> None:
    """Noon in UTC is half past five in Kolkata, and hours without calls are rows too."""
    body = await read(service, "calls", by="hour", time_zone="Asia/Kolkata")
    assert len(body["rows"]) == 24
    assert [(row["period"], row["calls"]) for row in body["rows"] if row["calls"]] == [("2026-09-22T17:00:00+05:30", 4)]


async def test_few_callers_are_not_shown_as_repeating(service: Service) -> None:
    """Among three calls with a number, a repeated one would point to somebody; among five it does not."""
    [row] = (await read(service, "callers"))["rows"]
    shown = {"period": "2026-09-22T00:00:00Z", "withheld": 1, "repeated": None, "repeated_share": None}
    assert row == {**shown, "calls": 4, "with_number": 3}


async def test_requests_to_dataverse_are_told_per_call(service: Service) -> None:
    """The first call of a number asks, the second one is in memory."""

    async def read_row() -> dict[str, Any] | None:
        [row] = (await read(service, "crm"))["rows"]
        return row if row["requests"] else None

    row = await wait_for(read_row)
    assert (row["calls"], row["looked_up"], row["from_memory"], row["nobody_asked"]) == (4, 2, 1, 1)
    assert (row["memory_share"], row["requests_per_call"]) == (0.3333, round(row["requests"] / 4, 4))


async def test_a_fire_drill_counts_nowhere(service: Service) -> None:
    """Its decision is in the log, and in no report."""
    headers = {"Authorization": "Bearer admin-key-for-tests"}
    drill = {"call": {"anum": "+358501234567", "targetid": "SALES"}, "pretend": "down"}
    assert (await service.client.post("/admin/drills", json=drill, headers=headers)).status_code == 200
    await service.list_decisions(5)
    [row] = (await read(service, "calls"))["rows"]
    assert row["calls"] == 4


async def test_a_table_is_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    """A queue named like a formula is text, and dates are ISO 8601."""
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: NOON, webhook=UNHURRIED) as service:
        await service.call("anonymous", targetid="=1+1")
        await service.list_decisions(1)
        answer = await service.ask("/admin/reports/calls", **DAY, format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == (
        "period,calls,redirected,disconnected,no_change,in_time,by_queue.=1+1\r\n"
        "2026-09-22T00:00:00+00:00,1,0,0,1,1,1\r\n"
    )


@pytest.mark.parametrize("report", sorted(REPORTS))
async def test_every_report_has_a_picture_with_words(service: Service, report: str) -> None:
    """It is SVG with a title and a text alternative, and runs no script."""
    headers = {"Authorization": "Bearer admin-key-for-tests", "Accept": "image/svg+xml"}
    answer = await service.client.get(f"/admin/reports/{report}", params=DAY, headers=headers)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert '<desc id="words">In ' in answer.text
    assert "<script" not in answer.text
    assert "href" not in answer.text


@pytest.mark.parametrize("report", ["calls", "rules"])
async def test_an_hour_that_comes_twice_is_two_bars(service: Service, report: str) -> None:
    """On the day of 25 hours a picture by hour has as many columns as the table has rows."""
    autumn = {"from": "2026-10-25", "until": "2026-10-26", "by": "hour", "time_zone": "Europe/Helsinki"}
    rows = (await service.ask(f"/admin/reports/{report}", **autumn)).json()["rows"]
    picture = (await service.ask(f"/admin/reports/{report}", **autumn, format="svg")).text
    labels = re.findall(r'<desc class="x_label">([^<]+)</desc>', picture)
    assert len(rows) == 25
    assert labels[:25].count("25 Oct 03:00") == 2
    assert len(labels) % 25 == 0


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            {"time_zone": "Mars/Olympus"},
            "`time_zone` names no zone of the IANA database: 'Mars/Olympus'; write one such as Europe/Helsinki.",
        ),
        (
            {"time_zone": "Asia/Kathmandu"},
            "Days of `time_zone` Asia/Kathmandu begin within a half-hour of UTC: choose a neighbouring zone.",
        ),
        (
            {"from": "2026-09-23", "until": "2026-09-22"},
            "The range is empty: `until` has to be later than `from`.",
        ),
        (
            {"from": "2020-01-01", "until": "2026-01-01", "by": "hour"},
            "The range has more than 2400 rows by hour: shorten it, or choose another `by`.",
        ),
    ],
)
async def test_a_wrong_range_is_explained(service: Service, query: dict[str, str], detail: str) -> None:
    """The answer names the parameter to change."""
    answer = await service.ask("/admin/reports/calls", **query)
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


async def test_a_program_reads_reports_and_a_user_does_not(service: Service) -> None:
    """Whoever may read decisions may read what they add up to."""
    assert (await service.ask("/admin/reports", key=PROGRAM_KEY)).status_code == 200
    assert (await service.ask("/admin/reports", key=USER_KEY)).status_code == 403


async def test_users_are_counted_as_the_list_shows_them(tmp_path: Path) -> None:
    """Active people with the role Voice User or one like it, and what they lack; before today nobody counted."""
    async with open_organisation(tmp_path) as organisation:
        items = (await organisation.get("/admin/users", limit=200, active=True)).json()["items"]
        [row] = (await organisation.get("/admin/reports/users", by="month")).json()["rows"][-1:]
        old = (await organisation.get("/admin/reports/users", **DAY)).json()["rows"]
        picture = await organisation.get("/admin/reports/users", format="svg")
    others = {"Voice Admin User", "Voice ApiUser"}
    users = [
        item
        for item in items
        if not item["is_application"] and any(role["name"] not in others for role in item["roles"])
    ]
    ready = sum(item["ready"] for item in users)
    lacking = [it["id"] for item in users for it in item["readiness"] if it["state"] in {"missing", "unknown"}]
    assert len(users) > ready
    assert row == {
        "period": IsStr,
        "users": len(users),
        "ready": ready,
        "not_ready": len(users) - ready,
        "ready_for_enterprise_calls": sum(item["ready_for_enterprise_calls"] for item in users),
        "missing": {item: lacking.count(item) for item in set(lacking)},
    }
    nothing = ("users", "ready", "not_ready", "ready_for_enterprise_calls", "missing")
    assert old == [{"period": "2026-09-22T00:00:00Z", **dict.fromkeys(nothing)}]
    assert '<desc id="words">In users: ' in picture.text


async def test_work_calls_are_counted_by_what_became_of_them(service: Service) -> None:
    """By the day on which they began in the zone; they have no queue and no rule."""
    database = open_database(service.settings.store.url)
    begun = [(NOON, SyncOutcome.SYNCED, Reason.WRITTEN), (NOON, SyncOutcome.PENDING, Reason.NO_MATCH)]
    late = (NOON + 12 * 3600, SyncOutcome.SYNCED, Reason.ALREADY_THERE)
    calls = [make_work_call(f"e-{number}", *call) for number, call in enumerate([*begun, late])]
    await EnterpriseCallStore(database=database).save(calls)
    await database.close()

    rows = (await read(service, "enterprise-calls", until="2026-09-24"))["rows"]
    nothing = {"expired": 0, "skipped": 0}
    assert rows == [
        {
            "period": "2026-09-22T00:00:00Z",
            "calls": 2,
            "synced": 1,
            "pending": 1,
            "by_reason": {"no_match": 1, "written": 1},
            **nothing,
        },
        {
            "period": "2026-09-23T00:00:00Z",
            "calls": 1,
            "synced": 1,
            "pending": 0,
            "by_reason": {"already_there": 1},
            **nothing,
        },
    ]
    assert (await service.ask("/admin/reports/enterprise-calls", rule="vip")).status_code == 422


def make_work_call(key: str, at: float, outcome: SyncOutcome, reason: Reason) -> StoredCall:
    """Make a call of a user that Enterprise Calls has looked at."""
    event = CallEvent(
        id=key,
        call_id=key,
        user_name=None,
        started_at=at,
        seconds=60,
        outgoing=False,
        answered=True,
        number="+358501234567",
        number_kind=NumberKind.E164,
    )
    return StoredCall(event=event, user_id="u-1", outcome=outcome, reason=reason, steps=(), updated_at=at)


async def test_a_report_without_a_zone_is_told_in_that_of_the_organisation(service: Service) -> None:
    """The day on the clock of Helsinki begins two or three hours earlier; a zone that is named wins."""
    await save(service, "general", time_zone="Europe/Helsinki")
    day = {"from": "2026-09-22", "until": "2026-09-23", "by": "day"}

    usual = (await service.ask("/admin/reports/calls", **day)).json()
    named = (await service.ask("/admin/reports/calls", **day, time_zone="UTC")).json()

    assert [(each["time_zone"], each["rows"][0]["period"]) for each in (usual, named)] == [
        ("Europe/Helsinki", "2026-09-22T00:00:00+03:00"),
        ("UTC", "2026-09-22T00:00:00Z"),
    ]
