"""One number in, everything Dataverse knows about it out."""

import asyncio
import re
from dataclasses import replace
from urllib.parse import parse_qsl

import httpx
import pytest

from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.dataverse.errors import BadQueryError, ThrottledError, UnreadableAnswerError
from app.dataverse.queries import SearchPlan
from app.routing.callers import AccountRecord, CallerKind, LookUp, Match, Selection
from app.routing.number_blocks import NumberBlock
from tests.dataverse.wire import HandedTokens, Wire, read_organisation

NUMBER = "+358501234567"
PLAN = SearchPlan(
    contact_phones=("mobilephone", "telephone1"),
    account_phones=("telephone1",),
    contact_columns=frozenset({"new_vip"}),
    account_columns=frozenset({"accountcategorycode"}),
    account_depth=1,
    agent_column="new_agent",
)
CONTACT = {
    "@odata.etag": 'W/"1"',
    "contactid": "C1",
    "fullname": "Matti Example",
    "mobilephone": "050 123 4567 ext 22",
    "telephone1": None,
    "modifiedon": "2026-11-22T08:00:00Z",
    "_ownerid_value": "U1",
    "_owninguser_value": "U1",
    "new_vip": True,
    "jobtitle": "Buyer",
    "owninguser": {"systemuserid": "U1", "new_agent": "agent-1"},
    "parentcustomerid_account": {
        "accountid": "A1",
        "name": "Contoso",
        "accountcategorycode": 2,
        "_ownerid_value": "T1",
        "_owninguser_value": None,
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "team",
        "parentaccountid": {"accountid": "A2", "name": "Contoso Group", "accountcategorycode": 1},
    },
}
ACCOUNT = {"accountid": "A9", "name": "Fabrikam", "telephone1": NUMBER, "accountcategorycode": None}


def answer(**tables: object) -> Wire:
    """A wire that answers per table with rows, a response, or whatever a function makes of the request."""

    def reply(request: httpx.Request) -> httpx.Response:
        content = tables.get(request.url.path.rsplit("/", 1)[1], [])
        content = content(request) if callable(content) else content
        return content if isinstance(content, httpx.Response) else httpx.Response(200, json={"value": content})

    return Wire(reply)


def refuse(table: str, *columns: str):
    """Refuse the first of these columns that is asked for anywhere, as Dataverse does."""

    def reply(request: httpx.Request) -> object:
        asked = str(dict(parse_qsl(request.url.query.decode())))
        for column in columns:
            if column in asked:
                return fail(
                    400, f"Could not find a property named '{column}' on type 'Microsoft.Dynamics.CRM.{table}'."
                )
        return []

    return reply


def fail(status: int, message: str = "", code: str = "0x80060888") -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": message}})


def look_up_with(client: DataverseClient, clock=lambda: 0.0, plan: SearchPlan = PLAN) -> CallerLookUp:
    return CallerLookUp(
        client=client, search_client=client.leave_rest(0.5), plan=plan, region="FI", patterns=(), clock=clock
    )


async def look_up(wire: Wire, selection: Selection = Selection()) -> LookUp:  # noqa: B008 - a frozen value
    async with wire.open() as client:
        return (await look_up_with(client).look_up([NUMBER], selection))[NUMBER]


async def test_records_are_read_with_their_companies_and_owners() -> None:
    """Contacts and accounts become matches with columns, owner, company and parents."""
    selection = Selection(contact_columns=frozenset({"jobtitle"}))

    found = await look_up(answer(contacts=[CONTACT], accounts=[ACCOUNT]), selection)

    group = AccountRecord(id="a2", name="Contoso Group", columns={"accountcategorycode": 1})
    fabrikam = AccountRecord(id="a9", name="Fabrikam", columns={"accountcategorycode": None})
    assert found == LookUp(
        matches=(
            Match(
                kind=CallerKind.CONTACT,
                id="c1",
                name="Matti Example",
                columns={"new_vip": True, "jobtitle": "Buyer"},
                owner_id="u1",
                owner_agent="agent-1",
                account=AccountRecord(id="a1", name="Contoso", columns={"accountcategorycode": 2}, parent=group),
                modified_at=1795334400.0,
            ),
            Match(kind=CallerKind.ACCOUNT, id="a9", name="Fabrikam", columns=fabrikam.columns, account=fabrikam),
        )
    )


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("050 1234567", True),
        ("tel:+358-50-1234567", True),
        (" +358 (0)50 1234567 ", True),
        ("+358501234567;ext=9", True),
        ("0501234568", False),
        ("ask Matti", False),
        (None, False),
        (17, False),
    ],
)
async def test_a_row_must_carry_the_number_when_read_again(stored: object, kept: bool) -> None:  # noqa: FBT001
    """Rows whose values only look alike are dropped."""
    found = await look_up(answer(contacts=[{**CONTACT, "mobilephone": stored}]))

    assert len(found.matches) == int(kept)


async def test_cases_are_counted_by_customer() -> None:
    """Active cases of the contact, its company and the matched account are counted when a rule asks."""
    wire = answer(
        contacts=[CONTACT],
        accounts=[ACCOUNT],
        incidents=[{"incidentid": str(n), "_customerid_value": c} for n, c in enumerate(["C1", "A1", "A1"])],
    )

    found = await look_up(wire, Selection(open_cases=True))

    assert (found.open_cases, found.open_cases_failed) == ({"c1": 1, "a1": 2}, False)
    assert "_customerid_value eq a9" in dict(parse_qsl(wire.requests[-1].url.query.decode()))["$filter"]


async def test_cases_are_not_asked_for_without_matches() -> None:
    """Nobody has no cases, and nobody is asked."""
    wire = answer()

    assert await look_up(wire, Selection(open_cases=True)) == LookUp(matches=(), open_cases={})
    assert len(wire.requests) == 2


async def test_an_organisation_without_cases_has_none() -> None:
    """A missing table of cases means no cases, and is not asked for again."""
    wire = answer(contacts=[CONTACT], incidents=fail(404, "Resource not found for the segment 'incidents'."))

    async with wire.open() as client:
        look_up = look_up_with(client)
        found = [(await look_up.look_up([NUMBER], Selection(open_cases=True)))[NUMBER] for _ in range(2)]

    assert [(f.open_cases, f.open_cases_failed) for f in found] == [({}, False)] * 2
    assert len(wire.requests) == 5


async def test_failed_cases_do_not_fail_the_look_up() -> None:
    """When cases cannot be read the matches stand and the failure is told."""
    found = await look_up(answer(contacts=[CONTACT], incidents=fail(403)), Selection(open_cases=True))

    assert (len(found.matches), found.open_cases, found.open_cases_failed) == (1, None, True)


async def test_unknown_columns_of_rules_are_left_out_and_remembered() -> None:
    """A rule with a wrong column costs some repetitions once, then nothing, and is asked again after ten minutes."""
    now = 0.0
    wire = answer(contacts=refuse("contact", "new_typo", "new_other"), accounts=refuse("account", "new_gone"))
    selection = Selection(
        contact_columns=frozenset({"new_typo", "new_other", "jobtitle"}), account_columns=frozenset({"new_gone"})
    )

    async with wire.open() as client:
        look_up = look_up_with(client, clock=lambda: now)
        first = (await look_up.look_up([NUMBER], selection))[NUMBER]
        asked = len(wire.requests)
        second = (await look_up.look_up([NUMBER], selection))[NUMBER]
        again = len(wire.requests) - asked
        now = 601.0
        await look_up.look_up([NUMBER], selection)

    assert first == second
    assert not [r for r in wire.requests[asked : asked + again] if re.search("new_typo|new_other|new_gone", str(r.url))]
    assert again == 2
    assert len(wire.requests) - asked - again > 2


async def test_a_refusal_without_a_name_drops_every_column_of_rules() -> None:
    """When the message does not tell which, the columns only rules want are left out together."""
    wire = answer(contacts=lambda r: fail(400, "Bad") if "jobtitle" in str(r.url) else [CONTACT])

    found = await look_up(wire, Selection(contact_columns=frozenset({"jobtitle", "new_vip"})))

    assert found.matches[0].columns == {"new_vip": True}


@pytest.mark.parametrize("status", [405, 407, 413, 414])
async def test_a_refusal_of_something_else_costs_no_column(status: int) -> None:
    """What a gateway says about method, proxy or size tells nothing about columns: they are asked for again at once."""
    answers = iter([fail(status)])
    wire = answer(contacts=lambda _: next(answers, [CONTACT]))

    async with wire.open() as client:
        looking_up = look_up_with(client)
        with pytest.raises(BadQueryError):
            await looking_up.look_up([NUMBER], Selection(contact_columns=frozenset({"jobtitle"})))
        found = (await looking_up.look_up([NUMBER], Selection(contact_columns=frozenset({"jobtitle"}))))[NUMBER]

    assert found.matches[0].columns == {"new_vip": True, "jobtitle": "Buyer"}


@pytest.mark.parametrize(("table", "column"), [("contact", "new_vip"), ("contact", "mobilephone")])
async def test_an_unknown_column_of_the_settings_is_an_error(table: str, column: str) -> None:
    """VIP and phone columns are never left out silently, even when a rule asks for them too."""
    with pytest.raises(BadQueryError, match=f"{table} has no column {column}"):
        await look_up(answer(contacts=refuse(table, column)), Selection(contact_columns=frozenset({column})))


async def test_names_that_cannot_be_columns_are_not_sent() -> None:
    """A rule's odd column name is left out, and the caller is found all the same."""
    wire = answer(contacts=[CONTACT])

    found = await look_up(wire, Selection(contact_columns=frozenset({"Job Title", "x,y"})))

    assert len(found.matches) == 1
    assert not [request for request in wire.requests if re.search("Job|x,y", str(request.url))]


async def test_the_failure_itself_is_raised_and_the_other_question_stopped() -> None:
    """When one of the two GETs fails its error comes out as it is and the other does not linger."""
    stopped = asyncio.Event()

    async def reply(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("accounts"):
            return httpx.Response(429, headers={"Retry-After": "9"})
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    settings = read_organisation(max_connections=4)
    async with connect(settings, tokens=HandedTokens(), transport=httpx.MockTransport(reply)) as client:
        with pytest.raises(ThrottledError) as caught:
            await look_up_with(client).look_up([NUMBER], Selection())

    assert caught.value.facts.retry_after == 9.0
    assert stopped.is_set()


async def test_a_deadline_from_outside_ends_a_hanging_look_up() -> None:
    """The caller's time-out comes out as a time-out, not as a group of errors."""

    async def hang(_: httpx.Request) -> httpx.Response:
        return await asyncio.get_running_loop().create_future()

    settings = read_organisation(max_connections=4)
    async with connect(settings, tokens=HandedTokens(), transport=httpx.MockTransport(hang)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await look_up_with(client).look_up([NUMBER], Selection())


@pytest.mark.parametrize(
    "content",
    [
        httpx.Response(200, json={}),
        httpx.Response(200, json={"value": [1]}),
        httpx.Response(200, json={"value": None}),
        [{"mobilephone": NUMBER}],
    ],
    ids=["no-list", "no-rows", "null", "no-id"],
)
async def test_garbage_is_unreadable(content: object) -> None:
    """JSON that is no list of rows with ids is an error of the tree."""
    with pytest.raises(UnreadableAnswerError):
        await look_up(answer(contacts=content))


OTHERS = [f"+3585099900{index:02}" for index in range(1, 8)]


async def test_several_numbers_are_one_look_up() -> None:
    """Numbers that are looked up together get their own records, in two requests."""
    bob = {**CONTACT, "contactid": "C8", "mobilephone": "050 9990001"}
    eve = {**CONTACT, "contactid": "C9", "mobilephone": OTHERS[1], "telephone1": NUMBER}
    wire = answer(contacts=[CONTACT, bob, eve], accounts=[{**ACCOUNT, "telephone1": OTHERS[2]}])

    async with wire.open() as client:
        found = await look_up_with(client).look_up([NUMBER, *OTHERS], Selection())

    assert [[match.id for match in found[e164].matches] for e164 in [NUMBER, *OTHERS]] == [
        ["c1", "c9"],
        ["c8"],
        ["c9"],
        ["a9"],
        *[[]] * 4,
    ]
    assert len(wire.requests) == 2
    assert all(len(str(request.url)) < 32_768 for request in wire.requests)


async def test_number_with_many_records_crowds_nobody_out() -> None:
    """When an answer about several numbers is full, each number is asked for by itself."""
    crowd = [{**CONTACT, "contactid": f"C{index}", "mobilephone": OTHERS[0]} for index in range(50)]

    def reply(request: httpx.Request) -> object:
        options = dict(parse_qsl(request.url.query.decode()))
        known = [
            *(crowd if OTHERS[0] in options["$filter"] else []),
            *([CONTACT] if NUMBER in options["$filter"] else []),
        ]
        return known[: int(options["$top"])]

    async with answer(contacts=reply).open() as client:
        found = await look_up_with(client).look_up([OTHERS[0], NUMBER], Selection())

    assert {e164: len(each.matches) for e164, each in found.items()} == {OTHERS[0]: 10, NUMBER: 1}


async def test_search_finds_what_stands_between_other_characters() -> None:
    """A search matches digits with anything between them, and keeps only records that hold the number."""
    asked: list[str] = []
    odd = {**CONTACT, "mobilephone": "mob. 050-12.34 567 (work)"}
    other = {**CONTACT, "contactid": "C7", "mobilephone": "+358 50 1234567 890"}

    def reply(request: httpx.Request) -> object:
        asked.append(dict(parse_qsl(request.url.query.decode()))["$filter"])
        return [odd, other]

    async with answer(contacts=reply).open() as client:
        found = await look_up_with(client).search(NUMBER, Selection())

    assert [match.id for match in found.matches] == ["c1"]
    pattern = "5%0%1%2%3%4%5%6%7"
    assert asked == [f"(contains(mobilephone,'{pattern}') or contains(telephone1,'{pattern}')) and statecode eq 0"]


BLOCK_PLAN = replace(PLAN, number_blocks=True)
EXTENSION = "+493023125123"


async def test_number_that_nobody_has_leads_to_the_longest_block_of_an_account() -> None:
    """One more question, for accounts only; the longest block counts, and an exact number before all of them."""
    head = {**ACCOUNT, "telephone1": "+49 30 23125-0"}
    longer = {**ACCOUNT, "accountid": "A8", "telephone1": "030 / 231251"}

    async def find(*numbers: str, accounts: list[dict[str, object]], contacts: object = ()) -> tuple[object, int]:
        wire = answer(accounts=accounts, contacts=list(contacts))
        async with wire.open() as client:
            found = await look_up_with(client, plan=BLOCK_PLAN).look_up(numbers, Selection())
        return [([match.id for match in each.matches], each.block) for each in found.values()], len(wire.requests)

    assert await find(EXTENSION, accounts=[{**head, "telephone1": "+493023125-0"}]) == (
        [(["a9"], NumberBlock("+4930231250", 0.7))],
        3,
    )
    assert await find(EXTENSION, accounts=[head, {**longer, "telephone1": "+4930231251"}]) == (
        [(["a8"], NumberBlock("+4930231251", 0.8))],
        3,
    )
    assert await find(EXTENSION, accounts=[head], contacts=[{**CONTACT, "mobilephone": EXTENSION}]) == (
        [(["c1"], None)],
        2,
    )
    assert await find(EXTENSION, accounts=[{**head, "telephone1": "+43 30 23125-0"}]) == ([([], None)], 3)
    assert await find("+14155550123", accounts=[{**head, "telephone1": "+1415555012"}]) == ([([], None)], 2)


async def test_number_blocks_of_a_crowd_are_few_questions_that_dataverse_can_read() -> None:
    """Several numbers share a question, which stays below the limits whatever the settings name."""
    columns = tuple(f"telephone{index}" for index in range(8))
    plan = replace(BLOCK_PLAN, account_phones=columns, contact_phones=columns)
    patterns = ("### ### ###", "#### ####", "## ## ## ##", "##-######")
    for plan_of, expected in ((BLOCK_PLAN, 4), (plan, 8)):
        wire = answer()
        numbers = [f"+4930231251{index:02}" for index in range(8)]
        async with wire.open() as client:
            look_up = CallerLookUp(
                client=client, search_client=client, plan=plan_of, region="DE", patterns=patterns, clock=lambda: 0.0
            )
            await look_up.look_up(numbers[: look_up.max_numbers], Selection())
        blocks = wire.requests[2:]
        assert len(blocks) <= expected
        assert all(str(request.url).count("%20eq%20") <= 500 for request in wire.requests)
        assert all(len(str(request.url)) < 32_768 for request in wire.requests)
