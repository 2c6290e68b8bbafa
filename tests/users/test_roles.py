"""The three roles of Voice, assigned and removed one by one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.organisation import NOORA, Organisation, open_organisation

HARRI = "50000000-0000-4000-8000-000000000011"
"""Disabled in Dynamics, with role and id."""
APPLICATION = "50000000-0000-4000-8000-000000000090"
NOORA_IN_ENREACH = "c2b7d0d4-6a43-5b0e-9e0b-3f6f5a1d7713"


@pytest.fixture
async def organisation(where: dict[str, Any], tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation, once for each place where ids may be kept."""
    async with open_organisation(tmp_path, **where) as organisation:
        yield organisation


@pytest.fixture
async def sample(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation with ids in columns."""
    async with open_organisation(tmp_path) as organisation:
        yield organisation


async def test_roles_that_are_not_of_voice_are_refused(sample: Organisation) -> None:
    """No other role can be assigned or removed, and nothing is sent."""
    statuses = {
        (await sample.send(method, f"/admin/users/{NOORA}/roles/{role}")).status_code
        for method in ("PUT", "DELETE")
        for role in ("System Administrator", "System Customizer", "Delegate")
    }

    assert (statuses, sample.count_writes()) == ({422}, 0)


async def test_each_role_is_for_its_kind_of_user(sample: Organisation) -> None:
    """Voice ApiUser is for application users only, the others for humans whose account is active."""
    expected = {
        (NOORA, "Voice ApiUser"): 409,
        (APPLICATION, "Voice User"): 409,
        (APPLICATION, "Voice Admin User"): 409,
        (APPLICATION, "Voice ApiUser"): 200,
        (NOORA, "Voice Admin User"): 200,
        (HARRI, "Voice User"): 409,
    }

    found = {
        (user, role): (await sample.send("PUT", f"/admin/users/{user}/roles/{role}")).status_code
        for user, role in expected
    }

    assert found == expected


async def test_assigning_voice_user_updates_the_id_and_says_how(organisation: Organisation) -> None:
    """A silent Enreach does not undo the role, and the answer tells that the id is still to be done."""
    organisation.enreach.faults.add(Fault(kind=FaultKind.STATUS, status=401, times=1))
    role = f"/admin/users/{NOORA}/roles/Voice User"

    silent = (await organisation.send("PUT", role)).json()
    other = (await organisation.send("PUT", f"/admin/users/{NOORA}/roles/Voice Admin User")).json()
    again = (await organisation.send("PUT", role)).json()

    assert (silent["changed"], silent["id_update"]["outcome"]) == (True, "failed")
    assert "Enreach" in silent["id_update"]["reason"]
    assert (other["changed"], other["id_update"]) == (True, None)
    assert (again["changed"], again["id_update"]["outcome"]) == (False, "matched")
    assert (await organisation.show(NOORA))["enreach_user_id"] == NOORA_IN_ENREACH


async def test_role_changes_are_audited_with_before_and_after(sample: Organisation) -> None:
    """Who, what, whom, before and after; a change that changed nothing leaves no record."""
    await sample.send("PUT", f"/admin/users/{NOORA}/roles/Voice Admin User")
    await sample.send("PUT", f"/admin/users/{NOORA}/roles/Voice Admin User")
    await sample.send("DELETE", f"/admin/users/{NOORA}/roles/Voice Admin User")

    items = (await sample.get("/admin/audit", target=f"user/{NOORA}")).json()["items"]
    assert [(item["who"], item["what"], item["before"]["roles"], item["after"]["roles"]) for item in items] == [
        ("anna", "role.removed", ["Voice Admin User, held directly"], []),
        ("anna", "role.assigned", [], ["Voice Admin User, held directly"]),
    ]


async def test_a_role_that_is_not_held_is_not_removed(sample: Organisation) -> None:
    """Removing it changes nothing, sends nothing and leaves no record."""
    answer = (await sample.send("DELETE", f"/admin/users/{NOORA}/roles/Voice Admin User")).json()

    assert (answer["changed"], answer["before"], answer["after"]) == (False, [], [])
    assert (sample.count_writes(), await sample.list_audit()) == (0, [])


async def test_assigning_voice_user_overwrites_no_id(sample: Organisation) -> None:
    """Another id than the one Enreach has for the address stays, and the answer says that the two differ."""
    other = "00000000-0000-4000-8000-00000000abcd"
    (row,) = (row for row in sample.dataverse.tables.rows("systemusers") if row["systemuserid"] == NOORA)
    sample.dataverse.tables.store("systemusers", {**row, "new_enreachuserid": other})

    answer = (await sample.send("PUT", f"/admin/users/{NOORA}/roles/Voice User")).json()

    assert (answer["changed"], answer["id_update"]["outcome"]) == (True, "conflict")
    assert (await sample.show(NOORA))["enreach_user_id"] == other


async def test_confirmations_are_audited_with_who_confirmed_before(sample: Organisation) -> None:
    """Nobody at first, whoever it was later, and nobody again once it is taken back."""
    path = f"/admin/users/{NOORA}/confirmations/web-phone"
    for body in ({}, {"note": "seen"}, {"confirmed": False}):
        assert (await sample.send("PUT", path, body)).status_code in {200, 204}

    items = (await sample.get("/admin/audit", target=f"user/{NOORA}")).json()["items"]
    assert [(item["what"], item["before"], item["after"]) for item in reversed(items)] == [
        ("readiness.confirmed", None, {"web_phone_role": "anna"}),
        ("readiness.confirmed", {"web_phone_role": "anna"}, {"web_phone_role": "anna"}),
        ("readiness.unconfirmed", {"web_phone_role": "anna"}, None),
    ]
