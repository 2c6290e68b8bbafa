"""Reads users from Dynamics: a page, all of them, one, or whoever a token speaks of; and the roles they have."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.auth.principals import Identity
from app.dataverse.client import DataverseClient, Row, read_id, read_rows, read_text
from app.dataverse.errors import RecordNotFoundError
from app.dataverse.queries import build_id_filters, build_path, quote_text
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.settings import Settings
from app.single_flight import gather_or_cancel
from app.store.pages import Page
from app.users.enreach_id_records import EnreachIdRecords
from app.users.role_catalog import RoleCatalog, read_memberships, read_role_catalog
from app.users.user import EnreachIdRecord, User, VoiceUser

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
    """Turns rows of systemuser into users, together with what we keep of them. Everything raises DataverseError."""

    def __init__(
        self, *, client: DataverseClient, records: EnreachIdRecords, read_settings: Callable[[], Settings]
    ) -> None:
        """`read_settings` returns the settings that hold now."""
        self._client = client
        self._records = records
        self._read_settings = read_settings

    async def read_page(self, *, search: str | None, active: bool | None, limit: int, after: str | None) -> Page[User]:
        """Read a page by name; `search` is part of a name or address, `after` the `next` of the page before.

        Raises InvalidInputError for a cursor that came from elsewhere.
        """
        path = self._build_path(_write_filter(search, active=active), orderby="fullname asc,systemuserid asc")
        # Only the token travels as the cursor, and the question is asked anew: a link could ask for anything.
        if after is not None:
            path += f"&{_SKIP_TOKEN}{_read_cursor(after)}"
        async for page in self._client.get_pages(path, page_size=limit):
            users = await self._read_users(read_rows(page))
            return Page(tuple(users), _write_cursor(page.get("@odata.nextLink")))
        return Page((), None)

    async def read_all(self) -> list[User]:
        """Read all users, applications included."""
        return await self._read_users(await self._client.get_rows(self._build_path("", orderby="fullname asc")))

    async def read_some(self, ids: Sequence[str]) -> list[User]:
        """Read these users; those that do not exist are left out."""
        rows: list[Row] = []
        for condition in build_id_filters("systemuserid", ids):
            rows += await self._client.get_rows(self._build_path(condition))
        return await self._read_users(rows)

    async def read_one(self, user_id: str) -> User:
        """Read one user past the server's caches; raises NotFoundError."""
        path = build_path(f"systemusers({user_id})", {"$select": self._select()})
        try:
            row = await self._client.get_json(path, strong=True)
        except RecordNotFoundError as exc:
            raise NotFoundError(f"there is no user {user_id} in Dynamics") from exc
        return (await self._read_users([row]))[0]

    async def read_catalog(self) -> RoleCatalog:
        """Read which roles, teams and profiles there are."""
        return await read_role_catalog(self._client, self._read_settings().voice)

    async def read_voice_user(self, user_id: str) -> tuple[VoiceUser, RoleCatalog]:
        """Read one user with their roles, as they are this moment; raises NotFoundError."""
        user, catalog = await gather_or_cancel(self.read_one(user_id), self.read_catalog())
        return await self.describe(user, catalog), catalog

    async def describe(self, user: User, catalog: RoleCatalog) -> VoiceUser:
        """Read the roles and profiles of a user this moment, past the server's caches."""
        return (await read_memberships(self._client, catalog, [user.id], strong=True)).describe(user)

    async def describe_some(self, users: Sequence[User], catalog: RoleCatalog) -> list[VoiceUser]:
        """Read the roles and profiles of these users."""
        memberships = await read_memberships(self._client, catalog, [user.id for user in users])
        return [memberships.describe(user) for user in users]

    async def describe_all(self, users: Sequence[User], catalog: RoleCatalog) -> list[VoiceUser]:
        """Read the roles and profiles of everybody, in a few questions, and take those of these users."""
        memberships = await read_memberships(self._client, catalog, None)
        return [memberships.describe(user) for user in users]

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
        rows = await self._client.get_rows(self._build_path(f"({wanted}) and applicationid eq null"))
        folded = {value.casefold() for value in values}
        return await self._read_users([row for row in rows if str(row.get(column)).casefold() in folded])

    def _select(self) -> str:
        return ",".join((*_COLUMNS, *self._records.columns))

    def _build_path(self, condition: str, *, orderby: str = "") -> str:
        options = {"$select": self._select(), "$filter": condition, "$orderby": orderby}
        return build_path("systemusers", options)

    async def _read_users(self, rows: Sequence[Row]) -> list[User]:
        records = await self._records.read(rows)
        return [replace(user, record=records.get(user.id, EnreachIdRecord())) for user in map(_read, rows)]


def _read(row: Row) -> User:
    return User(
        id=read_id(row, "systemuserid"),
        name=read_text(row, "fullname") or "",
        email=read_text(row, "internalemailaddress"),
        login=read_text(row, "domainname"),
        mobile=read_text(row, "mobilephone"),
        active=not row.get("isdisabled"),
        is_application=row.get("applicationid") is not None,
        unit_id=read_text(row, "_businessunitid_value"),
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
