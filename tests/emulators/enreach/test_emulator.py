"""The emulated Enreach API, held to what is known of the real one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from app.emulators.enreach import EnreachEmulator, create_enreach_emulator, load_sample
from app.emulators.enreach.application import SeenRequest
from app.emulators.faults import Fault, FaultKind

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
USER, SECRET, PASSWORD = "voice.api@contoso.example", "demo-enreach-secret", "demo-password-not-a-secret"
RANGE = {"StartTime": "2026-03-01 12:00:00", "EndTime": "2026-03-02 12:00:00"}


@pytest.fixture
def emulator() -> EnreachEmulator:
    """The sample organisation."""
    return create_enreach_emulator(clock=lambda: NOW)


@pytest.fixture
async def http(emulator: EnreachEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to the emulator with the right key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(emulator), base_url="https://enreach.example", auth=(USER, SECRET)
    ) as client:
        yield client


@pytest.mark.parametrize("path", ["/users", "/users/", "/queues/", "/directory", "/calls/", "/servicecall"])
async def test_lists_are_bare_arrays_with_and_without_a_trailing_slash(http: httpx.AsyncClient, path: str) -> None:
    """There is no envelope, no paging and no redirect."""
    response = await http.get(path, params=RANGE)

    assert response.status_code == 200
    assert isinstance(response.json(), list)


async def test_users_cannot_be_filtered_on_the_server(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """Unknown query parameters are ignored: everybody comes."""
    response = await http.get("/users", params={"UserName": USER})

    assert response.json() == emulator.tables["users"]


async def test_private_keys_never_leave(http: httpx.AsyncClient) -> None:
    """What the emulator keeps for itself begins with an underscore and stays inside."""
    answers = [(await http.get(path, params=RANGE)).json() for path in ("/queues", "/calls", "/servicecall")]

    assert [name for rows in answers for row in rows for name in row if name.startswith("_")] == []


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic dm9pY2U=", "Bearer dm9pY2U6eA==", "Basic dm9pY2U6eA==", "Basic /w=="],
)
async def test_bad_credentials_are_unauthorized(emulator: EnreachEmulator, header: str) -> None:
    """Without the right e-mail and key there is nothing to see."""
    transport = httpx.ASGITransport(emulator)
    async with httpx.AsyncClient(transport=transport, base_url="https://enreach.example") as http:
        response = await http.get("/users", headers={"Authorization": header} if header else {})

    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Basic")


@pytest.mark.parametrize("path", ["/users/nobody", "/directory/none", "/nothing"])
async def test_unknown_ids_are_not_found(http: httpx.AsyncClient, path: str) -> None:
    """What is not there is a 404."""
    assert (await http.get(path)).status_code == 404


async def test_me_is_the_user_of_the_key(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """`me` stands for the id of whoever asks, and is gone when that user is."""
    own = (await http.get("/users/me")).json()
    emulator.tables["users"].remove(own)

    assert own["UserName"] == USER
    assert (await http.get("/users/me")).status_code == 404


@pytest.mark.parametrize("path", ["/calls", "/servicecall"])
@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="no range"),
        pytest.param({"StartTime": "2026-03-01 12:00:00"}, id="half a range"),
        pytest.param({**RANGE, "StartTime": "2026-01-30 11:59:59"}, id="31 days and a second"),
        pytest.param({**RANGE, "StartTime": "2026-03-02 12:00:01"}, id="wrong way round"),
        pytest.param({**RANGE, "EndTime": "2026-03-02T12:00:00Z"}, id="ISO spelling"),
        pytest.param({**RANGE, "ModifiedAfter": "x", "EndTime": ""}, id="blank end"),
    ],
)
async def test_call_lists_want_a_range_of_31_days_at_most(
    http: httpx.AsyncClient, path: str, query: dict[str, str]
) -> None:
    """A missing, unreadable or longer range is refused."""
    assert (await http.get(path, params=query)).status_code == 400


async def test_calls_of_31_days_are_served(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """The longest range brings exactly the calls inside it."""
    query = {"StartTime": "2026-01-30 12:00:00", "EndTime": "2026-03-02 12:00:00"}
    inside = [row for row in emulator.tables["calls"] if row["_minutes_ago"] <= 31 * 24 * 60]

    response = await http.get("/calls", params=query)

    assert [row["CallId"] for row in response.json()] == [row["CallId"] for row in inside]
    assert 0 < len(inside) < len(emulator.tables["calls"])


async def test_calls_are_narrowed_to_users(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """`UserIDs` leaves the calls of these users only."""
    users = sorted({row["_user_id"] for row in emulator.tables["calls"] if row["_minutes_ago"] < 24 * 60})

    response = await http.get("/calls", params={**RANGE, "UserIDs": ",".join(users[:2])})

    names = {row["UserName"] for row in emulator.tables["users"] if row["Id"] in users[:2]}
    assert {row["UserName"] for row in response.json()} == names


async def test_calls_of_the_sample_follow_the_clock() -> None:
    """The sample is as fresh as the clock says, once."""
    now = NOW + timedelta(days=300)
    calls = create_enreach_emulator(clock=lambda: now).tables["calls"]

    assert {row["StartTime"] for row in calls} == {
        f"{now - timedelta(minutes=row['_minutes_ago']):%Y-%m-%dT%H:%M:%S}" for row in calls
    }


async def test_directory_entries_are_narrowed(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """Entry type, number and count narrow the entries, which stand under `Entries`."""
    path = f"/directory/{emulator.tables['directories'][0]['ID']}/"
    everything = (await http.get(path)).json()
    queues = (await http.get(path, params={"EntryTypes": "2"})).json()["Entries"]
    one = (await http.get(path, params={"Number": queues[0]["WorkNumber"]})).json()["Entries"]

    assert everything == {"Entries": emulator.tables["entries"]}
    assert [row["FirstName"] for row in queues] == ["VIP service", "Sales", "Support", "Overflow"]
    assert one == queues[:1]
    assert (await http.get(path, params={"MaxCount": "2"})).json()["Entries"] == emulator.tables["entries"][:2]
    assert (await http.get(path, params={"MaxCount": "many"})).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"UserName": USER, "Password": PASSWORD}, 200),
        ({"UserName": USER, "Password": "wrong"}, 401),
        ({"UserName": "other@contoso.example", "Password": PASSWORD}, 401),
        ({}, 401),
        ([], 401),
    ],
)
async def test_password_buys_the_key(http: httpx.AsyncClient, body: object, status: int) -> None:
    """Name and password together give the key, nothing else does."""
    response = await http.post(f"/authuser/{USER}/", json=body, auth=None)

    assert response.status_code == status
    if status == 200:
        assert response.json() == {"SecretKey": SECRET, "UserID": (await http.get("/users/me")).json()["Id"]}


async def test_discovery_tells_where_the_api_is(http: httpx.AsyncClient) -> None:
    """Both forms of the question have the same answer; unknown users have none."""
    asked = await http.post("/api/user", json={"user": USER}, auth=None)
    older = await http.get("/api/user", params={"user": USER}, auth=None)

    assert asked.json() == older.json()
    assert [silo["apiEndpoint"] for silo in asked.json()] == ["https://enreach.example/"]
    assert (await http.post("/api/user", json={"user": "nobody@contoso.example"})).json() == []
    assert (await http.post("/api/user", content=b"{")).status_code == 400


async def test_trouble_can_be_asked_for_over_http(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """Faults are put, shown and cleared by whoever reaches the emulator, and are no requests of the service."""
    wanted = [{"kind": "status", "status": 503, "mentions": "OnlyForUser=u1"}]
    put = await http.put("/_emulator/faults", json=wanted, auth=None)
    hit = await http.get("/queues", params={"OnlyForUser": "u1"})
    other = await http.get("/queues")
    cleared = await http.delete("/_emulator/faults", auth=None)

    assert [(fault["kind"], fault["status"]) for fault in put.json()] == [("status", 503)]
    assert [answer.status_code for answer in (hit, other, cleared)] == [503, 200, 204]
    assert (await http.get("/_emulator/faults", auth=None)).json() == []
    assert {request.path for request in emulator.requests} == {"/queues"}


async def test_trouble_comes_on_demand(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """A fault hits the requests it names, as often as it says."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after_s=7, table="users", times=1))
    emulator.faults.add(Fault(kind=FaultKind.WRONG_TYPE, mentions="OnlyForUser=u1"))
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=401, at="token"))

    limited, users = await http.get("/users/me"), await http.get("/users")
    spoilt, queues = [await http.get("/queues/", params={"OnlyForUser": user}) for user in ("u1", "u2")]
    refused = await http.post(f"/authuser/{USER}", json={"UserName": USER, "Password": PASSWORD})

    assert (limited.status_code, limited.headers["Retry-After"], users.status_code) == (429, "7", 200)
    assert (spoilt.headers["Content-Type"], queues.json()) == ("text/html", [])
    assert refused.status_code == 401


async def test_requests_are_remembered_below_a_mount(emulator: EnreachEmulator) -> None:
    """Served under a prefix, the emulator works and remembers its own paths."""
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/enreach", emulator)]))
    async with httpx.AsyncClient(transport=transport, base_url="https://demo.example/enreach") as http:
        response = await http.get("/queues/", params={"OnlyForUser": "nobody"}, auth=(USER, SECRET))
        silos = await http.post("/api/user", json={"user": USER})

    assert (response.status_code, response.json()) == (200, [])
    assert silos.json()[0]["apiEndpoint"] == "https://demo.example/enreach/"
    assert list(emulator.requests) == [
        SeenRequest("GET", "/queues/", {"OnlyForUser": "nobody"}),
        SeenRequest("POST", "/api/user"),
    ]


async def test_own_data_replaces_the_sample() -> None:
    """Given tables are copied, absent ones are empty, the key stays the sample's."""
    data = {"users": [{"Id": "1", "UserName": USER}]}
    emulator = create_enreach_emulator(data=data, clock=lambda: NOW)
    emulator.tables["users"][0]["Id"] = "2"

    assert data == {"users": [{"Id": "1", "UserName": USER}]}
    assert (emulator.tables["queues"], emulator.tables["credentials"]) == ([], load_sample()["credentials"])


def test_unknown_tables_are_refused() -> None:
    """A misspelt table is not silently empty."""
    with pytest.raises(ValueError, match="Unknown tables: user"):
        create_enreach_emulator(data={"user": []}, clock=lambda: NOW)


def test_sample_holds_every_case_of_matching() -> None:
    """The sample has an ambiguous address, distinct ids and queues of every type."""
    sample = load_sample()
    addresses = [row["UserName"].casefold() for row in sample["users"]]

    assert len({row["Id"] for row in sample["users"]}) == len(sample["users"]) == 13
    assert sorted(addresses.count(address) for address in set(addresses)) == [1] * 11 + [2]
    assert {row["TypeId"] for row in sample["queues"]} == {1, 2, 4, 5, 6, 7}
    assert any(row["Status"] is None for row in sample["queues"])
