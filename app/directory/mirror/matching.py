"""Records of the index as the domain's own, so that one judgement serves callers of the mirror and live ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.directory.mirror.reads import Found
from app.directory.mirror.store import FoundRecord
from app.routing.callers import AccountRecord, CallerKind, Match
from app.routing.calls import Scalar

__all__ = ["MatchReader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReader:
    """Reads what a look-up with these columns would have brought."""

    contact_columns: tuple[str, ...]
    account_columns: tuple[str, ...]
    account_depth: int
    """Parent accounts above a contact's company."""

    def read(self, found: Found, e164: str) -> tuple[Match, ...]:
        """Return the records that carry the number."""
        return tuple(
            self._read_contact(record, found)
            if record.kind == CallerKind.CONTACT
            else self._read_account(record, found)
            for record in found.by_number.get(e164, ())
        )

    def _read_contact(self, record: FoundRecord, found: Found) -> Match:
        columns, users = _pick(record, self.contact_columns)
        return Match(
            kind=CallerKind.CONTACT,
            id=record.id,
            name=record.data["name"],
            columns=columns,
            owner_id=record.owner,
            owner_agent=record.agent,
            users=users,
            account=self._follow(record.parent, found, self.account_depth),
            modified_at=record.data["at"],
        )

    def _read_account(self, record: FoundRecord, found: Found) -> Match:
        account = self._follow(record.id, found, self.account_depth)
        return Match(
            kind=CallerKind.ACCOUNT,
            id=record.id,
            name=record.data["name"],
            columns=account.columns if account else {},
            owner_id=record.owner,
            owner_agent=record.agent,
            users=account.users if account else {},
            account=account,
            modified_at=record.data["at"],
        )

    def _follow(self, account_id: str | None, found: Found, depth: int) -> AccountRecord | None:
        """Read an account and so many above it; an id that is no account's leads nowhere."""
        record = None if account_id is None else found.accounts.get(account_id)
        if record is None:
            return None
        columns, users = _pick(record, self.account_columns)
        return AccountRecord(
            id=record.id,
            name=record.data["name"],
            columns=columns,
            owner_id=record.owner,
            owner_agent=record.agent,
            users=users,
            active=record.active,
            parent=self._follow(record.parent, found, depth - 1) if depth > 0 else None,
        )


def _pick(record: FoundRecord, columns: Iterable[str]) -> tuple[Mapping[str, Scalar], Mapping[str, str]]:
    """Return the values of columns, and apart from them the ids of users that some of them look up."""
    known, users = record.data["columns"], frozenset(record.data["users"])
    values = {column: None if column in users else known.get(column) for column in columns}
    return values, {column: known[column].lower() for column in columns if column in users}
