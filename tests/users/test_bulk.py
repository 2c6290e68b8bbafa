"""Many users at once: the id update, enabling and disabling from lists, and large organisations."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.organisation import NOORA, PLACES, Organisation, Place, open_organisation
from tests.support.service import wait_for

MANY = 2000
ROLE = "d0000000-0000-4000-8000-000000000001"


def make_user_id(number: int) -> str:
    """Spell a number as a Dynamics id."""
    return f"50000000-0000-4000-8000-{number:012d}"


def make_enreach_id(number: int) -> str:
    """Spell a number as an Enreach id."""
    return f"e0000000-0000-4000-8000-{number:012d}"


def make_tables(count: int, *, holders: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Make an organisation of so many users, of whom the first `holders` have Voice User; all when it is `None`."""
    users = [
        {
            "systemuserid": make_user_id(number),
            "fullname": f"User {number:05d}",
            "internalemailaddress": f"user{number}@contoso.example",
            "domainname": f"user{number}@contoso.example",
            "new_enreachuserid": None,
            "new_enreachemail": None,
        }
        for number in range(count)
    ]
    held = range(count if holders is None else holders)
    return {
        "systemusers": users,
        "roles": [{"roleid": ROLE, "name": "Voice User"}],
        "systemuserrolescollection": [{"systemuserid": make_user_id(number), "roleid": ROLE} for number in held],
    }


def make_enreach_users(count: int) -> list[dict[str, str]]:
    """Make as many users of Enreach, their addresses spelt in capitals."""
    return [{"Id": make_enreach_id(number), "UserName": f"USER{number}@Contoso.example"} for number in range(count)]


@pytest.fixture
async def six(where: dict[str, Any], tmp_path: Path) -> AsyncIterator[Organisation]:
    """Six users without role and id, in an organisation that keeps ids in either place."""
    tables, users = make_tables(6, holders=0), make_enreach_users(6)
    async with open_organisation(tmp_path, tables=tables, enreach_users=users, **where) as organisation:
        yield organisation


def list_rows(*, client: str | None = None) -> list[dict[str, str]]:
    """Name the six users, each in another way."""
    more = {} if client is None else {"client": client}
    return [
        {"user": make_user_id(number) if number % 2 else f"User{number}@contoso.EXAMPLE", **more} for number in range(6)
    ]


async def test_the_id_update_reports_every_kind_of_outcome(tmp_path: Path) -> None:
    """Matched by either address, already right, unmatched, ambiguous, conflicting and skipped users are told apart."""
    tables = make_tables(8)
    rows = tables["systemusers"]
    rows[1]["internalemailaddress"], rows[1]["new_enreachemail"] = "one@elsewhere.example", "user1@contoso.example"
    rows[2]["new_enreachuserid"] = make_enreach_id(2).upper()
    rows[3]["internalemailaddress"] = "three@elsewhere.example"
    rows[5]["new_enreachuserid"] = make_enreach_id(99)
    rows[6]["isdisabled"] = True
    rows[7]["new_enreachemail"] = "user0@contoso.example"
    twice = {"Id": make_enreach_id(40), "UserName": "user4@contoso.example"}
    async with open_organisation(
        tmp_path, tables=tables, enreach_users=[*make_enreach_users(8), twice]
    ) as organisation:
        job = await organisation.run("/admin/users/enreach-ids", {})
        kept = (await organisation.show(make_user_id(5)))["enreach_user_id"]
        again = await organisation.run("/admin/users/enreach-ids", {"users": [make_user_id(5)], "overwrite": True})

    outcomes = {row["user_id"]: (row["outcome"], row["matched_by"]) for row in job["result"]["users"]}
    assert outcomes == {
        make_user_id(0): ("matched", "email"),
        make_user_id(1): ("matched", "override"),
        make_user_id(2): ("already_right", "email"),
        make_user_id(3): ("unmatched", None),
        make_user_id(4): ("ambiguous", None),
        make_user_id(5): ("conflict", "email"),
        make_user_id(6): ("skipped", None),
        make_user_id(7): ("ambiguous", None),
    }
    assert kept == make_enreach_id(99)
    assert again["result"]["counts"] == {"matched": 1}


async def test_two_users_never_get_the_same_id(tmp_path: Path) -> None:
    """An override that names somebody else's address makes both ambiguous."""
    tables = make_tables(2)
    tables["systemusers"][1] |= {"internalemailaddress": None, "new_enreachemail": "user0@contoso.example"}
    async with open_organisation(tmp_path, tables=tables, enreach_users=make_enreach_users(1)) as organisation:
        job = await organisation.run("/admin/users/enreach-ids", {})

    assert job["result"]["counts"] == {"ambiguous": 2}


async def test_a_dry_run_of_the_id_update_writes_nothing(six: Organisation) -> None:
    """It reports what would match."""
    job = await six.run("/admin/users/enreach-ids", {"users": [make_user_id(1)], "dry_run": True})

    assert (job["state"], job["percent"], job["result"]["counts"]) == ("done", 100.0, {"matched": 1})
    assert (await six.show(make_user_id(1)))["enreach_user_id"] is None


@pytest.mark.parametrize("place", PLACES)
async def test_two_thousand_users_are_listed_and_updated_in_few_questions(tmp_path: Path, place: Place) -> None:
    """There is one Enreach list a page and no question to Dynamics about a single user."""
    tables, users = make_tables(MANY), make_enreach_users(MANY)
    async with open_organisation(tmp_path, place=place, tables=tables, enreach_users=users) as organisation:
        seen, pages = await list_everybody(organisation)
        reads = [request for request in organisation.dataverse.requests if request.method == "GET"]
        answer = await organisation.send("POST", "/admin/users/enreach-ids", {})
        job = await wait_for_long_job(organisation, answer.json()["id"])

        assert (len(seen), pages, len(reads) <= 20 * pages) == (MANY + 1, 11, True)
        assert not any("(" in request.path for request in reads)
        assert job["result"]["counts"] == {"matched": MANY}
        assert [request.path for request in organisation.enreach.requests] == ["/users"] * (pages + 1)


async def list_everybody(organisation: Organisation) -> tuple[set[str], int]:
    """Page through all users; return their ids and the number of pages."""
    seen: set[str] = set()
    query: dict[str, Any] = {"limit": 200}
    for pages in range(1, 100):
        page = (await organisation.get("/admin/users", **query)).json()
        seen |= {item["id"] for item in page["items"]}
        if page["next"] is None:
            return seen, pages
        query["after"] = page["next"]
    raise AssertionError("the list has no end")


async def wait_for_long_job(organisation: Organisation, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended, as often as it takes."""
    while True:
        try:
            return await organisation.wait_for_job(job_id)
        except TimeoutError:
            continue


async def test_a_list_is_enabled_and_disabled_and_repeating_changes_nothing(six: Organisation) -> None:
    """Every row is reported; the second run finds everything as it should be."""
    results = [
        await six.run(f"/admin/users/bulk-{verb}", {"users": list_rows(client=client)})
        for verb, client in [("enable", None), ("enable", None), ("disable", "cif2"), ("disable", "cif2")]
    ]

    assert [result["result"]["counts"] for result in results] == [
        {"changed": 6},
        {"unchanged": 6},
        {"changed": 6},
        {"unchanged": 6},
    ]
    assert [row["row"] for row in results[0]["result"]["rows"]] == [1, 2, 3, 4, 5, 6]


async def test_a_half_failed_run_is_repeated_to_completion(six: Organisation) -> None:
    """What failed is told row by row; the repeated run does the rest, and nobody is assigned anything twice."""
    six.dataverse.faults.replace(
        [
            Fault(kind=FaultKind.STATUS, status=503, mentions=f"({make_user_id(1)})/systemuserroles_association/$ref"),
            Fault(kind=FaultKind.RESET, mentions=f"({make_user_id(3)})/systemuserroles_association/$ref"),
        ]
    )
    first = await six.run("/admin/users/bulk-enable", {"users": list_rows()})
    states = await six.judge(make_user_id(1))
    six.dataverse.faults.clear()
    second = await six.run("/admin/users/bulk-enable", {"users": list_rows()})

    links = [link["systemuserid"] for link in six.dataverse.tables.rows("systemuserrolescollection")]
    assert first["result"]["counts"] == {"changed": 4, "incomplete": 2}
    assert (states["voice_user_role"], states["enreach_user_id"]) == ("missing", "missing")
    assert second["result"]["counts"] == {"unchanged": 4, "changed": 2}
    assert sorted(user for user in links if user in set(map(make_user_id, range(6)))) == [
        make_user_id(number) for number in range(6)
    ]


async def test_a_list_may_be_a_csv_file(six: Organisation) -> None:
    """Comma or semicolon, with a byte order mark; unknown, repeated and unreadable rows are told."""
    text = f"\ufeffuser;enreach_email\n{make_user_id(0)};\nuser0@contoso.example;\nnobody@contoso.example;\n"
    answer = await send_csv(six, text, dry_run=True)
    job = await six.wait_for_job(answer["id"])

    assert [row["outcome"] for row in job["result"]["rows"]] == ["planned", "repeated", "not_found"]
    assert (await six.show(make_user_id(0)))["roles"] == []


async def send_csv(organisation: Organisation, text: str, **query: Any) -> dict[str, Any]:
    """Post a CSV file."""
    headers = {"Authorization": "Bearer admin-key-for-tests", "Content-Type": "text/csv"}
    answer = await organisation.service.client.post(
        "/admin/users/bulk-csv", content=text.encode(), params={"action": "enable", **query}, headers=headers
    )
    sent: dict[str, Any] = answer.json()
    return sent


async def test_an_unreadable_csv_file_is_refused_as_a_whole(six: Organisation) -> None:
    """Every bad line is named, and nothing is done."""
    problem = await send_csv(six, "user,client,enreach_email\nann,cif9\n,\nbob,cif1,,more\ncid,,c@d@e\n")
    unnamed = await send_csv(six, "name\nann\n")

    assert (problem["status"], [item["detail"] for item in problem["errors"]]) == (
        422,
        [
            "Row 1: client is neither cif1 nor cif2.",
            "Row 2: names no user.",
            "Row 3: has more cells than the first line names.",
            "Row 4: an e-mail address has two parts around one @, without blanks, control characters or brackets.",
        ],
    )
    assert unnamed["status"] == 422


async def test_a_running_job_can_be_stopped(tmp_path: Path) -> None:
    """It ends after the item it is at, and keeps what it did."""
    tables, users = make_tables(300), make_enreach_users(300)
    async with open_organisation(tmp_path, tables=tables, enreach_users=users) as organisation:
        organisation.dataverse.faults.add(Fault(kind=FaultKind.DELAY, seconds=0.02, mentions="systemusers("))
        job_id = (await organisation.send("POST", "/admin/users/enreach-ids", {})).json()["id"]
        await organisation.send("DELETE", f"/admin/jobs/{job_id}")
        job = await organisation.wait_for_job(job_id)

    assert job["state"] == "cancelled"
    assert len(job["result"]["users"]) < 300


async def test_a_job_leaves_calls_their_requests(tmp_path: Path) -> None:
    """It pauses at three fifths of the budget: a call is still answered from Dynamics, and the job can be stopped."""
    tables, users = make_tables(60, holders=0), make_enreach_users(60)
    rows = [{"user": make_user_id(number)} for number in range(60)]
    settings = {"requests_per_5_minutes": 100}
    async with open_organisation(tmp_path, tables=tables, enreach_users=users, dataverse=settings) as organisation:
        answer = await organisation.send("POST", "/admin/users/bulk-enable", {"users": rows})

        async def read() -> int | None:
            made = len(organisation.dataverse.requests)
            return made if made >= 60 else None

        await wait_for(read)
        facts = (await organisation.service.simulate(call={"anum": "+358501234567"})).json()["facts"]
        job = (await organisation.get("/admin/jobs/newest")).json()
        await organisation.send("DELETE", f"/admin/jobs/{job['id']}")
        stopped = await organisation.wait_for_job(job["id"])

    assert (answer.headers["Location"], job["state"]) == (f"/admin/jobs/{job['id']}", "running")
    assert facts["caller.status"] == "unknown"
    assert stopped["state"] == "cancelled"
    assert 0 < len(stopped["result"]["rows"]) < 60
    assert set(stopped["result"]["counts"]) == {"changed"}


async def test_jobs_are_listed_without_their_results(six: Organisation) -> None:
    """The newest first; what came of one is shown with it, and `newest` is one."""
    first = await six.run("/admin/users/enreach-ids", {"users": [make_user_id(1)], "dry_run": True})
    second = await six.run("/admin/users/bulk-enable", {"users": list_rows(), "dry_run": True})

    listed = (await six.get("/admin/jobs")).json()["items"]
    newest = (await six.get("/admin/jobs/newest")).json()

    assert [job["id"] for job in listed] == [second["id"], first["id"]]
    assert not any("result" in job for job in listed)
    assert newest == second


async def test_a_throttled_id_update_waits_and_completes(tmp_path: Path) -> None:
    """Dataverse asking to slow down costs time, not users."""
    async with open_organisation(tmp_path, tables=make_tables(3), enreach_users=make_enreach_users(3)) as organisation:
        organisation.dataverse.faults.add(
            Fault(
                kind=FaultKind.STATUS, status=429, retry_after_s=1, mentions=f"systemusers({make_user_id(1)})", times=1
            )
        )
        job = await organisation.run("/admin/users/enreach-ids", {})

    assert job["result"]["counts"] == {"matched": 3}


async def test_a_job_nobody_knows_is_not_found(six: Organisation) -> None:
    """It is a problem, not an empty answer."""
    assert (await six.get("/admin/jobs/none")).status_code == 404
    assert (await six.get("/admin/jobs/newest")).json()["detail"] == "No job was started yet."


async def test_calls_know_the_agent_as_soon_as_the_id_is_kept_here(tmp_path: Path) -> None:
    """`caller.owner_agent` comes from our store when no column is set, without a restart."""
    owner = "50000000-0000-4000-8000-000000000001"
    known = "f8dfb4da-5fc4-5f05-8df8-08d4c583f537"
    call = {"anum": "+358501234567"}
    async with open_organisation(
        tmp_path, place="store", cache={"fresh_seconds": 0, "negative_seconds": 0}
    ) as organisation:
        before = (await organisation.service.simulate(call=call)).json()["facts"]["caller.owner_agent"]
        await organisation.run("/admin/users/enreach-ids", {"users": [owner, NOORA]})

        async def read() -> object | None:
            facts = (await organisation.service.simulate(call=call)).json()["facts"]
            return known if facts["caller.owner_agent"] == known else None

        after = await wait_for(read)

    assert before != known
    assert after == known
