"""The steps of enabling and disabling one user, each with what it must not do."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.organisation import NOORA, Organisation, open_organisation

AINO = "50000000-0000-4000-8000-000000000001"
"""Has Voice User directly, and a profile."""
OSKARI = "50000000-0000-4000-8000-000000000006"
"""In the team of an Entra group that carries Voice User."""
VILLE = "50000000-0000-4000-8000-000000000010"
"""Twice in Enreach, and without any role of Voice."""
HARRI = "50000000-0000-4000-8000-000000000011"
"""Disabled in Dynamics, with role and id."""
KEY_ACCOUNTS = "70000000-0000-4000-8000-000000000003"
"""A team managed in Dynamics that carries no role of Voice in the sample."""
ENTRA_TEAM = "70000000-0000-4000-8000-000000000004"
VOICE_USER, VOICE_ADMIN_USER = "d0000000-0000-4000-8000-000000000003", "d0000000-0000-4000-8000-000000000005"
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


def carry(organisation: Organisation, role: str) -> None:
    """Let the team Key Accounts carry a role."""
    row = {"teamroleid": "73000000-0000-4000-8000-000000000009", "teamid": KEY_ACCOUNTS, "roleid": role}
    organisation.dataverse.tables.store("teamrolescollection", row)


def read_steps(changed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the name and state of each step."""
    return [(step["name"], step["state"]) for step in changed["steps"]]


async def test_no_id_is_set_when_the_role_could_not_be_given(organisation: Organisation) -> None:
    """An id alone would make Enreach show a user as theirs who cannot use Voice."""
    organisation.dataverse.faults.add(
        Fault(kind=FaultKind.STATUS, status=503, mentions="systemuserroles_association/$ref")
    )

    changed = await organisation.change(NOORA, "enable", {})

    assert (changed["state"], read_steps(changed)) == ("incomplete", [("role", "failed"), ("enreach_id", "skipped")])
    assert (await organisation.show(NOORA))["enreach_user_id"] is None
    assert await organisation.list_audit() == []


async def test_a_team_is_joined_although_the_role_is_held_otherwise(sample: Organisation) -> None:
    """Whoever asks for the team wants membership, which outlives a direct assignment; a second time it is there."""
    carry(sample, VOICE_USER)
    await sample.change(NOORA, "enable", {})

    joined = await sample.change(NOORA, "enable", {"team_id": KEY_ACCOUNTS})
    again = await sample.change(NOORA, "enable", {"team_id": KEY_ACCOUNTS})

    assert (joined["state"], read_steps(joined)) == ("changed", [("team", "done"), ("enreach_id", "already")])
    assert [role["team"] for role in joined["user"]["roles"]] == [None, "Key Accounts"]
    assert (again["state"], again["steps"][0]) == (
        "unchanged",
        {"name": "team", "state": "already", "reason": "Voice User through the team Key Accounts"},
    )


@pytest.mark.parametrize(
    ("team", "carried", "reason"),
    [
        ("70000000-0000-4000-8000-000000000099", None, "Not found: there is no such team, or it carries no role"),
        (KEY_ACCOUNTS, None, "Not found: there is no such team, or it carries no role"),
        (KEY_ACCOUNTS, VOICE_ADMIN_USER, "Conflict: the team Key Accounts does not carry Voice User"),
    ],
    ids=["unknown", "without a role", "with another role"],
)
async def test_a_team_that_does_not_give_voice_is_refused(
    sample: Organisation, team: str, carried: str | None, reason: str
) -> None:
    """The step says why, and nothing is sent."""
    if carried is not None:
        carry(sample, carried)

    changed = await sample.change(NOORA, "enable", {"team_id": team})

    assert read_steps(changed) == [("team", "failed"), ("enreach_id", "skipped")]
    assert changed["steps"][0]["reason"].startswith(reason)
    assert sample.count_writes() == 0


async def test_the_address_given_with_enabling_finds_the_id(tmp_path: Path) -> None:
    """It is set before the id is looked for, in whatever case; a second time it stands there already."""
    users = [{"Id": NOORA_IN_ENREACH, "UserName": "Noora.Laakso@Voice.example"}]
    async with open_organisation(tmp_path, enreach_users=users) as organisation:
        body = {"enreach_email": "NOORA.laakso@voice.EXAMPLE"}
        enabled = await organisation.change(NOORA, "enable", body)
        again = await organisation.change(NOORA, "enable", {"enreach_email": "noora.laakso@voice.example"})
        audit = await organisation.list_audit()

    assert read_steps(enabled) == [("enreach_email", "done"), ("role", "done"), ("enreach_id", "done")]
    assert (enabled["user"]["enreach_email"], enabled["user"]["enreach_user_id"]) == (
        "NOORA.laakso@voice.EXAMPLE",
        NOORA_IN_ENREACH,
    )
    assert (again["state"], {state for _, state in read_steps(again)}) == ("unchanged", {"already"})
    assert [(what, target) for _, what, target in audit] == [
        ("enreach_email.set", f"user/{NOORA}"),
        ("role.assigned", f"user/{NOORA}"),
        ("enreach_ids.updated", f"user/{NOORA}"),
    ]


async def test_an_address_that_cannot_be_kept_leaves_the_id_alone(tmp_path: Path) -> None:
    """Without a column for addresses the step fails and says so; the role is given, the id is not guessed."""
    async with open_organisation(tmp_path, dataverse={"agent_email_column": None}) as organisation:
        changed = await organisation.change(NOORA, "enable", {"enreach_email": "noora@voice.example"})

    assert read_steps(changed) == [("enreach_email", "failed"), ("role", "done"), ("enreach_id", "skipped")]
    assert "SMARTROUTING_DATAVERSE__AGENT_EMAIL_COLUMN" in changed["steps"][0]["reason"]
    assert (changed["user"]["enreach_email"], changed["user"]["enreach_user_id"]) == (None, None)


async def test_only_teams_managed_in_dynamics_are_left(sample: Organisation) -> None:
    """The team of an Entra group stays, is never asked for, and is named as what still gives Voice; so a dry run."""
    carry(sample, VOICE_USER)
    joined = await sample.change(OSKARI, "enable", {"team_id": KEY_ACCOUNTS})
    planned = await sample.change(OSKARI, "disable", {"leave_teams": True}, dry_run=True)
    kept = await sample.change(OSKARI, "disable", {})
    disabled = await sample.change(OSKARI, "disable", {"leave_teams": True})

    removed = [request.path for request in sample.dataverse.requests if request.method == "DELETE"]
    assert read_steps(joined)[0] == ("team", "done")
    assert [read_steps(each) for each in (planned, kept, disabled)] == [
        [("role", "already"), ("team", "planned"), ("enreach_id", "planned")],
        [("role", "already"), ("enreach_id", "done")],
        [("role", "already"), ("team", "done"), ("enreach_id", "already")],
    ]
    assert [sorted(role["team_id"] for role in each["still_granted_by"]) for each in (planned, kept, disabled)] == [
        [ENTRA_TEAM],
        sorted([ENTRA_TEAM, KEY_ACCOUNTS]),
        [ENTRA_TEAM],
    ]
    assert [KEY_ACCOUNTS in path for path in removed] == [True]


async def test_leaving_profiles_is_audited_with_before_and_after(sample: Organisation) -> None:
    """CIF2 users leave their agent experience profiles; the record says which, and CIF1 users keep theirs."""
    kept = await sample.change(AINO, "disable", {})
    disabled = await sample.change(AINO, "disable", {"client": "cif2"})
    again = await sample.change(AINO, "disable", {"client": "cif2"})

    name = kept["user"]["profiles"][0]["name"]
    items = (await sample.get("/admin/audit", target=f"user/{AINO}")).json()["items"]
    assert disabled["steps"][-1] == {"name": "profile", "state": "done", "reason": name}
    assert (disabled["user"]["profiles"], again["state"]) == ([], "unchanged")
    assert [
        (item["what"], item["before"]["profiles"], item["after"]["profiles"])
        for item in items
        if item["what"] == "profile.left"
    ] == [("profile.left", [name], [])]


def swallow(method: str, part: str) -> Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]:
    """Answer such requests as if they were done, and do not pass them on."""

    class Swallowing(httpx.AsyncBaseTransport):
        def __init__(self, network: httpx.AsyncBaseTransport) -> None:
            self._network = network

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == method and part in request.url.path:
                return httpx.Response(204, request=request)
            return await self._network.handle_async_request(request)

    return Swallowing


@pytest.mark.parametrize(
    ("part", "step"),
    [
        ("msdyn_appconfiguration_systemuser", "profile"),
        ("systemuserroles_association", "role"),
    ],
)
async def test_what_is_still_there_after_removing_it_is_no_success(tmp_path: Path, part: str, step: str) -> None:
    """Dataverse says yes and does nothing: the step failed, and nothing of it is recorded."""
    async with open_organisation(tmp_path, through=swallow("DELETE", part)) as organisation:
        changed = await organisation.change(AINO, "disable", {"client": "cif2"})
        audit = await organisation.list_audit()

    failed = [each for each in changed["steps"] if each["state"] == "failed"]
    assert (changed["state"], [each["name"] for each in failed]) == ("incomplete", [step])
    assert failed[0]["reason"].startswith("Change not verified: ")
    assert [what for _, what, _ in audit if what.startswith(step)] == []


async def test_a_profile_that_was_not_joined_is_no_success(tmp_path: Path) -> None:
    """Dataverse says yes and does nothing: the step failed, and nothing of it is recorded."""
    way = swallow("POST", "msdyn_appconfiguration_systemuser")
    voice = {"framework": "cif2", "agent_profiles": ["Voice agents"]}
    async with open_organisation(tmp_path, through=way, voice=voice) as organisation:
        await organisation.change(AINO, "disable", {})
        enabled = await organisation.change(AINO, "enable", {})
        audit = await organisation.list_audit()

    assert read_steps(enabled)[-1] == ("profile", "failed")
    assert enabled["steps"][-1]["reason"].startswith("Change not verified: ")
    assert [what for _, what, _ in audit if what == "profile.joined"] == []


async def test_the_roles_of_a_disabled_account_are_not_touched(sample: Organisation) -> None:
    """Dynamics lets nobody change them; it is said before anything is sent, and foreseen by a dry run."""
    answer = await sample.send("DELETE", f"/admin/users/{HARRI}/roles/Voice User")
    planned = await sample.change(HARRI, "disable", {}, dry_run=True)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:smartrouting:problem:role-refused")
    assert "enable it first" in answer.json()["detail"]
    assert read_steps(planned) == [("role", "failed"), ("enreach_id", "planned")]
    assert (sample.count_writes(), await sample.list_audit()) == (0, [])


@pytest.mark.parametrize("holder", ["active", "disabled"])
async def test_an_id_that_another_active_user_has_is_not_given_twice(
    where: dict[str, Any], tmp_path: Path, holder: str
) -> None:
    """Calls for both would go to one agent: the rightful holder keeps it, unless their account is disabled."""
    users = [{"Id": NOORA_IN_ENREACH, "UserName": "shared@voice.example"}]
    async with open_organisation(tmp_path, enreach_users=users, **where) as organisation:
        shared = {"enreach_email": "shared@voice.example"}
        first = await organisation.send("PUT", f"/admin/users/{NOORA}/enreach-email", shared)
        if holder == "disabled":
            rows = organisation.dataverse.tables.rows("systemusers")
            row = next(row for row in rows if row["systemuserid"] == NOORA)
            organisation.dataverse.tables.store("systemusers", {**row, "isdisabled": True})
        second = await organisation.change(VILLE, "enable", shared)
        kept = (await organisation.show(NOORA))["enreach_user_id"]

    assert first.json()["outcome"] == "matched"
    assert kept == NOORA_IN_ENREACH
    expected = ("failed", None) if holder == "active" else ("done", NOORA_IN_ENREACH)
    assert (second["steps"][-1]["state"], second["user"]["enreach_user_id"]) == expected


async def test_the_rightful_holder_keeps_the_id_when_many_are_updated(organisation: Organisation) -> None:
    """Whoever has the id already is right; whoever else fits it is ambiguous, also when Dynamics is asked for both."""
    await organisation.run("/admin/users/enreach-ids", {"users": [NOORA]})
    await organisation.send(
        "PUT", f"/admin/users/{OSKARI}/enreach-email", {"enreach_email": "noora.laakso@contoso.example"}
    )

    job = await organisation.run("/admin/users/enreach-ids", {"users": [NOORA, OSKARI], "overwrite": True})

    outcomes = {row["user_id"]: row["outcome"] for row in job["result"]["users"]}
    assert outcomes == {NOORA: "already_right", OSKARI: "ambiguous"}
    assert (await organisation.show(NOORA))["enreach_user_id"] == NOORA_IN_ENREACH


async def test_addresses_match_in_whatever_case(tmp_path: Path) -> None:
    """Capitals in Dynamics, in the override or in Enreach make no difference, for the id and for the checklist."""
    tables = {
        "systemusers": [
            {"systemuserid": user, "internalemailaddress": email, "new_enreachuserid": None, "new_enreachemail": other}
            for user, email, other in [
                (NOORA, "NOORA.Laakso@Contoso.Example ", None),
                (VILLE, "elsewhere@contoso.example", "VILLE@Voice.Example"),
            ]
        ],
        "roles": [{"roleid": VOICE_USER, "name": "Voice User"}],
    }
    users = [
        {"Id": NOORA_IN_ENREACH.upper(), "UserName": "noora.laakso@contoso.example"},
        {"Id": "e0000000-0000-4000-8000-000000000001", "UserName": "Ville@voice.example"},
    ]
    async with open_organisation(tmp_path, tables=tables, enreach_users=users) as organisation:
        job = await organisation.run("/admin/users/enreach-ids", {"users": [NOORA, VILLE]})
        states = [(await organisation.judge(user))["enreach_active"] for user in (NOORA, VILLE)]

    found = {row["user_id"]: (row["outcome"], row["matched_by"]) for row in job["result"]["users"]}
    assert found == {NOORA: ("matched", "email"), VILLE: ("matched", "override")}
    assert states == ["ok", "ok"]
