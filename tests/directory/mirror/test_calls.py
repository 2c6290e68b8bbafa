"""What a queue and an operator see of the mirror."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator, read_tables
from tests.support.live_settings import save
from tests.support.mirrored import (
    ANNA,
    CONTOSO,
    GROUP,
    PATIENT,
    POLL,
    change,
    count_look_ups,
    fail_everything,
    guid,
    make_tables,
    make_vip,
    open_mirrored,
    read_health,
    wait_for_answer,
    wait_for_source,
    wait_until_loaded,
)
from tests.support.postgres import new_postgres_database
from tests.support.service import ADMIN_KEY, VIP_ANSWER, VIP_RULES, Service, open_service, wait_for


def make_emulator(tables: Mapping[str, Any]) -> DataverseEmulator:
    return create_dataverse_emulator(data=read_tables(tables), static_tokens={"token-of-the-emulator": CLIENT_ID})


async def test_notations_that_live_look_ups_miss_are_recognised_and_dataverse_is_not_asked(tmp_path: Path) -> None:
    """A number is read, with the country of the record's address, and not compared as text."""
    contacts = {
        "+358405551359": make_vip(1, "+358 405551359 "),
        "+14155552671": make_vip(2, "+1 (415) 555-2671"),
        "+33612341470": make_vip(3, "06.12.34.14.70", address1_country="France"),
        "+442079460946": make_vip(4, "(020) 7946 0946", address1_country="UK"),
        "+358401234999": make_vip(5, "040 1234999 ext. 12"),
        ANNA: make_vip(6, "Mob. 050 1112223 (work), home 09 1234567"),
    }
    async with open_mirrored(tmp_path, make_tables(*contacts.values())) as service:
        answers = {number: (await service.call(number)).json() for number in contacts}
        decisions = await service.list_decisions(len(contacts))

    assert answers == dict.fromkeys(contacts, VIP_ANSWER)
    assert {decision["caller_source"] for decision in decisions} == {"mirror"}
    assert count_look_ups(service.dataverse) == 0


async def test_every_vip_is_recognised_while_dataverse_is_away(tmp_path: Path) -> None:
    """A restart while it is away changes nothing; the explanation tells how old the knowledge is."""
    numbers = [f"+35840555{index:04}" for index in range(20)]
    tables = make_tables(*(make_vip(index, number) for index, number in enumerate(numbers, 1)))
    async with open_mirrored(tmp_path, tables):
        pass
    nobody = create_dataverse_emulator(data=read_tables({}), static_tokens={})
    upstreams = Upstreams(dataverse=httpx.ASGITransport(nobody))
    dataverse = {"directory": "mirror"}
    async with open_service(
        tmp_path, rules=VIP_RULES, webhook=PATIENT, upstreams=upstreams, dataverse=dataverse
    ) as service:
        answers = [(await service.call(number)).json() for number in numbers]
        last = await service.explain_last(calls=len(numbers))

    assert answers == [VIP_ANSWER] * len(numbers)
    assert (last["caller_source"], last["caller_status"]) == ("mirror", "identified")
    assert 0 <= last["caller_age_seconds"] < 60
    assert count_look_ups(nobody) == 0


async def test_changes_arrive_with_the_next_poll(tmp_path: Path) -> None:
    """A new number, a new category of the company above, an inactive contact: no call is needed to notice."""
    async with open_mirrored(tmp_path, make_tables(make_vip(1, ANNA))) as service:
        assert (await service.call(ANNA)).status_code == 200
        await change(service.dataverse, "accounts", accountid=GROUP, accountcategorycode=2)
        await wait_for_answer(service, ANNA, 204)
        await change(service.dataverse, "accounts", accountid=CONTOSO, accountcategorycode=1)
        await wait_for_answer(service, ANNA, 200)
        await change(service.dataverse, "contacts", contactid=guid(1), mobilephone="040 7654321")
        await wait_for_answer(service, "+358407654321", 200)
        await change(service.dataverse, "contacts", contactid=guid(1), statecode=1)
        await wait_for_answer(service, "+358407654321", 204)


async def test_whom_the_index_does_not_know_is_looked_up_live_once(tmp_path: Path) -> None:
    """The record may be seconds old; a number that nobody has is believed to be nobody's for a while."""
    async with open_mirrored(tmp_path, make_tables(), dataverse={"mirror_poll_seconds": 3600}) as service:
        stranger = [(await service.call("+358409999999")).status_code for _ in range(3)]
        asked = count_look_ups(service.dataverse)
        await change(service.dataverse, "contacts", **make_vip(1, ANNA))
        answer = await service.call(ANNA)
        sources = [decision["caller_source"] for decision in await service.list_decisions(4)]

    assert (stranger, asked) == ([204, 204, 204], 2)
    assert answer.json() == VIP_ANSWER
    assert sources == ["live", "mirror", "mirror", "live"]


async def test_the_index_says_nobody_while_dataverse_cannot(tmp_path: Path) -> None:
    """An index that follows knows that nobody has a number, so the caller is unknown and not unavailable."""
    async with open_mirrored(tmp_path, make_tables(), dataverse={"mirror_poll_seconds": 3600}) as service:
        await fail_everything(service.dataverse)
        await service.call("+358409999999")
        last = await service.explain_last()

    assert (last["caller_status"], last["caller_cause"], last["caller_source"]) == ("unknown", "error", "mirror")


async def test_open_cases_are_counted_live_and_the_caller_is_known_without_them(tmp_path: Path) -> None:
    """The cases are unknown, with their cause, while Dataverse is away."""
    rules = {
        "destinations": {"cases": {"kind": "queue", "id": "queue-of-cases"}, "known": {"kind": "queue", "id": "known"}},
        "rules": [
            {
                "id": "cases",
                "when": {"fact": "caller.open_cases", "op": "gte", "value": 1},
                "then": {"redirect": "cases"},
            },
            {
                "id": "known",
                "when": {"fact": "caller.status", "op": "is", "value": "identified"},
                "then": {"redirect": "known"},
            },
        ],
    }
    incident = {"incidentid": guid(50), "title": "Broken", "_customerid_value": guid(1)}
    tables = make_tables(make_vip(1, ANNA), make_vip(2, "+358401234567"), incidents=[incident])
    async with open_mirrored(tmp_path, tables, rules=rules) as service:
        with_case = (await service.call(ANNA)).json()
        await fail_everything(service.dataverse)
        without = (await service.call("+358401234567")).json()
        last = await service.explain_last(calls=2)

    assert (with_case, without) == ({"InitialTarget": "queue-of-cases"}, {"InitialTarget": "known"})
    assert last["facts"]["caller.open_cases"] == {"unknown": "error", "detail": "the cases could not be had"}


async def test_a_rule_that_reads_a_new_column_waits_for_no_load(tmp_path: Path) -> None:
    """Calls are looked up live until the index has the column, and in the index from then on."""
    rules = {
        "destinations": {"boss": {"kind": "queue", "id": "queue-of-bosses"}},
        "rules": [
            {
                "id": "boss",
                "when": {"fact": "caller.columns.jobtitle", "op": "is", "value": "CEO"},
                "then": {"redirect": "boss"},
            }
        ],
    }
    tables = make_tables(make_vip(1, ANNA, jobtitle="CEO"), make_vip(2, "+358401234567", jobtitle="CEO"))
    async with open_mirrored(tmp_path, tables):
        pass
    dataverse = {"directory": "mirror"}
    async with open_service(tmp_path, rules=rules, webhook=PATIENT, tables=tables, dataverse=dataverse) as service:
        first = (await service.call(ANNA)).json()

        await wait_for_source(service, "+358401234567", "mirror")

    assert first == {"InitialTarget": "queue-of-bosses"}


async def test_a_rule_that_reads_an_unknown_column_does_not_stop_the_mirror(tmp_path: Path) -> None:
    """The load leaves the column out; the fact is unknown, as it is live."""
    rules = {
        **VIP_RULES,
        "rules": [
            {
                "id": "odd",
                "when": {"fact": "caller.columns.new_nowhere", "op": "is", "value": 1},
                "then": {"redirect": "overflow"},
            },
            *VIP_RULES["rules"],  # type: ignore[misc]
        ],
    }
    async with open_mirrored(tmp_path, make_tables(make_vip(1, ANNA)), rules=rules) as service:
        answer = (await service.call(ANNA)).json()

    assert answer == VIP_ANSWER
    assert count_look_ups(service.dataverse) == 0


async def test_an_erased_number_leaves_the_index(tmp_path: Path) -> None:
    """The contact's row goes with it; what Dataverse still has is found there by the next call."""
    async with open_mirrored(
        tmp_path, make_tables(make_vip(1, ANNA)), dataverse={"mirror_poll_seconds": 3600}
    ) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        erased = await service.client.post("/admin/erasures", json={"number": ANNA}, headers=headers)
        await service.call(ANNA)
        decisions = await service.list_decisions(1)

    assert erased.json()["erased"]["mirror"] == 1
    assert [decision["caller_source"] for decision in decisions] == ["live"]


async def test_health_and_metrics_tell_how_far_the_mirror_is(tmp_path: Path) -> None:
    """Without change tracking there is no mirror: the reason is there, and calls are looked up live."""
    tables = make_tables(make_vip(1, ANNA))
    emulator = make_emulator(tables)
    emulator.tables.track_changes("accounts", on=False)
    upstreams = Upstreams(dataverse=httpx.ASGITransport(emulator))
    dataverse = {"directory": "mirror"}
    async with open_service(
        tmp_path, rules=VIP_RULES, webhook=PATIENT, upstreams=upstreams, dataverse=dataverse
    ) as service:

        async def read_failure() -> dict[str, str] | None:
            found = await read_health(service)
            return found if found and "tracking" in found["detail"] else None

        failure = await wait_for(read_failure)
        answer = (await service.call(ANNA)).json()
        metrics = await service.read_metrics()

    assert failure["state"] == "degraded"
    assert failure["detail"].startswith("loading: 0 records read; callers are looked up live; Dataverse refused")
    assert answer == VIP_ANSWER
    assert "smartrouting_mirror_state 0.0" in metrics
    assert 'smartrouting_mirror_lookups_total{result="uncovered"} 1.0' in metrics


async def test_switching_back_to_live_forgets_the_index(tmp_path: Path) -> None:
    """Nobody needs the copy any more, so it does not stay."""
    async with open_mirrored(tmp_path, make_tables(make_vip(1, ANNA))):
        pass
    async with open_service(tmp_path, rules=VIP_RULES, tables=make_tables()) as service:
        await wait_for_empty(service)


async def wait_for_empty(service: Service) -> None:
    file = service.settings.store.url.removeprefix("sqlite:///")

    async def read() -> bool | None:
        with sqlite3.connect(file) as connection:
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM mirror_records), (SELECT count(*) FROM mirror_numbers)"
            ).fetchone()
        return counts == (0, 0) or None

    await wait_for(read)


@pytest.fixture
def url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    with new_postgres_database(postgres_server) as made:
        yield made


async def test_one_of_two_replicas_writes_and_both_answer(tmp_path: Path, url: str) -> None:
    """Each row is read once; the other replica takes over where the first one stopped."""
    emulator = make_emulator(make_tables(make_vip(1, ANNA)))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_replica(tmp_path, url, emulator, "first"))
        async with open_replica(tmp_path, url, emulator, "second") as second:
            for service in (first, second):
                await wait_until_loaded(service)
            answers = [(await service.call(ANNA)).json() for service in (first, second)]
            loads = count_first_pages(emulator)
            await stack.aclose()
            await change(emulator, "contacts", contactid=guid(1), mobilephone="040 7654321")
            await wait_for_source(second, "+358407654321", "mirror")

    assert answers == [VIP_ANSWER, VIP_ANSWER]
    assert loads == count_first_pages(emulator) == 2


def open_replica(
    folder: Path, url: str, emulator: DataverseEmulator, name: str
) -> AbstractAsyncContextManager[Service]:
    return open_service(
        folder,
        rules=VIP_RULES,
        webhook=PATIENT,
        upstreams=Upstreams(dataverse=httpx.ASGITransport(emulator)),
        dataverse={"directory": "mirror", "mirror_poll_seconds": POLL},
        store={"url": url, "journal": folder / f"journal-{name}"},
    )


def count_first_pages(emulator: DataverseEmulator) -> int:
    """Count the beginnings of loads: one for each table."""
    return sum(
        "odata.track-changes" in request.headers.get("prefer", "") and "$deltatoken" not in request.options
        for request in emulator.requests
    )


async def test_changed_settings_plan_the_mirror_anew(tmp_path: Path) -> None:
    """Region, phone columns and VIP criteria count from the next call on, and in the index once it is loaded again."""
    tables = make_tables(
        make_vip(1, "070 174 06 05", fax="040 7654321"),
        {"contactid": guid(2), "fullname": "Boss", "mobilephone": ANNA, "jobtitle": "CEO"},
    )
    swede, by_fax = "+46701740605", "+358407654321"
    async with open_mirrored(tmp_path, tables) as service:
        before = [(await service.call(number)).status_code for number in (swede, by_fax, ANNA)]
        await save(service, "smart-routing", default_region="SE")
        await wait_for_answer(service, swede, 200)
        await save(service, "smart-routing", default_region="FI", contact_phone_columns=["mobilephone", "fax"])
        await wait_for_answer(service, by_fax, 200)
        criterion = {"table": "contact", "column": "jobtitle", "op": "is", "value": "CEO"}
        await save(service, "smart-routing", criteria=[criterion])
        at_once = [(await service.call(number)).status_code for number in (ANNA, by_fax)]
        await wait_for_source(service, ANNA, "mirror")
        asked = count_look_ups(service.dataverse)
        await service.call(by_fax)
        loaded = (await service.call(ANNA)).status_code

    assert before == [204, 204, 204]
    assert (at_once, loaded) == ([200, 204], 200)
    assert count_look_ups(service.dataverse) == asked
