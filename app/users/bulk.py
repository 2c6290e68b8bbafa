"""Enables or disables many users from a list, with a dry run and an outcome for every row."""

import csv
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import AppError, Finding, InvalidInputError
from app.single_flight import gather_or_cancel
from app.users.enabling import ChangeContext, DisableOptions, EnableOptions, Enabling, PhoneClient
from app.users.enreach_users import EnreachUsers
from app.users.repository import UserRepository
from app.users.user import User, UserChange, VoiceUser, check_address, explain

__all__ = ["MAX_ROWS", "BulkAction", "BulkOutcome", "BulkResult", "BulkRow", "BulkUsers", "read_csv"]

MAX_ROWS = 5000
_AT_ONCE = 4
OnProgress = Callable[[int], Awaitable[bool]]
_COLUMNS = frozenset({"user", "team", "enreach_email", "overwrite", "client", "leave_teams"})
_YES = frozenset({"1", "true", "yes", "y", "x"})


class BulkAction(StrEnum):
    """What to do with the users of a list."""

    ENABLE = "enable"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRow:
    """One user of the list."""

    number: int
    """The place in the list, from 1."""
    user: str
    """Id, login or e-mail address."""
    enable: EnableOptions = field(default_factory=EnableOptions)
    disable: DisableOptions = field(default_factory=DisableOptions)


class BulkOutcome(StrEnum):
    """How one row ended."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    INCOMPLETE = "incomplete"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    REPEATED = "repeated"
    """The list names this user before."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What came of one row."""

    row: BulkRow
    outcome: BulkOutcome
    user_id: str | None = None
    change: UserChange | None = None
    reason: str = ""


_Change = Callable[[BulkRow, VoiceUser], Awaitable[UserChange]]


class BulkUsers:
    """Works through a list; repeating it takes up where it failed and changes nothing twice."""

    def __init__(self, *, repository: UserRepository, enreach: EnreachUsers, enabling: Enabling) -> None:
        self._repository = repository
        self._enreach = enreach
        self._enabling = enabling

    async def run(
        self, rows: Sequence[BulkRow], action: BulkAction, *, who: str, dry_run: bool, on_progress: OnProgress
    ) -> list[BulkResult]:
        """Work through the rows, a few at a time; Enreach is asked once, Dynamics a few times and for each change.

        Stops when `on_progress` says so; rows that were not reached are left out. Raises DataverseError when the
        users cannot be read at all.
        """
        if not await on_progress(0):
            return []
        catalog, users = await gather_or_cancel(self._repository.read_catalog(), self._repository.read_all())
        voices = {voice.user.id: voice for voice in await self._repository.describe_all(users, catalog)}
        change = await self._choose_change(action, ChangeContext(catalog=catalog, who=who, dry_run=dry_run))
        results: list[BulkResult] = []
        resolved = _resolve(rows, users)
        for start in range(0, len(resolved), _AT_ONCE):
            if not await on_progress(len(results)):
                return results
            batch = resolved[start : start + _AT_ONCE]
            results += await gather_or_cancel(*(_change_row(row, found, voices, change) for row, found in batch))
        await on_progress(len(results))
        return results

    async def _choose_change(self, action: BulkAction, context: ChangeContext) -> _Change:
        if action is BulkAction.DISABLE:
            return lambda row, voice: self._enabling.disable(voice, row.disable, context=context)
        enreach = await self._enreach.ask()
        return lambda row, voice: self._enabling.enable(voice, row.enable, enreach=enreach, context=context)


async def _change_row(
    row: BulkRow, found: User | BulkOutcome, voices: Mapping[str, VoiceUser], change: _Change
) -> BulkResult:
    """Change one user; what fails is a result."""
    if isinstance(found, BulkOutcome):
        return BulkResult(row=row, outcome=found)
    try:
        changed = await change(row, voices[found.id])
    except AppError as error:
        return BulkResult(row=row, outcome=BulkOutcome.FAILED, user_id=found.id, reason=explain(error))
    return BulkResult(row=row, outcome=BulkOutcome(changed.state.value), user_id=found.id, change=changed)


def read_csv(text: str) -> list[BulkRow]:
    """Read a list with a header: `user`, and optionally `team`, `enreach_email`, `overwrite`, `client`, `leave_teams`.

    Comma or semicolon separates; Excel's byte order mark is ignored. Raises InvalidInputError naming the lines.
    """
    plain = text.removeprefix("\ufeff")
    header = plain.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(plain), delimiter=";" if ";" in header else ",", skipinitialspace=True)
    names = [(name or "").strip().casefold() for name in reader.fieldnames or ()]
    if "user" not in names or set(names) - _COLUMNS:
        others = ", ".join(sorted(_COLUMNS - {"user"}))
        raise InvalidInputError(f"the first line must name the columns: user, and any of {others}")
    reader.fieldnames = names
    rows: list[BulkRow] = []
    findings: list[Finding] = []
    for number, cells in enumerate(reader, start=1):
        try:
            rows.append(_read_cells(number, cells))
        except ValueError as exc:
            findings.append(Finding(code="unreadable-row", pointer="", message=f"row {number}: {exc}"))
    if findings:
        raise InvalidInputError("some rows cannot be read; nothing was done", findings=findings)
    if not rows or len(rows) > MAX_ROWS:
        raise InvalidInputError(f"the list must have 1 to {MAX_ROWS} rows")
    return rows


def _read_cells(number: int, cells: Mapping[str | None, str | list[str] | None]) -> BulkRow:
    if None in cells:
        raise ValueError("has more cells than the first line names")
    values = {name: value.strip() for name, value in cells.items() if name and isinstance(value, str)}
    if not values.get("user"):
        raise ValueError("names no user")
    client = values.get("client", "").casefold()
    if client and client not in set(PhoneClient):
        raise ValueError("client is neither cif1 nor cif2")
    return BulkRow(
        number=number,
        user=values["user"],
        enable=EnableOptions(
            team_id=values.get("team", "").casefold() or None,
            enreach_email=check_address(address) if (address := values.get("enreach_email")) else None,
            overwrite=values.get("overwrite", "").casefold() in _YES,
        ),
        disable=DisableOptions(
            client=PhoneClient(client) if client else None, leave_teams=values.get("leave_teams", "").casefold() in _YES
        ),
    )


def _resolve(rows: Sequence[BulkRow], users: Iterable[User]) -> list[tuple[BulkRow, User | BulkOutcome]]:
    """Find whom each row means: by id, else by login, else by address."""
    by_name: tuple[dict[str, list[User]], ...] = ({}, {}, {})
    for user in users:
        for index, key in zip(by_name, (user.id, user.login, user.email), strict=True):
            if key:
                index.setdefault(key.casefold(), []).append(user)
    seen: set[str] = set()
    resolved: list[tuple[BulkRow, User | BulkOutcome]] = []
    for row in rows:
        found = next((index[row.user.casefold()] for index in by_name if row.user.casefold() in index), [])
        resolved.append((row, _choose(found, seen)))
        seen.update(user.id for user in found)
    return resolved


def _choose(found: Sequence[User], seen: set[str]) -> User | BulkOutcome:
    if not found:
        return BulkOutcome.NOT_FOUND
    if len(found) > 1:
        return BulkOutcome.AMBIGUOUS
    return BulkOutcome.REPEATED if found[0].id in seen else found[0]
