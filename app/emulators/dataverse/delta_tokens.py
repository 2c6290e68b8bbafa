"""Delta tokens: from which version of which table a client knows everything (Dataverse contract, section 1.8)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.emulators.dataverse.errors import VERSION_STAMP_EXPIRED, WireError, bad_query

_STAMP = "%m/%d/%Y %H:%M:%S"
_TOKEN = re.compile(r"(?P<version>\d{1,18})!(?P<stamp>\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)!(?P<table>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaToken:
    """Where a reading of a table began."""

    version: int
    issued: datetime
    table: str
    """Logical name."""

    def spell(self) -> str:
        """Return the token as it stands in a link, before it is encoded."""
        return f"{self.version}!{self.issued.astimezone(UTC).strftime(_STAMP)}!{self.table}"


def read_delta_token(text: str, *, table: str) -> DeltaToken:
    """Return what a decoded token says. Raises WireError (400) when it is malformed or of another table."""
    match = _TOKEN.fullmatch(text)
    if match is None or match["table"] != table:
        raise bad_query("The delta token is malformed or does not belong to this table.")
    try:
        issued = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError as exc:
        raise bad_query("The delta token is malformed or does not belong to this table.") from exc
    return DeltaToken(version=int(match["version"]), issued=issued, table=table)


def require_fresh(token: DeltaToken, *, now: datetime, days: int) -> None:
    """Refuse (400) a token issued over `days` days ago."""
    if now - token.issued > timedelta(days=days):
        raise version_stamp_expired()


def version_stamp_expired() -> WireError:
    """Refuse a token from which no changes can be told any more; only a full read helps."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return WireError(400, VERSION_STAMP_EXPIRED, message)
