"""The endpoints under `/_emulator/` show and change what the emulator does."""

import httpx

from app.emulators.dataverse import DataverseEmulator, RecordedRequest

QUERY = "$filter=mobilephone%20eq%20'%2B358501234567'"


async def test_requests_are_recorded_without_their_token(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, emulator: DataverseEmulator
) -> None:
    """Method, path, decoded query and headers, in process and over HTTP alike."""
    await api.get(f"contacts?{QUERY}", headers={"Prefer": "odata.maxpagesize=5"})

    [recorded] = emulator.requests
    shown = (await stranger.get("/_emulator/requests")).json()

    assert recorded == RecordedRequest(
        at="2026-06-01T12:00:00Z",
        method="GET",
        path="/api/data/v9.2/contacts",
        query="$filter=mobilephone eq '+358501234567'",
        options={"$filter": "mobilephone eq '+358501234567'"},
        headers={
            "host": "org.example",
            "accept": "*/*",
            "accept-encoding": recorded.headers["accept-encoding"],
            "connection": "keep-alive",
            "user-agent": recorded.headers["user-agent"],
            "authorization": "(hidden)",
            "prefer": "odata.maxpagesize=5",
        },
    )
    assert [(request["method"], request["query"]) for request in shown] == [("GET", recorded.query)]


async def test_the_log_can_be_cleared(api: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    """Afterwards only new requests are there."""
    await api.get("WhoAmI")
    await stranger.delete("/_emulator/requests")

    assert (await stranger.get("/_emulator/requests")).json() == []


async def test_the_state_counts_rows_and_requests(api: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    """A test can see at a glance what the emulator holds and got."""
    await api.get("WhoAmI")

    state = (await stranger.get("/_emulator/state")).json()

    assert state["rows"]["contacts"] == 3
    assert state["requests"] == {"GET /api/data/v9.2/WhoAmI": 1}
    assert (state["in_flight"], state["most_in_flight"]) == (0, 1)


async def test_faults_are_put_shown_and_cleared(api: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    """A fault in force hits the next requests until it is used up or cleared."""
    put = await stranger.put("/_emulator/faults", json=[{"kind": "status", "status": 503, "times": 2}])
    first = await api.get("WhoAmI")
    cleared = await stranger.delete("/_emulator/faults")
    second = await api.get("WhoAmI")

    assert [fault["kind"] for fault in put.json()] == ["status"]
    assert (first.status_code, cleared.status_code, second.status_code) == (503, 204, 200)


async def test_a_fault_it_does_not_know_is_refused(stranger: httpx.AsyncClient) -> None:
    """A misspelt kind or key says where."""
    response = await stranger.put("/_emulator/faults", json=[{"kind": "explode", "tims": 1}])

    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["errors"]] == [[0, "kind"], [0, "tims"]]


async def test_the_clock_can_be_put_wrong(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, emulator: DataverseEmulator
) -> None:
    """Tokens are judged and issued by the organisation's own clock, however far it is from everybody else's."""
    put = await stranger.put("/_emulator/clock", json={"ahead_seconds": 7200})
    expired = await api.get("WhoAmI")
    renewed = await api.get("WhoAmI", headers={"Authorization": f"Bearer {emulator.issue_token()}"})
    await stranger.put("/_emulator/clock", json={"ahead_seconds": 0})
    again = await api.get("WhoAmI")
    refused = await stranger.put("/_emulator/clock", json={"ahead_seconds": "soon"})

    assert put.json() == {"ahead_seconds": 7200, "now": "2026-06-01T14:00:00Z"}
    assert [answer.status_code for answer in (expired, renewed, again, refused)] == [401, 200, 200, 422]
    assert (await stranger.get("/_emulator/clock")).json()["ahead_seconds"] == 0
