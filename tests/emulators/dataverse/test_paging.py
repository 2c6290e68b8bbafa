"""Pages follow each other by their next links, and by nothing else."""

from typing import Any

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator, create_dataverse_emulator, read_tables

TWO = {"Prefer": "odata.maxpagesize=2"}


@pytest.fixture
def document() -> dict[str, Any]:
    """Seven contacts."""
    return {"contacts": [{"firstname": f"N{number}", "lastname": "X"} for number in range(7)]}


async def read_all(api: httpx.AsyncClient, link: str | None, headers: dict[str, str]) -> list[list[str]]:
    pages = []
    while link:
        body = (await api.get(link, headers=headers)).json()
        pages.append([row["firstname"] for row in body["value"]])
        link = body.get("@odata.nextLink")
    return pages


@pytest.mark.parametrize("query", ["contacts?$select=firstname", "contacts?%24select=firstname&$orderby=firstname"])
async def test_next_links_lead_through_all_rows(api: httpx.AsyncClient, query: str) -> None:
    """Each row comes once, however the query was encoded."""
    assert await read_all(api, query, TWO) == [["N0", "N1"], ["N2", "N3"], ["N4", "N5"], ["N6"]]


async def test_top_is_ignored_with_a_page_size(api: httpx.AsyncClient) -> None:
    """`odata.maxpagesize` cancels `$top`."""
    assert len(await read_all(api, "contacts?$select=firstname&$top=3", TWO)) == 4


async def test_top_alone_gives_no_next_link(api: httpx.AsyncClient) -> None:
    """`$top` ends the reading."""
    assert "@odata.nextLink" not in (await api.get("contacts?$top=3")).json()


@pytest.mark.parametrize(
    ("edit", "headers"),
    [
        (("$select=firstname", "$select=lastname"), TWO),
        (("$skiptoken=%3Ccookie", "$skiptoken=cookie"), TWO),
        (("$skiptoken=", "%24skiptoken="), TWO),
        (("", ""), {"Prefer": "odata.maxpagesize=3"}),
        (("", ""), {}),
    ],
)
async def test_an_edited_next_link_is_refused(
    api: httpx.AsyncClient, edit: tuple[str, str], headers: dict[str, str]
) -> None:
    """The link must be followed verbatim and with the same `Prefer`."""
    link = (await api.get("contacts?$select=firstname", headers=TWO)).json()["@odata.nextLink"]

    response = await api.get(link.replace(*edit), headers=headers)

    assert response.status_code == 400


async def test_a_row_deleted_between_pages_hides_no_other(api: httpx.AsyncClient) -> None:
    """The reading goes on after the last row sent."""
    first = (await api.get("contacts?$select=firstname", headers=TWO)).json()
    await api.delete(f"contacts({first['value'][0]['contactid']})")

    assert await read_all(api, first["@odata.nextLink"], TWO) == [["N2", "N3"], ["N4", "N5"], ["N6"]]


async def test_five_thousand_rows_are_the_most(clock: Any) -> None:
    """Without any limit a page ends at 5,000, and a larger page size changes nothing."""
    rows = [{"lastname": str(number)} for number in range(5001)]
    emulator: DataverseEmulator = create_dataverse_emulator(data=read_tables({"contacts": rows}), clock=clock)
    headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
    root = "https://org.example/api/data/v9.2/"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url=root, headers=headers) as api:
        bodies = [
            (await api.get("contacts?$select=lastname&$count=true", headers=prefer)).json()
            for prefer in ({}, {"Prefer": "odata.maxpagesize=9000"})
        ]

    assert [(len(b["value"]), b["@odata.count"], "@odata.nextLink" in b) for b in bodies] == [(5000, 5000, True)] * 2
