"""What each settings group drives: the next call, enabling, the checklist, the purge; here and in other processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.live_settings import save
from tests.support.organisation import NOORA, Organisation, open_organisation
from tests.support.rulesets import Administrator
from tests.support.service import VIP_ANSWER, VIP_RULES, Service, open_service, wait_for

PATH = "/admin/settings"
VIP = "+358501234567"
"""A contact of the sample whose company is a preferred customer."""
AINO = "50000000-0000-4000-8000-000000000001"
DAY = 86_400.0
PATIENT = {"deadline_ms": 4900}
"""The time that a busy machine needs."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service where VIPs are redirected, with the time that a busy machine needs."""
    async with open_service(tmp_path, rules=VIP_RULES, webhook=PATIENT) as service:
        yield service


async def test_the_next_call_reads_numbers_by_the_new_region(service: Service) -> None:
    """A decision names the settings it was made with, and restoring them is for the call after."""
    finnish = await service.call("0501234567")
    await save(service, "smart-routing", default_region="SE")
    swedish = await service.call("0501234567")
    await Administrator(service).send("POST", f"{PATH}/smart-routing/restore", {"version": 0})
    restored = await service.call("0501234567")

    decisions = await service.list_decisions(3)
    assert [answer.status_code for answer in (finnish, swedish, restored)] == [200, 204, 200]
    assert [(each["settings_version"], each["caller"]) for each in reversed(decisions)] == [
        (0, "+35850*****67"),
        (1, "+46501****67"),
        (2, "+35850*****67"),
    ]
    explained = await service.explain_last(calls=3)
    assert (explained["settings_version"], explained["trace_agrees"]) == (2, True)


async def test_the_next_call_is_judged_by_the_new_criteria(service: Service) -> None:
    """A caller at hand, or a number nobody had, is asked for again; a simulation sees the same."""
    before = [(await service.call(VIP)).status_code for _ in range(2)]
    await save(service, "smart-routing", criteria=[{"table": "contact", "column": "accountrolecode", "value": 9}])
    after = await service.call(VIP)
    simulated = (await service.simulate(call={"anum": VIP})).json()["facts"]["caller.vip"]

    assert (before, after.status_code, simulated) == ([200, 200], 204, False)


async def test_the_next_call_is_searched_in_the_new_columns(service: Service) -> None:
    """A number that nobody had may be somebody's in another column."""
    switchboard = "+358942450100"
    known = await service.simulate(call={"anum": switchboard})
    await save(service, "smart-routing", account_phone_columns=["telephone2"])
    lost = await service.simulate(call={"anum": switchboard})
    await service.call(switchboard)
    await save(service, "smart-routing", account_phone_columns=None)
    found = await service.simulate(call={"anum": switchboard})

    assert [answer.json()["caller"]["status"] for answer in (known, lost, found)] == [
        "identified",
        "unknown",
        "identified",
    ]


async def test_the_next_answer_is_spelled_by_the_new_profile(service: Service) -> None:
    """Target templates and the status of no change are those of the moment."""
    await save(service, "smart-routing", targets={"queue": "QUEUE:{id}"}, no_change_status=404)

    redirected, left = await service.call(VIP), await service.call("+358400000000")

    assert redirected.json() == {**VIP_ANSWER, "InitialTarget": "QUEUE:queue-of-vips"}
    assert (left.status_code, left.content) == (404, b"")


async def test_a_call_under_way_keeps_what_it_began_with(service: Service) -> None:
    """A call that waits for Dataverse is answered by the profile of its beginning, and says so."""
    service.dataverse.faults.add(Fault(kind=FaultKind.DELAY, seconds=0.5, times=2))
    waiting = asyncio.create_task(service.call(VIP))

    async def read() -> bool | None:
        return bool(service.dataverse.requests) or None

    await wait_for(read)
    await save(service, "smart-routing", targets={"queue": "QUEUE:{id}"})
    answer = await waiting

    assert answer.json() == VIP_ANSWER
    assert [each["settings_version"] for each in await service.list_decisions(1)] == [0]


async def test_the_deadline_is_that_of_the_moment(tmp_path: Path) -> None:
    """A look-up that takes longer than the deadline is waited for once the settings allow it."""
    async with open_service(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": None}) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.DELAY, seconds=1.6))
        await service.call("+358400000000")
        await save(service, "smart-routing", deadline_ms=4900)
        await service.call(VIP)
        decisions = await service.list_decisions(2)

    assert [(each["caller_status"], each["caller_cause"]) for each in decisions] == [
        ("identified", None),
        ("unavailable", "timeout"),
    ]


async def test_another_process_takes_a_change_over(tmp_path: Path) -> None:
    """Within two seconds, and counted by its clock; the decision there names the version too."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_service(tmp_path, rules=VIP_RULES))
        second = await stack.enter_async_context(
            open_service(tmp_path, rules=VIP_RULES, store={"journal": tmp_path / "other-journal"})
        )
        version = await save(first, "smart-routing", no_change_status=404)

        async def read() -> bool | None:
            return (await second.call("+358400000000")).status_code == 404 or None

        await wait_for(read)
        newest = (await second.ask("/admin/decisions", limit=1)).json()["items"]

    assert version == 1
    assert all(each["settings_version"] in {0, 1} for each in newest)


async def test_settings_are_there_after_a_restart(tmp_path: Path) -> None:
    """The first call of the next process is answered by what was saved."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        await save(service, "smart-routing", no_change_status=404)
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        answer = await service.call("+358400000000")

    assert answer.status_code == 404


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation with one profile that matters."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def find_profile(organisation: Organisation) -> str:
    """Return the name of the profile that sample users are in."""
    name: str = (await organisation.show(AINO))["profiles"][0]["name"]
    return name


async def test_the_framework_decides_about_profiles(organisation: Organisation) -> None:
    """CIF2: enabling joins the one profile of the settings, disabling leaves it, and the checklist asks for it."""
    name = await find_profile(organisation)
    classic = await organisation.judge(NOORA)
    await organisation.change(NOORA, "disable", {"client": "cif2"})
    await save(organisation.service, "channel-provider", framework="cif2", agent_profiles=[name])
    missing = await organisation.judge(NOORA)
    enabled = await organisation.change(NOORA, "enable", {})
    present = await organisation.judge(NOORA)
    disabled = await organisation.change(NOORA, "disable", {})

    assert [states["agent_profile"] for states in (classic, missing, present)] == ["not_applicable", "missing", "ok"]
    assert enabled["steps"][-1] == {"name": "profile", "state": "done", "reason": name}
    assert disabled["steps"][-1] == {"name": "profile", "state": "done", "reason": name}
    assert [what for _, what, _ in await organisation.list_audit(target=f"user/{NOORA}") if "profile" in what] == [
        "profile.left",
        "profile.joined",
        "profile.left",
    ]


async def test_classic_apps_leave_profiles_alone(organisation: Organisation) -> None:
    """CIF1, the default: neither enabling nor disabling has a step for profiles."""
    enabled = await organisation.change(NOORA, "enable", {})
    disabled = await organisation.change(NOORA, "disable", {})

    assert [[step["name"] for step in each["steps"]] for each in (enabled, disabled)] == [["role", "enreach_id"]] * 2


async def test_no_profile_is_guessed(organisation: Organisation) -> None:
    """Where several are possible somebody has to name one; a dry run foresees it."""
    await organisation.change(NOORA, "disable", {"client": "cif2"})
    await save(organisation.service, "channel-provider", framework="cif2_omnichannel")

    planned = await organisation.change(NOORA, "enable", {}, dry_run=True)
    enabled = await organisation.change(NOORA, "enable", {})

    assert [step["name"] for step in enabled["steps"] if step["state"] == "failed"] == ["profile"]
    assert "channel-provider" in enabled["steps"][-1]["reason"]
    assert (planned["steps"][-1]["state"], enabled["state"], enabled["user"]["profiles"]) == (
        "failed",
        "incomplete",
        [],
    )


async def test_the_default_assignee_of_the_settings_is_enough(organisation: Organisation) -> None:
    """Nobody has to confirm by hand what the settings say."""
    before = await organisation.judge(NOORA)
    await save(organisation.service, "phone-call-sync", default_crm_assignee=AINO)
    after = await organisation.judge(NOORA)

    assert (before["default_assignee"], after["default_assignee"]) == ("unknown", "ok")


async def test_each_kind_of_record_is_kept_as_long_as_the_settings_say(tmp_path: Path) -> None:
    """The purge of the next start deletes decisions by the saved days, and leaves callers as long as all records."""
    now = time.time()
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: now, webhook=PATIENT) as service:
        await service.call(VIP)
        await service.list_decisions(1)
        await save(service, "retention", decisions_days=10)
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: now + 20 * DAY, webhook=PATIENT) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=503))

        async def read() -> bool | None:
            return (await service.ask("/admin/decisions")).json()["items"] == [] or None

        await wait_for(read)
        known = (await service.simulate(call={"anum": VIP})).json()

    assert (known["caller"]["status"], known["source"]) == ("identified", "snapshot")
