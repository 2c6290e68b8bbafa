"""A draft in the shadow: it sees live calls, changes nothing, and what it would have done is kept."""

import re
from pathlib import Path
from typing import Any

from tests.support.rulesets import Administrator, Drafted, make_rule
from tests.support.service import VIP_ANSWER, VIP_RULES, Service, open_service, wait_for

STAY = {"rules": [make_rule("stay", no_change=True)]}
VIP, STRANGER = "+358501234567", "+358401112233"


async def test_shadow_counts_divergence(tmp_path: Path) -> None:
    """Calls are answered by the published rules; the draft's differences are counted, stored and listed."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", STAY)
        await service.call(VIP)
        entered = await _enter(admin, draft)

        answers = [await service.call(number) for number in (VIP, VIP, STRANGER)]

        assert entered["active"]
        assert [answer.status_code for answer in answers] == [200, 200, 204]
        assert answers[0].json() == VIP_ANSWER
        state = await _wait_for_calls(admin, draft, 3)
        assert (state["calls"], state["diverged"], state["dropped"]) == (3, 2, 0)
        assert state["summary"] == "3 calls, 2 change: 2 VIP service -> the queue it is in"
        ids = {item["id"] for item in await service.list_decisions(4) if item["rule"] == "vip"}
        assert len(state["diffs"]) == 2
        assert {diff["decision"] for diff in state["diffs"]} < ids
        assert await _count_divergence(service) == 2


async def test_shadow_can_be_for_some_queues(tmp_path: Path) -> None:
    """Only calls in the named queues are looked at."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", STAY)
        await _enter(admin, draft, queues=["Q-1"])

        await service.call(VIP, extradata={"CurrQueueId": "q-1"})
        await service.call(VIP, extradata={"CurrQueueId": "q-2"})
        await service.call(VIP)

        await service.list_decisions(3)
        assert (await _wait_for_calls(admin, draft, 1))["calls"] == 1


async def test_edit_starts_a_new_count(tmp_path: Path) -> None:
    """When the draft is edited its new version decides, and counting starts anew."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", STAY)
        await _enter(admin, draft)
        await service.call(VIP)
        assert (await _wait_for_calls(admin, draft, 1))["diverged"] == 1

        draft = await admin.change("PUT", draft, "", VIP_RULES)

        async def call_again() -> dict[str, Any] | None:
            await service.call(VIP)
            state: dict[str, Any] = await admin.read(f"{draft.path}/shadow")
            return state if state["diverged"] == 0 and state["calls"] else None

        assert (await wait_for(call_again))["groups"] == []


async def test_erased_caller_leaves_the_shadow(tmp_path: Path) -> None:
    """Calls of a caller who is to be forgotten are no longer listed; the counts stay."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", {"rules": [make_rule("end", disconnect=True)]})
        await _enter(admin, draft)
        for number in (VIP, STRANGER, VIP):
            await service.call(number)
        before = await _wait_for_calls(admin, draft, 3)
        await service.list_decisions(3)

        erased = await admin.send("POST", "/admin/erasures", {"number": VIP})

        after = await admin.read(f"{draft.path}/shadow")
        assert (len(before["diffs"]), len(after["diffs"])) == (3, 1)
        assert (erased.json()["erased"]["shadow"], after["diverged"]) == (2, 3)


async def test_numbers_in_place_of_identifiers_are_masked(tmp_path: Path) -> None:
    """A number that came as target or queue is neither listed nor part of what is counted."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", {"rules": [make_rule("end", disconnect=True)]})
        await _enter(admin, draft)
        for spelling in (STRANGER, "040 111 2233"):
            await service.call(STRANGER, targetid=spelling, extradata={"CurrQueueId": spelling})

        state = await _wait_for_calls(admin, draft, 2)

        assert state["groups"][0]["before"] == "[masked]"
        assert not re.search(r"40 ?111 ?2233", str(state))


async def test_mark_has_a_version(tmp_path: Path) -> None:
    """Putting a draft into the shadow needs the ETag; another draft takes its place; leaving ends it."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        first, second = await admin.draft(source="1"), await admin.draft(source="1")
        path = f"{first.path}/shadow"
        etag = (await admin.send("GET", path)).headers["ETag"]

        without = await admin.send("PUT", path, {})
        entered = await admin.send("PUT", path, {}, etag=etag)
        stale = await admin.send("PUT", f"{second.path}/shadow", {}, etag=etag)
        taken = await admin.send("PUT", f"{second.path}/shadow", {}, etag=entered.headers["ETag"])
        other = await admin.send("DELETE", path, etag=taken.headers["ETag"])
        left = await admin.send("DELETE", f"{second.path}/shadow", etag=taken.headers["ETag"])

        statuses = [answer.status_code for answer in (without, entered, stale, taken, other, left)]
        assert statuses == [428, 200, 412, 200, 409, 200]
        assert not (await admin.read(path))["active"]
        assert not left.json()["active"]


async def test_published_draft_leaves_the_shadow(tmp_path: Path) -> None:
    """Publishing the draft in the shadow ends the shadow, and calls go on."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", STAY)
        await _enter(admin, draft)

        assert (await admin.publish(draft, 1)).status_code == 200

        assert (await service.call(VIP)).status_code == 204
        assert (await admin.send("GET", f"{draft.path}/shadow")).status_code == 404


async def test_unusable_draft_is_refused(tmp_path: Path) -> None:
    """Rules that name a destination that is not there cannot run, not even in the shadow."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("DELETE", await admin.draft(source="1"), "/destinations/vip-queue")
        etag = (await admin.send("GET", f"{draft.path}/shadow")).headers["ETag"]

        answer = await admin.send("PUT", f"{draft.path}/shadow", {}, etag=etag)

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/rules/0/then/redirect")


async def _enter(admin: Administrator, draft: Drafted, **body: object) -> dict[str, Any]:
    etag = (await admin.send("GET", f"{draft.path}/shadow")).headers["ETag"]
    answer = await admin.send("PUT", f"{draft.path}/shadow", body, etag=etag)
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


async def _wait_for_calls(admin: Administrator, draft: Drafted, calls: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        state: dict[str, Any] = await admin.read(f"{draft.path}/shadow")
        return state if state["calls"] >= calls else None

    return await wait_for(look)


async def _count_divergence(service: Service) -> float:
    found = re.search(r"^smartrouting_shadow_divergence_total (\S+)$", await service.read_metrics(), re.MULTILINE)
    assert found
    return float(found[1])
