"""What the check says about an organisation that is not set up right."""

import httpx
import pytest

from app.dataverse.check import CheckResult, check_organisation
from app.dataverse.connection import connect
from app.dataverse.credentials import build_fetch
from app.dataverse.errors import TokenRefusedError
from app.routing.callers import Selection
from app.settings import DataverseSettings, SettingsError, VipSettings, VoiceSettings
from tests.dataverse.wire import Wire, read_organisation

GOOD: dict[str, object] = {
    "v9.2": httpx.Response(401),
    "WhoAmI": {"UserId": "u1"},
    "Attributes": {
        "value": [
            {"LogicalName": name, "AttributeType": "String"}
            for name in ("mobilephone", "telephone1", "telephone2", "accountcategorycode")
        ]
    },
    "RetrieveUserPrivileges()": {
        "RolePrivileges": [
            {"PrivilegeName": f"prvRead{table}", "Depth": "Global"}
            for table in ("Contact", "Account", "User", "Incident")
        ]
    },
    "contacts": {"value": []},
    "accounts": {"value": []},
    "systemusers": {"value": []},
    "incidents": {"value": []},
    "roles": {"value": [{"name": name} for name in ("Voice User", "voice apiuser", "Voice Admin User")]},
    "EntityDefinitions(LogicalName='contact')": {"ChangeTrackingEnabled": True},
    "EntityDefinitions(LogicalName='account')": {"ChangeTrackingEnabled": True},
}
DENIED = httpx.Response(403, json={"error": {"code": "0x80040220", "message": "Principal is missing prvReadX"}})
NO_OTHERS = VoiceSettings()
ROLE = "give the role of the application user Read on this table at organisation level"


class DeadTokens:
    """Never has a token."""

    async def get(self) -> str:
        raise TokenRefusedError("no token: AADSTS7000222: the client secret has expired")

    async def renew(self, rejected: str) -> str:
        return rejected


async def check(
    selection: Selection, changes: dict[str, object], *, voice: VoiceSettings = NO_OTHERS, **settings: object
) -> list[CheckResult]:
    answers = {**GOOD, **changes}

    def reply(request: httpx.Request) -> httpx.Response:
        answer = answers[request.url.path.rstrip("/").rsplit("Microsoft.Dynamics.CRM.")[-1].rsplit("/", 1)[-1]]
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    wire = Wire(reply)
    async with wire.open() as client:
        results = check_organisation(
            client=client,
            tokens=wire.tokens,
            dataverse=read_organisation(**settings),
            vip=VipSettings(),
            voice=voice,
            selection=selection,
        )
        return [result async for result in results]


async def test_a_good_organisation_is_told_line_by_line() -> None:
    """Each question has one line with what was found."""
    assert await check(Selection(), {}) == [
        CheckResult("Dataverse address", ok=True, detail="answers (HTTP 401)"),
        CheckResult("Dataverse token", ok=True, detail="obtained"),
        CheckResult("application user", ok=True, detail="known as systemuser u1"),
        CheckResult("columns of contact", ok=True, detail="mobilephone, telephone1, telephone2"),
        CheckResult("columns of account", ok=True, detail="accountcategorycode, telephone1, telephone2"),
        CheckResult("read contact", ok=True, detail="every row"),
        CheckResult("read account", ok=True, detail="every row"),
        CheckResult("read systemuser", ok=True, detail="every row"),
        CheckResult("read incident", ok=True, detail="every row"),
        CheckResult("roles of Voice", ok=True, detail="Voice Admin User, Voice ApiUser, Voice User"),
    ]


@pytest.mark.parametrize(
    ("changes", "name", "words", "hint"),
    [
        pytest.param({"contacts": DENIED}, "read contact", "no caller is found", ROLE, id="no-contacts"),
        pytest.param(
            {
                "RetrieveUserPrivileges()": {
                    "RolePrivileges": [{"PrivilegeName": "prvReadAccount", "Depth": "Basic"}],
                }
            },
            "read account",
            "reaches only Basic",
            ROLE,
            id="own-accounts-only",
        ),
        pytest.param(
            {"roles": DENIED},
            "roles of Voice",
            "denied access",
            "give the role of the application user Read on Security Role at organisation level",
            id="no-roles",
        ),
        pytest.param({"Attributes": DENIED}, "columns of contact", "denied access", "", id="no-metadata"),
        pytest.param({"Attributes": {}}, "columns of contact", "holds no list value", "", id="odd-metadata"),
        pytest.param(
            {"EntityDefinitions(LogicalName='account')": {"ChangeTrackingEnabled": False}},
            "change tracking of account",
            "disabled",
            "enable Track changes in the table's settings, or set SMARTROUTING_DATAVERSE__DIRECTORY=live",
            id="no-change-tracking",
        ),
        pytest.param(
            {"EntityDefinitions(LogicalName='contact')": httpx.Response(500)},
            "change tracking of contact",
            "Dataverse failed",
            "",
            id="broken-metadata",
        ),
    ],
)
async def test_each_flaw_is_one_line_with_what_to_do(
    changes: dict[str, object], name: str, words: str, hint: str
) -> None:
    """The line of the flaw names what is wrong, and the rest is still checked."""
    results = await check(Selection(), changes, directory="mirror")

    [flaw] = [result for result in results if result.name == name]
    assert (flaw.ok, flaw.hint) == (False, hint)
    assert words in flaw.detail
    assert results[-1].name == "change tracking of account"


@pytest.mark.parametrize(("open_cases", "ok"), [(False, True), (True, False)])
@pytest.mark.parametrize("answer", [DENIED, httpx.Response(404)], ids=["denied", "absent"])
async def test_cases_matter_only_to_rules_that_use_them(*, open_cases: bool, ok: bool, answer: httpx.Response) -> None:
    """Without a rule about cases a table that cannot be read is a remark, with one it is a flaw."""
    results = await check(Selection(open_cases=open_cases), {"incidents": answer})

    [cases] = [result for result in results if result.name == "read incident"]
    assert cases.ok is ok
    assert "open cases are not known" in cases.detail


async def test_users_matter_when_a_column_of_theirs_is_configured() -> None:
    """A systemuser column that cannot be read would fail every look-up."""
    attributes = {"value": [*GOOD["Attributes"]["value"], {"LogicalName": "new_agent", "AttributeType": "String"}]}  # type: ignore[index]

    results = await check(Selection(), {"systemusers": DENIED, "Attributes": attributes}, agent_id_column="new_agent")

    assert [result.name for result in results if not result.ok] == ["read systemuser"]


@pytest.mark.parametrize("rows", [[], [{"name": None}, {}]])
async def test_each_missing_role_is_named(rows: object) -> None:
    """A role of Voice that is not there is one line, and so is one that the settings put beside Voice User."""
    voice = VoiceSettings(equivalent_roles=("Sales [EU]'s",))

    results = await check(Selection(), {"roles": {"value": rows}}, voice=voice)

    missing = [result for result in results if not result.ok]
    assert [(result.name, result.detail) for result in missing] == [
        (f"role {name}", "does not exist")
        for name in ("Voice Admin User", "Voice ApiUser", "Voice User", "Sales [EU]'s")
    ]
    assert missing[-1].hint == "correct SMARTROUTING_VOICE__EQUIVALENT_ROLES"


@pytest.mark.parametrize("rows", [None, ["odd"]])
async def test_roles_that_cannot_be_read_are_one_line(rows: object) -> None:
    """What is no list of roles says nothing about any role."""
    results = await check(Selection(), {"roles": {"value": rows}})

    assert [(r.name, r.detail.partition(":")[0]) for r in results if not r.ok] == [
        ("roles of Voice", "the answer holds no list value")
    ]


async def test_column_of_the_address_is_checked_too() -> None:
    """The column of the Enreach e-mail address has to exist like every other that is named."""
    results = await check(Selection(), {}, agent_id_column="telephone1", agent_email_column="new_mail")

    assert [(r.name, r.hint) for r in results if not r.ok] == [
        (
            "column systemuser.new_mail",
            "correct SMARTROUTING_DATAVERSE__AGENT_EMAIL_COLUMN, or add the column to systemuser",
        )
    ]


async def test_unreadable_privileges_leave_the_proof_of_reading() -> None:
    """When privileges cannot be listed, reading one row still proves something."""
    results = await check(Selection(), {"RetrieveUserPrivileges()": DENIED})

    assert [r.detail for r in results if r.name.startswith("read ")] == ["at least some rows"] * 4


async def test_a_refused_token_ends_the_check() -> None:
    """Without a token nothing else is asked."""
    async with Wire(lambda _: httpx.Response(401)).open() as client:
        results = check_organisation(
            client=client,
            tokens=DeadTokens(),
            dataverse=read_organisation(),
            vip=VipSettings(),
            voice=NO_OTHERS,
            selection=Selection(),
        )
        found = [result async for result in results]

    assert found == [
        CheckResult("Dataverse address", ok=True, detail="answers (HTTP 401)"),
        CheckResult("Dataverse token", ok=False, detail="no token: AADSTS7000222: the client secret has expired"),
    ]


def test_nothing_connects_without_an_address() -> None:
    """Settings without a URL are refused with the name of the variable."""
    nowhere = DataverseSettings.model_validate({"auth": "token", "token": "a-fake-token"})

    with pytest.raises(SettingsError, match="SMARTROUTING_DATAVERSE__URL"):
        connect(nowhere, tokens=DeadTokens())
    with pytest.raises(SettingsError, match="SMARTROUTING_DATAVERSE__URL"):
        build_fetch(nowhere, clock=lambda: 0.0)
