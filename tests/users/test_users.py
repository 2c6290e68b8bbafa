"""Users through the front door: checklist, enable, disable."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.organisation import NOORA, Organisation, open_organisation

KAISA = "50000000-0000-4000-8000-000000000009"
"""In a team of an Entra group that carries Voice User."""
VILLE = "50000000-0000-4000-8000-000000000010"
"""Twice in Enreach."""
HARRI = "50000000-0000-4000-8000-000000000011"
"""Disabled in Dynamics, with role and id."""
LOTTA = "50000000-0000-4000-8000-000000000007"
"""In the Swedish business unit, with an override."""
ENTRA_TEAM = "70000000-0000-4000-8000-000000000004"
VOICE_USER_ROLE = "d0000000-0000-4000-8000-000000000003"
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


def red(items: dict[str, str]) -> set[str]:
    """Return what is missing."""
    return {item for item, state in items.items() if state == "missing"}


async def test_a_new_user_is_enabled_updated_and_disabled_again(organisation: Organisation) -> None:
    """The administrator's story from two missing items to none and back, without the profile at the end."""
    before = await organisation.judge(NOORA)
    listed = (await organisation.get("/admin/users", search="laakso")).json()["items"]
    await organisation.send("PUT", "/admin/users/confirmations/web-phone", {"note": "all roles have it"})
    await organisation.send("PUT", "/admin/users/confirmations/default-assignee", {})

    enabled = await organisation.change(NOORA, "enable", {})
    update = await organisation.run("/admin/users/enreach-ids", {"users": [NOORA]})
    ready = await organisation.show(NOORA)
    disabled = await organisation.change(NOORA, "disable", {"client": "cif2"})

    assert red(before) == {"voice_user_role", "enreach_user_id"}
    assert [(user["id"], set(user["missing"])) for user in listed] == [(NOORA, red(before))]
    assert (enabled["state"], [step["state"] for step in enabled["steps"]]) == ("changed", ["done", "done"])
    assert update["result"]["counts"] == {"already_right": 1}
    assert (ready["ready"], ready["ready_for_enterprise_calls"], ready["missing"]) == (True, True, [])
    assert ready["enreach_user_id"] == NOORA_IN_ENREACH
    assert (disabled["state"], disabled["still_granted_by"]) == ("changed", [])
    assert (disabled["user"]["profiles"], disabled["user"]["enreach_user_id"]) == ([], None)


async def test_enabling_twice_changes_nothing_the_second_time(organisation: Organisation) -> None:
    """A repeated enable sends no write and leaves no further audit record."""
    await organisation.change(NOORA, "enable", {})
    records = await organisation.list_audit()
    written = organisation.count_writes()

    again = await organisation.change(NOORA, "enable", {})

    assert (again["state"], await organisation.list_audit(), organisation.count_writes()) == (
        "unchanged",
        records,
        written,
    )


async def test_a_dry_run_tells_and_changes_nothing(organisation: Organisation) -> None:
    """Planned steps are named; nothing is written and nothing recorded."""
    enable = await organisation.change(NOORA, "enable", {"enreach_email": "noora@enreach.example"}, dry_run=True)
    disable = await organisation.change(LOTTA, "disable", {"client": "cif2"}, dry_run=True)

    assert [(step["name"], step["state"]) for step in enable["steps"]] == [
        ("enreach_email", "planned"),
        ("role", "planned"),
        ("enreach_id", "planned"),
    ]
    assert disable["state"] == "planned"
    assert (organisation.count_writes(), await organisation.list_audit()) == (0, [])


async def test_the_role_copy_of_the_users_business_unit_is_assigned(sample: Organisation) -> None:
    """A user of a branch gets the branch's copy, and losing it leaves the other copies alone."""
    await sample.change(LOTTA, "disable", {})

    enabled = await sample.change(LOTTA, "enable", {})

    links = sample.dataverse.tables.rows("systemuserrolescollection")
    held = [link["roleid"] for link in links if link["systemuserid"] == LOTTA]
    assert (enabled["state"], held) == ("changed", ["d0000000-0000-4000-8000-000000000103"])


async def test_disabling_names_the_team_that_still_grants_voice(sample: Organisation) -> None:
    """Success is not claimed while a group of Entra ID brings the role."""
    changed = await sample.change(KAISA, "disable", {"leave_teams": True})

    assert changed["state"] == "incomplete"
    assert changed["still_granted_by"] == [
        {
            "name": "Voice User",
            "team": "Voice Users (Entra group)",
            "team_id": ENTRA_TEAM,
            "team_managed_in_entra": True,
        }
    ]


async def test_disabling_names_an_equivalent_role_that_still_grants_voice(tmp_path: Path) -> None:
    """A custom role named in the settings counts as Voice User for the checklist and for disabling."""
    equivalent = {"equivalent_roles": ["customer service representative"]}
    async with open_organisation(tmp_path, voice=equivalent) as organisation:
        states = await organisation.judge(VILLE)
        changed = await organisation.change(VILLE, "disable", {})

    assert states["voice_user_role"] == "ok"
    assert (changed["state"], [role["name"] for role in changed["still_granted_by"]]) == (
        "incomplete",
        ["customer service representative"],
    )


async def test_a_team_that_carries_the_role_enables(sample: Organisation) -> None:
    """Joining a team managed in Dynamics grants the role, leaving it takes it away again."""
    team = "70000000-0000-4000-8000-000000000003"
    sample.dataverse.tables.store(
        "teamrolescollection",
        {"teamroleid": "73000000-0000-4000-8000-000000000009", "teamid": team, "roleid": VOICE_USER_ROLE},
    )

    enabled = await sample.change(NOORA, "enable", {"team_id": team})
    disabled = await sample.change(NOORA, "disable", {"leave_teams": True})

    assert [(step["name"], step["state"]) for step in enabled["steps"]] == [("team", "done"), ("enreach_id", "done")]
    assert enabled["user"]["roles"][0]["team"] == "Key Accounts"
    assert (disabled["state"], disabled["still_granted_by"]) == ("changed", [])


async def test_an_entra_team_is_not_joined_here(sample: Organisation) -> None:
    """The members of such a team are decided in Entra ID, and the step says so."""
    changed = await sample.change(NOORA, "enable", {"team_id": ENTRA_TEAM})

    assert [(step["name"], step["state"]) for step in changed["steps"]] == [
        ("team", "failed"),
        ("enreach_id", "skipped"),
    ]
    assert "Entra ID" in changed["steps"][0]["reason"]


async def test_a_disabled_account_is_reported_and_not_changed(sample: Organisation) -> None:
    """Dynamics lets nobody change the roles of a disabled user; the id goes all the same."""
    changed = await sample.change(HARRI, "disable", {})

    assert changed["state"] == "incomplete"
    assert [(step["name"], step["state"]) for step in changed["steps"]] == [("role", "failed"), ("enreach_id", "done")]
    assert (await sample.judge(HARRI))["dynamics_active"] == "missing"


async def test_a_failure_between_role_and_id_shows_in_the_checklist(organisation: Organisation) -> None:
    """The state it leaves is told truthfully, and repeating completes it."""
    organisation.enreach.faults.add(Fault(kind=FaultKind.STATUS, status=401, times=2))

    half = await organisation.change(NOORA, "enable", {})
    between = await organisation.judge(NOORA)
    whole = await organisation.change(NOORA, "enable", {})

    assert [(step["name"], step["state"]) for step in half["steps"]] == [("role", "done"), ("enreach_id", "failed")]
    assert (between["voice_user_role"], between["enreach_user_id"]) == ("ok", "missing")
    assert [(step["name"], step["state"]) for step in whole["steps"]] == [("role", "already"), ("enreach_id", "done")]


async def test_an_answer_lost_on_the_way_does_not_hide_a_change(sample: Organisation) -> None:
    """When Dataverse made the change and the answer broke, reading back counts."""
    sample.dataverse.faults.add(
        Fault(kind=FaultKind.RESET_MID_BODY, table="systemusers", mentions="systemuserroles_association/$ref", times=1)
    )

    changed = await sample.change(NOORA, "enable", {})

    links = sample.dataverse.tables.rows("systemuserrolescollection")
    assert [step["state"] for step in changed["steps"]] == ["done", "done"]
    assert [link["roleid"] for link in links if link["systemuserid"] == NOORA] == [VOICE_USER_ROLE]


class Forgetful(httpx.AsyncBaseTransport):
    """Says that roles were assigned, and does not pass it on."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("systemuserroles_association/$ref"):
            return httpx.Response(204, request=request)
        return await self._network.handle_async_request(request)


async def test_a_change_that_reading_back_does_not_show_is_no_success(tmp_path: Path) -> None:
    """Dataverse says yes and does nothing: the step failed, and nothing is recorded."""
    async with open_organisation(tmp_path, through=Forgetful) as organisation:
        changed = await organisation.change(NOORA, "enable", {})
        audit = await organisation.list_audit()

    assert [(step["name"], step["state"]) for step in changed["steps"]] == [
        ("role", "failed"),
        ("enreach_id", "skipped"),
    ]
    assert "reading back" in changed["steps"][0]["reason"]
    assert audit == []


async def test_an_override_updates_the_id(organisation: Organisation) -> None:
    """Setting the address in Enreach matches at once; clearing it keeps the id."""
    await organisation.run("/admin/users/enreach-ids", {"users": [NOORA]})
    answer = await organisation.send(
        "PUT", f"/admin/users/{VILLE}/enreach-email", {"enreach_email": "noora.laakso@contoso.example"}
    )

    assert (answer.status_code, answer.json()["outcome"]) == (200, "ambiguous")
    assert (await organisation.show(VILLE))["enreach_email"] == "noora.laakso@contoso.example"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "noora",
        "@",
        "a@",
        "@b",
        "a b@c",
        "a@b@c",
        "a@b\n",
        " a@b",
        "a@b\x00",
        "a\x7f@b",
        "a\u200b@b",
        "A <a@b>",
        "a@b,c@d",
    ],
)
async def test_an_odd_address_is_refused_with_the_reason(sample: Organisation, address: str) -> None:
    """Wherever an address can be given; nothing is sent."""
    body = {"enreach_email": address}
    answers = [
        await sample.send("PUT", f"/admin/users/{NOORA}/enreach-email", body),
        await sample.send("POST", f"/admin/users/{NOORA}/enable", body),
        await sample.send("POST", "/admin/users/bulk-enable", {"users": [{"user": NOORA, **body}]}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert ["e-mail address has two parts" in answer.json()["errors"][0]["detail"] for answer in answers] == [True] * 3
    assert sample.count_writes() == 0


async def test_an_id_is_set_by_hand_only_when_enreach_knows_it(organisation: Organisation) -> None:
    """That is the way out of an ambiguous address."""
    unknown = {"enreach_user_id": "99999999-0000-4000-8000-000000000001"}
    known = {"enreach_user_id": "86657c0a-e50b-56e0-8722-9df3cdb7f2c2"}

    refused = await organisation.send("PUT", f"/admin/users/{VILLE}/enreach-id", unknown)
    accepted = await organisation.send("PUT", f"/admin/users/{VILLE}/enreach-id", known)

    assert (refused.status_code, accepted.status_code) == (404, 200)
    assert accepted.json()["enreach_user_id"] == known["enreach_user_id"]


async def test_an_unconfigured_enreach_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    """The checklist says unknown, the id update is a problem that names the settings, enabling is incomplete."""
    async with open_organisation(tmp_path, enreach={"url": None, "user": None, "secret": None}) as organisation:
        states = await organisation.judge(NOORA)
        update = await organisation.send("POST", "/admin/users/enreach-ids", {})
        enabled = await organisation.change(NOORA, "enable", {})

    assert (states["enreach_active"], states["enreach_user_id"]) == ("unknown", "missing")
    assert (update.status_code, update.json()["type"]) == (503, "urn:smartrouting:problem:enreach-not-configured")
    assert "SMARTROUTING_ENREACH__URL" in update.json()["detail"]
    assert (enabled["state"], [step["state"] for step in enabled["steps"]]) == ("incomplete", ["done", "failed"])


async def test_an_organisation_without_profiles_fails_nothing(sample: Organisation) -> None:
    """Where there is no such table profiles are null and CIF2 disabling has nothing to leave."""
    sample.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=404, table="msdyn_appconfigurations"))

    shown = await sample.show(NOORA)
    changed = await sample.change(NOORA, "disable", {"client": "cif2"})

    assert (shown["profiles"], changed["state"]) == (None, "unchanged")
