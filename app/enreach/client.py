"""Reads users, queues, directories and calls from the Enreach API (Enreach contract, section 4)."""

import json
from collections.abc import Iterable, Mapping

import httpx
from pydantic import SecretStr

from app.enreach.addresses import check_base_url, join_path
from app.enreach.errors import EnreachNotConfiguredError
from app.enreach.periods import Period
from app.enreach.records import CallRecord, DirectoryEntry, DirectoryRef, EnreachQueue, EnreachUser
from app.enreach.rows import Rows, read_list, read_member, read_row, read_rows
from app.enreach.transmission import STANDARD_LIMITS, Answer, Limits, Request, send_repeatedly

__all__ = ["EnreachClient"]


class EnreachClient:
    """The API of one organisation, seen with the key of one of its users.

    Everything here only reads, so transient failures are tried again within `limits`; not for the path of a call.
    Every method raises `EnreachError` (see `app.enreach.errors`).
    """

    def __init__(
        self, *, http: httpx.AsyncClient, base_url: str, user: str, secret: SecretStr, limits: Limits = STANDARD_LIMITS
    ) -> None:
        """Keep `http` open for the client's life; raises `EnreachNotConfiguredError` when a part is missing."""
        if not user or not secret.get_secret_value():
            raise EnreachNotConfiguredError("The Enreach API needs a user and a secret")
        self._http = http
        self._base_url = check_base_url(base_url)
        self._auth = httpx.BasicAuth(user, secret.get_secret_value())
        self._limits = limits

    async def fetch_own_user(self) -> EnreachUser:
        """Return the user whose key this is; the cheapest proof that URL and key are right."""
        return read_row(EnreachUser, await self._get("/users/me"))

    async def list_users(self) -> Rows[EnreachUser]:
        """Return every user of the organisation. The API has no filter by e-mail: match `email` yourself."""
        return read_rows(EnreachUser, read_list(await self._get("/users")))

    async def list_queues(self, *, only_for_user: str | None = None) -> Rows[EnreachQueue]:
        """Return every queue, or those one user (by GUID) serves."""
        params = None if only_for_user is None else {"OnlyForUser": only_for_user}
        return read_rows(EnreachQueue, read_list(await self._get("/queues/", params)))

    async def list_directories(self) -> Rows[DirectoryRef]:
        """Return the directories of the organisation; there is at least "Default"."""
        return read_rows(DirectoryRef, read_list(await self._get("/directory")))

    async def list_directory_entries(
        self,
        directory_id: str,
        *,
        entry_types: int | None = None,
        number: str | None = None,
        max_count: int = 1000,
    ) -> Rows[DirectoryEntry]:
        """Return entries of one directory, at most `max_count`; `entry_types` 2 is queues, `number` is E.164."""
        asked = {"EntryTypes": entry_types, "MaxCount": max_count, "Number": number}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        answer = await self._get("/directory/{id}", params, id=directory_id)
        return read_rows(DirectoryEntry, read_member(answer, "Entries"))

    async def list_calls(self, period: Period, *, user_id: str | None = None) -> Rows[CallRecord]:
        """Return the users' calls of a period of any length, or one user's (by GUID); each record once."""
        return read_rows(CallRecord, await self._collect("/calls", period, {"UserIDs": user_id} if user_id else {}))

    async def _collect(self, template: str, period: Period, params: Mapping[str, str]) -> list[object]:
        """Ask window by window; one after the other, because the API limits the rate."""
        found: list[object] = []
        for window in period.split():
            found += read_list(await self._get(template, {**window.describe(), **params}))
        return _drop_repeats(found)

    async def _get(self, template: str, params: Mapping[str, str] | None = None, **values: str) -> Answer:
        request = Request(
            method="GET",
            url=join_path(self._base_url, template, **values),
            template=template,
            params=params,
            auth=self._auth,
        )
        return await send_repeatedly(self._http, request, self._limits)


def _drop_repeats(rows: Iterable[object]) -> list[object]:
    """Keep the first of equal rows: windows share their boundary, and a call id alone is not unique to a row."""
    return list({json.dumps(row, sort_keys=True): row for row in rows}.values())
