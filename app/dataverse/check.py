"""Is the organisation set up for this service? One line per question, with what to do."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace

from app.dataverse.client import DataverseClient, Tokens, read_rows, read_text
from app.dataverse.errors import DataverseError, RecordNotFoundError, TokenRejectedError
from app.dataverse.queries import build_path, quote_text
from app.routing.callers import Selection
from app.settings import DataverseSettings, DirectoryKind, Role, VipSettings, VoiceSettings
from app.settings.base import PREFIX
from app.settings.dataverse import DataverseAuth

__all__ = ["CheckResult", "check_organisation"]
_NO_ACCESS = "give the role of the application user Read on this table at organisation level"
_NO_ROLE_ACCESS = "give the role of the application user Read on Security Role at organisation level"
_NO_VOICE = "install Voice for Dynamics 365 in this environment, or check whether the role was renamed"
_NO_EQUIVALENT = f"correct {PREFIX}VOICE__EQUIVALENT_ROLES"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found about one thing. Holds no secret and nothing personal."""

    name: str
    ok: bool | None
    """`None` when it is not configured, so that there is nothing to ask."""
    detail: str
    hint: str = ""
    """What to do; a result that is fine may carry one too."""


@dataclass(frozen=True, slots=True)
class _RequiredColumn:
    """A column that a setting or the rules name."""

    table: str
    column: str
    source: str
    """The setting, or the rules."""
    is_phone: bool = False


@dataclass(frozen=True, slots=True)
class _Table:
    """A table this service reads, and what is lost without it."""

    name: str
    entity_set: str
    privilege: str
    loss: str
    required: bool = True
    """Whether something this deployment is set up to do fails without it."""


_CONTACT = _Table("contact", "contacts", "prvReadContact", "no caller is found")
_ACCOUNT = _Table("account", "accounts", "prvReadAccount", "no company is found")
_LEAD = _Table("lead", "leads", "prvReadLead", "no lead is found")
_USER = _Table("systemuser", "systemusers", "prvReadUser", "owners and users are not known")
_CASE = _Table("incident", "incidents", "prvReadIncident", "open cases are not known")
_PHONE_CALL = _Table("phonecall", "phonecalls", "prvReadActivity", "phone calls are not known")


_NO_TOKEN = {
    DataverseAuth.CLIENT_SECRET: f"check {PREFIX}DATAVERSE__TENANT_ID, __CLIENT_ID, __AUTHORITY and __URL",
    DataverseAuth.CERTIFICATE: f"check {PREFIX}DATAVERSE__TENANT_ID, __CLIENT_ID, __AUTHORITY and __URL",
    DataverseAuth.MANAGED_IDENTITY: f"check {PREFIX}DATAVERSE__URL, and that the identity is an application user",
    DataverseAuth.TOKEN: f"put a fresh one for this organisation into {PREFIX}DATAVERSE__TOKEN",
}
"""What to do about a token that Dataverse rejects."""


async def check_organisation(
    *,
    client: DataverseClient,
    tokens: Tokens,
    dataverse: DataverseSettings,
    vip: VipSettings,
    voice: VoiceSettings,
    selection: Selection,
) -> AsyncIterator[CheckResult]:
    """Ask everything this service depends on, and stop where the rest would fail for the same reason.

    `selection` names the columns the published rules want. What Dataverse refuses is a result, not an error.
    """
    required = _list_required_columns(dataverse, vip, selection)
    async for result in _check_basics(client, tokens, dataverse.auth):
        yield result
        if not result.ok:
            return
    tables = _list_tables(dataverse, selection)
    for table in tables:
        for result in await _check_columns(client, table, required):
            yield result
    depths = await _read_depths(client)
    for table in tables:
        yield await _check_access(client, table, depths)
    for result in await _check_roles(client, voice):
        yield result
    for table in _list_mirrored(dataverse):
        yield await _check_tracking(client, table)


def _list_tables(dataverse: DataverseSettings, selection: Selection) -> list[_Table]:
    """List the tables to read (Dataverse contract, section 6.4)."""
    users = replace(_USER, required=dataverse.agent_id_column is not None)
    cases = replace(_CASE, required=selection.open_cases)
    leads = [_LEAD] if dataverse.lead_phone_columns else []
    return [_CONTACT, _ACCOUNT, *leads, users, cases, *([_PHONE_CALL] if selection.phone_calls else [])]


def _list_mirrored(dataverse: DataverseSettings) -> list[_Table]:
    if dataverse.directory is not DirectoryKind.MIRROR:
        return []
    return [_CONTACT, _ACCOUNT, *([] if dataverse.agent_id_column is None else [_USER])]


async def _check_basics(client: DataverseClient, tokens: Tokens, auth: DataverseAuth) -> AsyncIterator[CheckResult]:
    """Reach the address, get a token, and be somebody there; ends with the first failure."""
    try:
        step = "Dataverse address"
        yield CheckResult(step, ok=True, detail=f"answers (HTTP {(await client.probe()).status})")
        step = "Dataverse token"
        await tokens.get()
        yield CheckResult(step, ok=True, detail="obtained")
        step = "application user"
        yield CheckResult(step, ok=True, detail=f"known as systemuser {await client.who_am_i()}")
    except DataverseError as error:
        hint = _NO_TOKEN[auth] if isinstance(error, TokenRejectedError) else ""
        yield CheckResult(step, ok=False, detail=error.detail, hint=hint)


def _list_required_columns(
    dataverse: DataverseSettings, vip: VipSettings, selection: Selection
) -> list[_RequiredColumn]:
    """List every column of the settings, then those of the rules (by table and name)."""
    phone_columns = {
        "contact": dataverse.contact_phone_columns,
        "account": dataverse.account_phone_columns,
        "lead": dataverse.lead_phone_columns,
    }
    phones = [
        _RequiredColumn(table, column, f"{PREFIX}DATAVERSE__{table.upper()}_PHONE_COLUMNS", is_phone=True)
        for table, columns in phone_columns.items()
        for column in columns
    ]
    criteria = [_RequiredColumn(c.table, c.column, f"{PREFIX}VIP__CRITERIA") for c in vip.criteria]
    agent_columns = {"AGENT_ID_COLUMN": dataverse.agent_id_column, "AGENT_EMAIL_COLUMN": dataverse.agent_email_column}
    agents = [_RequiredColumn("systemuser", c, f"{PREFIX}DATAVERSE__{name}") for name, c in agent_columns.items() if c]
    rules = [
        *(_RequiredColumn("contact", c, "the ruleset") for c in sorted(selection.contact_columns)),
        *(_RequiredColumn("account", c, "the ruleset") for c in sorted(selection.account_columns)),
        *(_RequiredColumn("incident", c, "the ruleset") for c in sorted(selection.case_columns)),
    ]
    typed = dataverse.typed_lookup
    source = f"{PREFIX}DATAVERSE__TYPED_LOOKUP"
    texts = [_RequiredColumn(typed.table, typed.column, source, is_phone=True)] if typed else []
    return [*phones, *texts, *criteria, *agents, *rules]


async def _check_columns(
    client: DataverseClient, table: _Table, required: Iterable[_RequiredColumn]
) -> list[CheckResult]:
    """Compare the columns that settings and rules name with those the table has."""
    wanted = [each for each in required if each.table == table.name]
    if not wanted:
        return []
    path = f"EntityDefinitions(LogicalName='{table.name}')/Attributes"
    try:
        answer = await client.get_json(build_path(path, {"$select": "LogicalName,AttributeType"}))
        types = {str(row.get("LogicalName")): read_text(row, "AttributeType") for row in read_rows(answer)}
    except DataverseError as error:
        return [CheckResult(f"columns of {table.name}", ok=False, detail=error.detail)]
    wrong = [
        CheckResult(
            f"column {table.name}.{each.column}",
            ok=False,
            detail=problem,
            hint=f"correct {each.source}, or add the column to {table.name}",
        )
        for each in wanted
        if (problem := _judge_column(each, types)) is not None
    ]
    names = ", ".join(sorted({each.column for each in wanted}))
    return wrong or [CheckResult(f"columns of {table.name}", ok=True, detail=names)]


def _judge_column(required: _RequiredColumn, types: Mapping[str, object]) -> str | None:
    """Say what is wrong with a column of the table that has these types by name, or `None`."""
    # A lookup is read as `_name_value` and defined as `name`.
    column = required.column
    name = column.removeprefix("_").removesuffix("_value") if column.startswith("_") else column
    if name not in types:
        return "does not exist"
    if required.is_phone and types[name] not in {"String", "Memo", None}:
        return f"is {types[name]}, not text"
    return None


async def _read_depths(client: DataverseClient) -> dict[str, object]:
    """Return how far each privilege of the application user reaches; empty when that cannot be read."""
    try:
        user = await client.who_am_i()
        answer = await client.get_json(
            f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()", strong=True
        )
        return {str(row.get("PrivilegeName")): row.get("Depth") for row in read_rows(answer, "RolePrivileges")}
    except DataverseError:
        return {}


async def _check_access(client: DataverseClient, table: _Table, depths: dict[str, object]) -> CheckResult:
    """Read one row, which proves more than a list of privileges; the list tells whether it is all rows."""
    name = f"read {table.name}"
    try:
        await client.get_json(build_path(table.entity_set, {"$select": "modifiedon", "$top": "1"}), strong=True)
    except RecordNotFoundError:
        absent = f"there is no such table: {table.loss}"
        return CheckResult(name, ok=not table.required, detail=absent, hint="fine when Customer Service is not used")
    except DataverseError as error:
        return CheckResult(name, ok=not table.required, detail=f"{error.detail}; {table.loss}", hint=_NO_ACCESS)
    depth = depths.get(table.privilege, "Global")
    if depth != "Global":
        detail = f"{table.privilege} reaches only {depth}: most rows are invisible"
        return CheckResult(name, ok=not table.required, detail=detail, hint=_NO_ACCESS)
    return CheckResult(name, ok=True, detail="every row" if depths else "at least some rows")


async def _check_roles(client: DataverseClient, voice: VoiceSettings) -> list[CheckResult]:
    """Look for the roles of Voice by name, and for those the settings put beside Voice User.

    Source: administrator guide, "Required User Roles & Privileges".
    """
    wanted = {role.value: _NO_VOICE for role in Role} | dict.fromkeys(voice.equivalent_roles, _NO_EQUIVALENT)
    condition = " or ".join(f"name eq {quote_text(name)}" for name in wanted)
    try:
        answer = await client.get_json(build_path("roles", {"$select": "name", "$filter": condition}))
        found = {str(row.get("name")).casefold() for row in read_rows(answer)}
    except DataverseError as error:
        return [CheckResult("roles of Voice", ok=False, detail=error.detail, hint=_NO_ROLE_ACCESS)]
    missing = [
        CheckResult(f"role {name}", ok=False, detail="does not exist", hint=hint)
        for name, hint in wanted.items()
        if name.casefold() not in found
    ]
    return missing or [CheckResult("roles of Voice", ok=True, detail=", ".join(wanted))]


async def _check_tracking(client: DataverseClient, table: _Table) -> CheckResult:
    """The mirror lives on change tracking (Dataverse contract, section 1.8)."""
    name = f"change tracking of {table.name}"
    path = build_path(
        f"EntityDefinitions(LogicalName='{table.name}')", {"$select": "LogicalName,ChangeTrackingEnabled"}
    )
    try:
        enabled = (await client.get_json(path)).get("ChangeTrackingEnabled") is True
    except DataverseError as error:
        return CheckResult(name, ok=False, detail=error.detail)
    if enabled:
        return CheckResult(name, ok=True, detail="enabled")
    hint = "enable Track changes in the table's settings, or set SMARTROUTING_DATAVERSE__DIRECTORY=live"
    return CheckResult(name, ok=False, detail="disabled", hint=hint)
