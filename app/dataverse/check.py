"""Is the organisation set up for this service? One line per question, with what to do."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace

from app.dataverse.client import DataverseClient, Row, Tokens
from app.dataverse.columns import RequiredColumn, list_required_columns
from app.dataverse.errors import DataverseError, RecordNotFoundError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.dataverse.role_check import check_roles
from app.routing.callers import Selection
from app.settings import DataverseSettings, DirectoryKind, VipSettings, VoiceSettings
from app.settings.check_results import CheckResult

__all__ = ["check_organisation"]

_NO_ACCESS = "give the role of the application user Read on this table at organisation level"


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
_USER = _Table("systemuser", "systemusers", "prvReadUser", "owners and users are not known")
_CASE = _Table("incident", "incidents", "prvReadIncident", "open cases are not known")


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
    wishes = list_required_columns(dataverse, vip, selection)
    async for result in _check_basics(client, tokens):
        yield result
        if not result.ok:
            return
    tables = _list_tables(dataverse, selection)
    for table in tables:
        for result in await _check_columns(client, table, wishes):
            yield result
    depths = await _read_depths(client)
    for table in tables:
        yield await _check_access(client, table, depths)
    for result in await check_roles(client, voice):
        yield result
    for table in [_CONTACT, _ACCOUNT] if dataverse.directory is DirectoryKind.MIRROR else []:
        yield await _check_tracking(client, table)


def _list_tables(dataverse: DataverseSettings, selection: Selection) -> list[_Table]:
    """List the tables to read (Dataverse contract, section 6.4)."""
    users = replace(_USER, required=dataverse.agent_id_column is not None)
    return [_CONTACT, _ACCOUNT, users, replace(_CASE, required=selection.open_cases)]


async def _check_basics(client: DataverseClient, tokens: Tokens) -> AsyncIterator[CheckResult]:
    """Reach the address, get a token, and be somebody there; ends with the first failure."""
    try:
        step = "Dataverse address"
        yield CheckResult(step, ok=True, detail=f"answers (HTTP {await client.probe()})")
        step = "Dataverse token"
        await tokens.get()
        yield CheckResult(step, ok=True, detail="obtained")
        step = "application user"
        yield CheckResult(step, ok=True, detail=f"known as systemuser {await client.who_am_i()}")
    except DataverseError as error:
        yield CheckResult(step, ok=False, detail=error.detail)


async def _check_columns(client: DataverseClient, table: _Table, wishes: Iterable[RequiredColumn]) -> list[CheckResult]:
    """Compare the columns that settings and rules name with those the table has."""
    wanted = [wish for wish in wishes if wish.table == table.name]
    if not wanted:
        return []
    path = f"EntityDefinitions(LogicalName='{table.name}')/Attributes"
    try:
        answer = await client.get_json(build_path(path, {"$select": "LogicalName,AttributeType"}))
        types = {str(row.get("LogicalName")): row.get("AttributeType") for row in _read_rows(answer)}
    except DataverseError as error:
        return [CheckResult(f"columns of {table.name}", ok=False, detail=error.detail)]
    wrong = [result for wish in wanted if (result := _judge_column(wish, types)) is not None]
    names = ", ".join(sorted({wish.column for wish in wanted}))
    return wrong or [CheckResult(f"columns of {table.name}", ok=True, detail=names)]


def _judge_column(wish: RequiredColumn, types: dict[str, object]) -> CheckResult | None:
    problem = wish.judge(types)
    if problem is None:
        return None
    name = f"column {wish.table}.{wish.column}"
    return CheckResult(name, ok=False, detail=problem, hint=f"correct {wish.source}, or add the column to {wish.table}")


async def _read_depths(client: DataverseClient) -> dict[str, object]:
    """Return how far each privilege of the application user reaches; empty when that cannot be read."""
    try:
        user = await client.who_am_i()
        answer = await client.get_json(
            f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()", strong=True
        )
        return {str(row.get("PrivilegeName")): row.get("Depth") for row in _read_rows(answer, "RolePrivileges")}
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


def _read_rows(answer: Row, name: str = "value") -> list[Row]:
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError(f"the answer holds no list {name}: the URL is not a Dataverse organisation")
    return rows
