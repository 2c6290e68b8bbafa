"""The adapter against the emulated organisation: in process, and over real sockets with everything that breaks."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from app.dataverse import errors
from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.check import CheckResult, check_organisation
from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.dataverse.credentials import build_fetch
from app.dataverse.queries import plan_search
from app.dataverse.tokens import TokenSource
from app.emulators.dataverse import (
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    DataverseEmulator,
    create_dataverse_emulator,
    read_tables,
)
from app.emulators.faults import Fault
from app.routing.callers import CallerKind, LookUp, Selection
from app.settings import DataverseSettings, PhoneSettings, VipSettings, VoiceSettings
from tests.dataverse.loopback import serve, trust
from tests.dataverse.wire import HandedTokens, read_organisation

NUMBER = "+358501234567"
CONTOSO = "00000000-0000-4000-8000-0000000000a1"
GROUP = "00000000-0000-4000-8000-0000000000a2"
MATTI = "00000000-0000-4000-8000-0000000000c1"
LIISA = "00000000-0000-4000-8000-0000000000c2"
OWNER = "00000000-0000-4000-8000-0000000000d1"
DATA = {
    "systemusers": [{"systemuserid": OWNER, "fullname": "Olli Owner", "new_agent": "agent-1"}],
    "accounts": [
        {"accountid": GROUP, "name": "Contoso Group", "accountcategorycode": 1},
        {"accountid": CONTOSO, "name": "Contoso", "telephone1": "09 123456", "_parentaccountid_value": GROUP},
    ],
    "contacts": [
        {
            "contactid": MATTI,
            "fullname": "Matti Example",
            "mobilephone": "050 123 4567",
            "_parentcustomerid_value": CONTOSO,
            "_ownerid_value": OWNER,
            "new_vip": False,
        },
        {"contactid": LIISA, "fullname": "Liisa Example", "mobilephone": "0501234567", "statecode": 1},
    ],
    "roles": [{"name": name} for name in ("Voice User", "Voice ApiUser", "Voice Admin User")],
    "incidents": [{"title": "It is broken", "_customerid_value": MATTI}, {"title": "Done", "statecode": 1}],
}


def build_emulator(**options: object) -> DataverseEmulator:
    return create_dataverse_emulator(data=read_tables(DATA), **options)


def build_look_up(client: DataverseClient, settings: DataverseSettings) -> CallerLookUp:
    plan = plan_search(settings, VipSettings(), PhoneSettings())
    return CallerLookUp(
        client=client, search_client=client.leave_rest(0.5), plan=plan, region="FI", patterns=(), clock=time.monotonic
    )


def open_inside(emulator: DataverseEmulator, **settings: object) -> DataverseClient:
    """A client in the same process as the organisation."""
    tokens = HandedTokens([emulator.issue_token()])
    return connect(read_organisation(**settings), tokens=tokens, transport=httpx.ASGITransport(emulator))


def summarise(found: LookUp) -> list[tuple[CallerKind, str, str | None]]:
    return [(match.kind, match.id, match.account.name if match.account else None) for match in found.matches]


async def test_a_caller_is_found_with_company_parent_owner_and_cases() -> None:
    """The active contact with the number is found however it is written, with all a rule may want."""
    emulator = build_emulator()
    selection = Selection(contact_columns=frozenset({"new_vip", "new_typo"}), open_cases=True)

    async with open_inside(emulator) as client:
        settings = read_organisation(agent_id_column="new_agent")
        found = (await build_look_up(client, settings).look_up([NUMBER], selection))[NUMBER]

    assert summarise(found) == [(CallerKind.CONTACT, MATTI, "Contoso")]
    [match] = found.matches
    assert (match.columns, match.owner_id, match.owner_agent) == ({"new_vip": False}, OWNER, "agent-1")
    assert match.account is not None
    assert match.account.parent is not None
    assert match.account.parent.columns == {"accountcategorycode": 1}
    assert found.open_cases == {MATTI: 1}


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+3589123456", [(CallerKind.ACCOUNT, CONTOSO, "Contoso")]), ("+358401112223", [])],
    ids=["an-account", "nobody"],
)
async def test_accounts_and_strangers(number: str, expected: list[object]) -> None:
    """A company is found by its own number, and nobody is found by a stranger's."""
    emulator = build_emulator()

    async with open_inside(emulator) as client:
        found = (await build_look_up(client, read_organisation()).look_up([number], Selection()))[number]

    assert summarise(found) == expected
    assert [r.path.rsplit("/", 1)[1] for r in emulator.requests] == ["contacts", "accounts"]
    assert {r.headers.get("if-none-match") for r in emulator.requests} == {"null"}


async def test_writes_obey_their_preconditions() -> None:
    """A row of ours is created, changed by version only, linked and unlinked, and deleted."""
    emulator = build_emulator()

    async with open_inside(emulator) as client:
        row = {"subject": "Call", "phonenumber": NUMBER}
        call = await client.create("phonecalls", row)
        etag = (await client.get_json(f"phonecalls({call})?$select=subject"))["@odata.etag"]
        await client.update(f"phonecalls({call})", {"subject": "Call back"}, etag=etag)
        with pytest.raises(errors.PreconditionError):
            await client.update(f"phonecalls({call})", {"subject": "Too late"}, etag=etag)
        await client.delete(f"phonecalls({call})")
        with pytest.raises(errors.RecordNotFoundError):
            await client.update(f"phonecalls({call})", {"subject": "Gone"})

        role = (await client.get_json("roles?$select=roleid&$top=1"))["value"][0]["roleid"]
        held = f"systemusers({OWNER})/systemuserroles_association"
        await client.associate(f"systemusers({OWNER})", "systemuserroles_association", f"roles({role})")
        assert [r["roleid"] for r in (await client.get_json(f"{held}?$select=roleid", strong=True))["value"]] == [role]
        await client.disassociate(f"systemusers({OWNER})", "systemuserroles_association", role)
        assert (await client.get_json(f"{held}?$select=roleid", strong=True))["value"] == []


async def test_changes_are_tracked_page_by_page() -> None:
    """Pages follow each other to a delta link, which later brings what changed."""
    emulator = build_emulator()
    prefer = ("odata.track-changes",)

    async with open_inside(emulator) as client:
        pages = [p async for p in client.get_pages("contacts?$select=fullname", prefer=prefer, page_size=1)]
        await client.update(f"contacts({LIISA})", {"firstname": "Liisi"})
        delta = [p async for p in client.get_pages(pages[-1]["@odata.deltaLink"], prefer=prefer)]

    assert [[row["contactid"] for row in page["value"]] for page in pages] == [[MATTI], [LIISA]]
    assert [row["contactid"] for page in delta for row in page["value"]] == [LIISA]
    assert "@odata.deltaLink" in delta[-1]


async def check(emulator: DataverseEmulator, selection: Selection, **settings: object) -> list[CheckResult]:
    async with open_inside(emulator) as client:
        results = check_organisation(
            client=client,
            tokens=HandedTokens([emulator.issue_token()]),
            dataverse=read_organisation(**settings),
            vip=VipSettings(),
            voice=VoiceSettings(),
            selection=selection,
        )
        return [result async for result in results]


async def test_a_good_organisation_passes_every_check() -> None:
    """Every question is answered, one line each."""
    results = await check(build_emulator(), Selection(), agent_id_column="new_agent", directory="mirror")

    assert [result.name for result in results if result.ok] == [
        "Dataverse address",
        "Dataverse token",
        "application user",
        "columns of contact",
        "columns of account",
        "columns of systemuser",
        "read contact",
        "read account",
        "read systemuser",
        "read incident",
        "roles of Voice",
        "change tracking of contact",
        "change tracking of account",
        "change tracking of systemuser",
    ]
    assert all(result.ok for result in results)


async def test_wrong_columns_are_named_with_their_setting() -> None:
    """A column that does not exist, or is no text where a number is expected, is told with where it came from."""
    selection = Selection(contact_columns=frozenset({"new_typo", "_ownerid_value"}))

    results = await check(build_emulator(), selection, contact_phone_columns=["mobilephone", "creditonhold"])

    assert [(r.name, r.detail, r.hint) for r in results if not r.ok] == [
        (
            "column contact.creditonhold",
            "is Boolean, not text",
            "correct SMARTROUTING_DATAVERSE__CONTACT_PHONE_COLUMNS, or add the column to contact",
        ),
        ("column contact.new_typo", "does not exist", "correct the ruleset, or add the column to contact"),
    ]


async def test_a_missing_application_user_ends_the_check() -> None:
    """A token of a stranger passes as a token and fails as a user, with what to do."""
    emulator = build_emulator()
    tokens = HandedTokens([emulator.issue_token("99999999-0000-4000-8000-000000000000")])

    async with connect(read_organisation(), tokens=tokens, transport=httpx.ASGITransport(emulator)) as client:
        results = check_organisation(
            client=client,
            tokens=tokens,
            dataverse=read_organisation(),
            vip=VipSettings(),
            voice=VoiceSettings(),
            selection=Selection(),
        )
        *good, last = [result async for result in results]

    assert [(r.name, r.ok) for r in good] == [("Dataverse address", True), ("Dataverse token", True)]
    assert (last.name, last.ok) == ("application user", False)
    assert "no application user here" in last.detail


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


async def test_a_client_secret_opens_the_organisation_and_an_expired_token_is_renewed(
    ca: trustme.CA, tmp_path: Path
) -> None:
    """Over TLS, from the token endpoint to the caller; when tokens expire early, many calls renew once."""
    moment = [datetime(2026, 11, 22, 8, tzinfo=UTC)]
    emulator = build_emulator(clock=lambda: moment[0])
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))

    with serve(emulator, ca=ca, folder=tmp_path) as url:
        settings = DataverseSettings.model_validate(
            {"url": url, "tenant_id": TENANT_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            | {"authority": url}
        )
        fetch = build_fetch(settings, clock=time.time, ca_bundle=str(bundle))
        tokens = TokenSource(fetch=fetch, clock=time.time)
        async with connect(settings, tokens=tokens, verify=trust(ca)) as client:
            look_up = build_look_up(client, settings)
            first = (await look_up.look_up([NUMBER], Selection()))[NUMBER]
            moment[0] += timedelta(hours=2)
            later = [
                found[NUMBER]
                for found in await asyncio.gather(*[look_up.look_up([NUMBER], Selection()) for _ in range(25)])
            ]

    assert {tuple(summarise(found)) for found in [first, *later]} == {((CallerKind.CONTACT, MATTI, "Contoso"),)}
    assert sum(r.path.endswith("/token") for r in emulator.requests) == 2
    assert {"cookie" in r.headers for r in emulator.requests} == {False}


@pytest.fixture(scope="module")
def emulator() -> DataverseEmulator:
    return build_emulator(most_at_once=12)


@pytest.fixture(scope="module")
def url(emulator: DataverseEmulator) -> Iterator[str]:
    with serve(emulator) as served:
        yield served


@pytest.fixture
def settings(url: str, emulator: DataverseEmulator) -> Iterator[DataverseSettings]:
    emulator.faults.clear()
    emulator.log.clear()
    yield read_organisation(url=url, max_connections=10)
    emulator.faults.clear()


def open_outside(emulator: DataverseEmulator, settings: DataverseSettings) -> DataverseClient:
    return connect(settings, tokens=HandedTokens([emulator.issue_token()]))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param({"kind": "reset"}, errors.UnreachableError, id="reset"),
        pytest.param({"kind": "reset_mid_body"}, errors.UnreachableError, id="reset-halfway"),
        pytest.param({"kind": "truncated"}, errors.UnreadableAnswerError, id="half-the-json"),
        pytest.param({"kind": "garbage"}, errors.UnreadableAnswerError, id="garbage"),
        pytest.param({"kind": "wrong_type"}, errors.UnreadableAnswerError, id="a-web-page"),
        pytest.param({"kind": "status", "status": 401}, errors.TokenRejectedError, id="401"),
        pytest.param({"kind": "status", "status": 403}, errors.AccessDeniedError, id="403"),
        pytest.param({"kind": "status", "status": 429, "retry_after_s": 0}, errors.ThrottledError, id="429"),
        pytest.param({"kind": "status", "status": 500}, errors.ServerFailedError, id="500"),
        pytest.param({"kind": "status", "status": 503}, errors.ServerFailedError, id="503"),
        pytest.param({"kind": "hang"}, TimeoutError, id="hang"),
        pytest.param({"kind": "drip", "seconds": 0.05}, TimeoutError, id="drip"),
    ],
)
async def test_every_fault_is_an_error_of_its_kind_in_time(
    fault: dict[str, object], expected: type[Exception], emulator: DataverseEmulator, settings: DataverseSettings
) -> None:
    """Whatever the organisation does, the look-up ends within its deadline, and works again when the fault is gone."""
    emulator.faults.add(Fault.model_validate(fault))

    async with open_outside(emulator, settings) as client:
        look_up = build_look_up(client, settings)
        with pytest.raises(expected):
            await asyncio.wait_for(look_up.look_up([NUMBER], Selection()), 0.3 if expected is TimeoutError else 10)
        emulator.faults.clear()
        found = (await look_up.look_up([NUMBER], Selection()))[NUMBER]

    assert summarise(found) == [(CallerKind.CONTACT, MATTI, "Contoso")]


async def test_a_dead_port_is_unreachable(settings: DataverseSettings) -> None:
    """A refused connection is an error at once."""
    dead = settings.model_copy(update={"url": "http://127.0.0.1:9"})

    async with connect(dead, tokens=HandedTokens()) as client:
        with pytest.raises(errors.UnreachableError):
            await client.ping()


async def test_a_single_reset_is_survived(emulator: DataverseEmulator, settings: DataverseSettings) -> None:
    """One dropped connection does not fail a look-up."""
    emulator.faults.add(Fault.model_validate({"kind": "reset", "times": 1}))

    async with open_outside(emulator, settings) as client:
        found = (await build_look_up(client, settings).look_up([NUMBER], Selection()))[NUMBER]

    assert len(found.matches) == 1


async def test_a_burst_stays_below_the_limit_of_the_organisation(
    emulator: DataverseEmulator, settings: DataverseSettings
) -> None:
    """A hundred look-ups at once never use more connections than configured, so none is throttled."""
    async with open_outside(emulator, settings) as client:
        look_up = build_look_up(client, settings)
        found = await asyncio.gather(*[look_up.look_up([NUMBER], Selection()) for _ in range(100)])

    assert {len(each[NUMBER].matches) for each in found} == {1}
    assert emulator.log.most_in_flight <= 10


async def test_given_up_look_ups_leave_nothing_behind(emulator: DataverseEmulator, settings: DataverseSettings) -> None:
    """After two hundred look-ups that hung until their deadline the next one works."""
    emulator.faults.add(Fault.model_validate({"kind": "hang"}))

    async with open_outside(emulator, settings) as client:
        look_up = build_look_up(client, settings)
        given_up = [asyncio.wait_for(look_up.look_up([NUMBER], Selection()), 0.2) for _ in range(200)]
        results = await asyncio.gather(*given_up, return_exceptions=True)
        emulator.faults.clear()
        found = await asyncio.wait_for(look_up.look_up([NUMBER], Selection()), 5)

    assert {type(result) for result in results} == {TimeoutError}
    assert len(found[NUMBER].matches) == 1
