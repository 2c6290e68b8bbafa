"""Previews of opening hours and rotas, and calls that go to whoever is on call."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.rulesets import Administrator
from tests.support.service import open_service

HELSINKI = {
    "time_zone": "Europe/Helsinki",
    "weekly": {day: ["08:00-16:00"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"sat": ["22:00-02:00"]},
    "exceptions": [{"date": "2026-12-24", "open": ["09:00-11:00"], "label": "Christmas Eve, short day"}],
    "holidays": {"country": "FI"},
}
RULES = {"calendars": {"helsinki": HELSINKI}, "rules": []}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (
            "2026-03-04T10:00:00Z",
            {"open": True, "local": "2026-03-04T12:00:00+02:00", "next_change": "2026-03-04T14:00:00Z"}
            | {"decided_by": "weekly", "label": "Wednesday", "hours": ["08:00-16:00"], "from_day_before": False},
        ),
        (
            "2026-12-24T08:30:00Z",
            {"open": True, "local": "2026-12-24T10:30:00+02:00", "next_change": "2026-12-24T09:00:00Z"}
            | {"decided_by": "exception", "label": "Christmas Eve, short day", "hours": ["09:00-11:00"]},
        ),
        (
            "2026-12-25T10:00:00Z",
            {"open": False, "decided_by": "holiday", "label": "Christmas Day", "hours": []}
            | {"next_change": "2026-12-28T06:00:00Z"},
        ),
        (
            "2026-03-07T23:30:00Z",
            {"open": True, "decided_by": "weekly", "label": "Sunday", "hours": [], "from_day_before": True}
            | {"next_change": "2026-03-08T00:00:00Z"},
        ),
        (
            "2026-03-28T12:00:00Z",
            {"open": False, "local": "2026-03-28T14:00:00+02:00", "next_change": "2026-03-28T20:00:00Z"}
            | {"label": "Saturday", "hours": ["22:00-02:00 of the next day"]},
        ),
        (
            "2026-03-28T21:00:00Z",
            {"open": True, "local": "2026-03-28T23:00:00+02:00", "next_change": "2026-03-29T00:00:00Z"},
        ),
    ],
    ids=["weekday", "exception", "holiday", "past midnight", "before summer time", "into summer time"],
)
async def test_preview_tells_state_reason_and_change(tmp_path: Path, at: str, expected: dict[str, Any]) -> None:
    """The state at a moment, what decides it, and the next change, for the published calendar and for a new one."""
    async with open_service(tmp_path, rules=RULES) as service:
        admin = Administrator(service)

        published = await admin.read("/admin/calendars/preview", at=at)
        made_up = (await admin.send("POST", "/admin/calendars/preview", {"calendar": HELSINKI, "at": at})).json()

        assert {name: published[name] for name in expected} == expected
        assert (published["calendar"], published["time_zone"]) == ("helsinki", "Europe/Helsinki")
        assert {**made_up, "calendar": "helsinki"} == published


async def test_preview_of_a_draft(tmp_path: Path) -> None:
    """A calendar of a draft can be asked before it is published; without a moment it is now."""
    async with open_service(tmp_path, clock=lambda: 1_772_618_400.0) as service:
        admin = Administrator(service)
        draft = await admin.draft(RULES)

        answer = await admin.read("/admin/calendars/preview", ruleset=draft.id, calendar="helsinki")

        assert (answer["at"], answer["open"]) == ("2026-03-04T10:00:00Z", True)


async def test_unknown_calendars_are_refused(tmp_path: Path) -> None:
    """A name that is not there, no default, a time without a zone or out of reach, a calendar that refers to itself."""
    async with open_service(tmp_path, rules=RULES) as service:
        admin = Administrator(service)
        path = "/admin/calendars/preview"
        empty = await admin.draft()

        misspelled = await admin.send("GET", path, calendar="helsinky")

        assert misspelled.status_code == 404
        assert 'did you mean "helsinki"?' in misspelled.json()["detail"]
        assert (await admin.send("GET", path, ruleset=empty.id)).status_code == 404
        for at in ("2026-03-04T10:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"):
            refused = [
                await admin.send("GET", path, at=at),
                await admin.send("POST", path, {"calendar": HELSINKI, "at": at}),
            ]
            assert [answer.status_code for answer in refused] == [422, 422], at
        cyclic = await admin.send("POST", path, {"calendar": {"time_zone": "UTC", "same_as": "helsinki"}})
        assert (cyclic.status_code, cyclic.json()["errors"][0]["pointer"]) == (422, "/calendar/*")
        nowhere = await admin.send("POST", path, {"calendar": {"time_zone": "Mars/Phobos"}})
        [error] = nowhere.json()["errors"]
        assert (error["code"], error["pointer"]) == ("unknown-time-zone", "/calendar/time_zone")


ROTA = {
    "time_zone": "Europe/Helsinki",
    "members": ["aino", "mikko"],
    "period": "week",
    "start": "2026-03-02T08:00",
    "swaps": [{"from": "2026-03-11", "to": "2026-03-12", "member": "aino"}],
}
ON_CALL = {
    "schema": 2,
    "destinations": {"aino": {"kind": "user", "id": "aino-id"}, "mikko": {"kind": "user", "id": "mikko-id"}},
    "rotas": {"on-call": ROTA},
    "rules": [{"id": "duty", "then": {"redirect": "on-call"}}],
}


async def test_rota_tells_who_is_on_call_and_who_comes_next(tmp_path: Path) -> None:
    """The turn of a moment and those after it, for the published rota and for that of a draft; a swap is a turn."""
    async with open_service(tmp_path, rules=ON_CALL) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="current")
        draft = await admin.change("PUT", draft, "/rotas/on-call", {**ROTA, "members": ["mikko"]})
        path, at = "/admin/calendars/rotas/on-call", "2026-03-10T10:00:00+02:00"

        published = await admin.read(path, at=at, turns=3)
        drafted = await admin.read(path, at=at, ruleset=draft.id)
        early = await admin.read(path, at="2026-03-01T10:00:00+02:00", turns=1)

        first = {"member": "mikko", "since": "2026-03-09T06:00:00Z", "until": "2026-03-10T22:00:00Z", "swapped": False}
        assert published == {
            "rota": "on-call",
            "at": "2026-03-10T08:00:00Z",
            "time_zone": "Europe/Helsinki",
            "on_call": first,
            "turns": [
                first,
                {"member": "aino", "since": "2026-03-10T22:00:00Z", "until": "2026-03-11T22:00:00Z", "swapped": True},
                {"member": "mikko", "since": "2026-03-11T22:00:00Z", "until": "2026-03-16T06:00:00Z", "swapped": False},
            ],
        }
        assert [turn["member"] for turn in drafted["turns"]] == ["mikko", "aino", *["mikko"] * 8]
        assert (early["on_call"], early["turns"][0]["member"]) == (None, "aino")
        misspelled = await admin.send("GET", "/admin/calendars/rotas/oncall")
        assert (misspelled.status_code, 'did you mean "on-call"?' in misspelled.json()["detail"]) == (404, True)
        removed = await admin.change("DELETE", draft, "/rotas/on-call")
        [lost] = (await admin.publish(removed, 1)).json()["errors"]
        assert (lost["code"], lost["pointer"]) == ("unknown-destination", "/rules/0/then/redirect")


async def test_calls_go_to_whoever_is_on_call_and_replay_alike(tmp_path: Path) -> None:
    """A call goes to the member on call, the simulation says who that is, and the decision is explained alike later."""
    now = 1_773_136_800.0
    async with open_service(tmp_path, rules=ON_CALL, clock=lambda: now) as service:
        answer = await service.call()
        explained = await service.explain_last()
        simulated = (await service.simulate(call={"anum": None}, at="2026-03-11T12:00:00+02:00")).json()
        replayed = await Administrator(service).replay("current")

        assert answer.json() == {"InitialTarget": "mikko-id"}
        assert (explained["facts"]["rota.on-call"], explained["trace_agrees"]) == ("mikko", True)
        assert simulated["on_call"]["on-call"]["member"] == simulated["decision"]["redirect"] == "aino"
        assert (replayed["result"]["calls"], replayed["result"]["changed"]) == (1, 0)
