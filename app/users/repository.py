"""Reads users from Dynamics: a page, all of them, one, or whoever a token speaks of."""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace

from app.auth.principals import Identity
from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import RecordNotFoundError
from app.dataverse.queries import build_path
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.store.pages import Page
from app.users.dataverse_rows import build_any, quote_text, read_page_rows, read_rows
from app.users.enreach_id_records import EnreachIdRecords
from app.users.user import EnreachIdRecord, User

__all__ = ["UserRepository"]

_COLUMNS = (
    "systemuserid",
    "fullname",
    "internalemailaddress",
    "domainname",
    "mobilephone",
    "azureactivedirectoryobjectid",
    "isdisabled",
    "applicationid",
    "_businessunitid_value",
)
_SEARCHED = ("fullname", "internalemailaddress", "domainname")
_ESCAPES = str.maketrans({"[": "[[]", "%": "[%]", "_": "[_]", "'": "''"})
"""What would be wildcards in `contains` (Dataverse contract, section 1.3)."""
_SKIP_TOKEN = "$skiptoken="  # noqa: S105 - the name of an option
_TOKEN = re.compile(r"[\w.~!*()'%-]{1,4000}", re.ASCII)
"""What one encoded value may hold: nothing that could begin another option."""
_FOREIGN_CURSOR = "the cursor is not one that a page of this list gave"


class UserRepository:
    """Turns rows of systemuser into people, together with what we keep of them. Everything raises DataverseError."""

    def __init__(self, *, client: DataverseClient, records: EnreachIdRecords) -> None:
        self._client = client
        self._records = records

    async def read_page(self, *, search: str | None, active: bool | None, limit: int, after: str | None) -> Page[User]:
        """Read a page by name; `search` is part of a name or address, `after` the `next` of the page before.

        Raises InvalidInputError for a cursor that came from elsewhere.
        """
        path = self._build(_write_filter(search, active=active), orderby="fullname asc,systemuserid asc")
        # Only the token travels as the cursor, and the question is asked anew: a link could ask for anything.
        if after is not None:
            path += f"&{_SKIP_TOKEN}{_read_cursor(after)}"
        async for page in self._client.get_pages(path, page_size=limit):
            people = await self._understand(read_page_rows(page))
            return Page(tuple(people), _write_cursor(page.get("@odata.nextLink")))
        return Page((), None)

    async def read_all(self) -> list[User]:
        """Read everybody, applications included."""
        rows = await read_rows(self._client, "systemusers", select=self._select(), orderby="fullname asc")
        return await self._understand(rows)

    async def read_some(self, ids: Sequence[str]) -> list[User]:
        """Read these users; those that do not exist are left out."""
        rows: list[Row] = []
        for start in range(0, len(ids), 50):
            batch = build_any("systemuserid", ids[start : start + 50])
            rows += await read_rows(self._client, "systemusers", select=self._select(), filter=batch)
        return await self._understand(rows)

    async def read_one(self, user_id: str) -> User:
        """Read one user past the server's caches; raises NotFoundError."""
        path = build_path(f"systemusers({user_id})", {"$select": self._select()})
        try:
            row = await self._client.get_json(path, strong=True)
        except RecordNotFoundError as exc:
            raise NotFoundError(f"there is no user {user_id} in Dynamics") from exc
        return (await self._understand([row]))[0]

    async def find(self, identity: Identity) -> User:
        """Find who a token speaks of: by object id, else by login, else by address, and never by guessing.

        Raises NotFoundError for nobody, and ConflictError when several fit.
        """
        for column, values in (
            ("azureactivedirectoryobjectid", identity.object_ids),
            ("domainname", identity.logins),
            ("internalemailaddress", identity.emails),
        ):
            if not values:
                continue
            found = await self._find_by(column, values)
            if len(found) > 1:
                raise ConflictError("several users of Dynamics fit your token; ask an administrator")
            if found:
                return found[0]
        raise NotFoundError("no user of Dynamics fits your token")

    async def _find_by(self, column: str, values: Sequence[str]) -> list[User]:
        is_id = column == "azureactivedirectoryobjectid"
        wanted = " or ".join(f"{column} eq {value if is_id else quote_text(value)}" for value in values)
        rows = await read_rows(
            self._client, "systemusers", select=self._select(), filter=f"({wanted}) and applicationid eq null"
        )
        folded = {value.casefold() for value in values}
        return await self._understand([row for row in rows if str(row.get(column)).casefold() in folded])

    def _select(self) -> str:
        return ",".join((*_COLUMNS, *self._records.columns))

    def _build(self, condition: str, *, orderby: str) -> str:
        options = {"$select": self._select(), "$filter": condition, "$orderby": orderby}
        return build_path("systemusers", options)

    async def _understand(self, rows: Sequence[Row]) -> list[User]:
        records = await self._records.read(rows)
        return [replace(_read(row), record=records.get(row["systemuserid"], EnreachIdRecord())) for row in rows]


def _read(row: Row) -> User:
    return User(
        id=row["systemuserid"],
        name=row.get("fullname") or "",
        email=row.get("internalemailaddress") or None,
        login=row.get("domainname") or None,
        mobile=row.get("mobilephone") or None,
        active=not row.get("isdisabled"),
        is_application=row.get("applicationid") is not None,
        unit_id=row.get("_businessunitid_value"),
    )


def _write_filter(search: str | None, *, active: bool | None) -> str:
    parts = []
    if search:
        text = search.translate(_ESCAPES)
        parts.append("(" + " or ".join(f"contains({column},'{text}')" for column in _SEARCHED) + ")")
    if active is not None:
        parts.append(f"isdisabled eq {'false' if active else 'true'}")
    return " and ".join(parts)


def _write_cursor(link: object) -> str | None:
    """Take the token out of a next link; it must go back exactly as it came (Dataverse contract, section 1.4)."""
    if not isinstance(link, str) or _SKIP_TOKEN not in link:
        return None
    token = link.partition(_SKIP_TOKEN)[2].partition("&")[0]
    return base64.urlsafe_b64encode(token.encode()).decode()


def _read_cursor(cursor: str) -> str:
    try:
        token = base64.urlsafe_b64decode(cursor.encode("ascii", "replace")).decode("ascii")
    except ValueError as exc:
        raise InvalidInputError(_FOREIGN_CURSOR) from exc
    if not _TOKEN.fullmatch(token):
        raise InvalidInputError(_FOREIGN_CURSOR)
    return token
