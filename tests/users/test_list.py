"""Who may look for users, and how they are found."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.organisation import NOORA, Organisation, open_organisation
from tests.support.service import PROGRAM_KEY, USER_KEY


@pytest.fixture
async def sample(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation with ids in columns."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def test_every_user_is_listed_once_over_all_pages(sample: Organisation) -> None:
    """Pages follow each other by an opaque cursor, and a page asks Enreach once."""
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 5}
    pages = 0
    while True:
        page = (await sample.get("/admin/users", **query)).json()
        seen += [item["id"] for item in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        query["after"] = page["next"]

    assert (len(seen), len(set(seen)), pages) == (14, 14, 3)
    assert [request.path for request in sample.enreach.requests] == ["/users"] * 3


async def test_a_made_up_cursor_is_refused(sample: Organisation) -> None:
    """A cursor cannot smuggle another question into Dataverse."""
    cursors = ["x", "ä", "JiRmaWx0ZXI9MQ==", "IA==", "Ly4uL2NvbnRhY3Rz"]

    statuses = [(await sample.get("/admin/users", after=cursor)).status_code for cursor in cursors]

    assert statuses == [422] * len(cursors)
    assert not any("contacts" in request.path for request in sample.dataverse.requests)


async def test_search_finds_part_of_a_name_or_address(sample: Organisation) -> None:
    """Wildcards of the database stand for themselves."""
    expected = {"laakso": ["Noora Laakso"], "LOTTA@": ["Lotta Jansson"], "100%": [], "o'brien": [], "_____": []}

    found = {
        text: [item["name"] for item in (await sample.get("/admin/users", search=text)).json()["items"]]
        for text in expected
    }

    assert found == expected


async def test_looking_at_users_leaves_calls_their_requests(tmp_path: Path) -> None:
    """Whoever asks too often is told when to come again, while calls are still answered from Dynamics."""
    async with open_organisation(tmp_path, dataverse={"requests_per_5_minutes": 50}) as organisation:
        for _ in range(50):
            answer = await organisation.get("/admin/users", limit=1)
            if answer.status_code != 200:
                break
        facts = (await organisation.service.simulate(call={"anum": "+358501234567"})).json()["facts"]

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:smartrouting:problem:request-budget-spent")
    assert len(organisation.dataverse.requests) > 40
    assert facts["caller.status"] == "identified"


async def test_each_role_sees_what_it_may(sample: Organisation) -> None:
    """A program reads, an end user sees only themselves, a stranger nothing."""
    expected = {
        (PROGRAM_KEY, "/admin/users"): 200,
        (PROGRAM_KEY, "/admin/audit"): 403,
        (PROGRAM_KEY, "/admin/keys"): 403,
        (PROGRAM_KEY, "/admin/jobs"): 403,
        (PROGRAM_KEY, "/admin/authentication"): 200,
        (USER_KEY, "/admin/users"): 403,
        (USER_KEY, f"/admin/users/{NOORA}"): 403,
        (USER_KEY, "/admin/authentication"): 403,
        (USER_KEY, "/admin/me"): 200,
        (USER_KEY, "/admin/me/readiness"): 404,
        ("stranger", "/admin/users"): 401,
    }

    found = {(key, path): (await sample.get(path, key=key)).status_code for key, path in expected}

    assert found == expected


async def test_only_administrators_change_anything(sample: Organisation) -> None:
    """Neither programs nor end users do, whatever else is wrong with their request."""
    changes = [
        ("POST", f"/admin/users/{NOORA}/enable"),
        ("POST", f"/admin/users/{NOORA}/disable"),
        ("PUT", f"/admin/users/{NOORA}/roles/Voice Admin User"),
        ("PUT", f"/admin/users/{NOORA}/enreach-email"),
        ("PUT", f"/admin/users/{NOORA}/enreach-id"),
        ("PUT", f"/admin/users/{NOORA}/confirmations/web-phone"),
        ("PUT", "/admin/users/confirmations/web-phone"),
        ("POST", "/admin/users/enreach-ids"),
        ("POST", "/admin/users/bulk-enable"),
        ("POST", "/admin/users/bulk-disable"),
        ("POST", "/admin/users/bulk-csv"),
        ("POST", "/admin/keys"),
        ("DELETE", "/admin/keys/x"),
        ("PUT", "/admin/authentication"),
        ("POST", "/admin/authentication/check"),
        ("PUT", "/admin/authentication/steps/reload"),
    ]

    statuses = {
        (await sample.send(method, path, {}, key=key)).status_code
        for method, path in changes
        for key in (PROGRAM_KEY, USER_KEY)
    }

    assert (statuses, sample.count_writes()) == ({403}, 0)
