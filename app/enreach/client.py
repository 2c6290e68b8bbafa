"""Reads users, queues and calls from the Enreach API (Enreach contract, section 4)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from app.enreach.errors import EnreachNotConfiguredError, EnreachNotFoundError, EnreachUnreadableError
from app.enreach.periods import Period
from app.enreach.records import CallRecord, ClassifiedCall, EnreachQueue, EnreachUser
from app.enreach.transmission import STANDARD_LIMITS, Answer, Limits, Request, send_repeatedly

__all__ = ["EnreachClient", "Rows"]

_HOST = re.compile(rb"[a-z0-9.:_-]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """The rows that were understood, in the order of the answer, and what is known about the others."""

    rows: tuple[Row, ...]
    not_understood: tuple[str, ...] = ()
    """One text per skipped row: its index and the fields at fault, never a value; e.g. `row 3: Id`."""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


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
        self._base_url = _check_base_url(base_url)
        self._auth = httpx.BasicAuth(user, secret.get_secret_value())
        self._limits = limits

    async def fetch_own_user(self) -> EnreachUser:
        """Return the user whose key this is; the cheapest proof that URL and key are right."""
        return _read_row(EnreachUser, await self._get("/users/me"))

    async def list_users(self) -> Rows[EnreachUser]:
        """Return every user of the organisation. The API has no filter by e-mail: match `email` yourself."""
        return _read_rows(EnreachUser, _read_list(await self._get("/users")))

    async def list_queues(self) -> Rows[EnreachQueue]:
        """Return every queue of the organisation."""
        return _read_rows(EnreachQueue, _read_list(await self._get("/queues/")))

    async def read_availability(self, user_id: str, *, key: str) -> str | None:
        """Return what `key` says of a user's present availability, as text; `None` without one.

        The vendor's own client asks for its user by this path, with `me` for the id; what it answers is not described.
        """
        path = f"/users/{user_id}/availability/current"
        try:
            answer = await self._get(path, shown="/users/{id}/availability/current")
        except EnreachNotFoundError:
            return None
        if answer.payload is None:
            return None
        if not isinstance(answer.payload, dict):
            raise _explain(answer, "not an object")
        value = answer.payload.get(key)
        return None if value is None else str(value)

    async def list_calls(self, period: Period) -> Rows[CallRecord]:
        """Return the users' calls of a period of any length; each record once."""
        return _read_rows(CallRecord, await self._collect("/calls", period))

    async def list_classified_calls(self, period: Period, *, privacy_field: str) -> Rows[ClassifiedCall]:
        """Return the same with what the key `privacy_field` says of each."""
        return _classify(await self._collect("/calls", period), privacy_field)

    async def list_parts(self, call_id: str, *, privacy_field: str) -> Rows[ClassifiedCall]:
        """Return the parts of one call with what the key `privacy_field` says of each."""
        return _classify(_read_list(await self._get("/calls", {"CallId": call_id})), privacy_field)

    async def _collect(self, path: str, period: Period) -> list[object]:
        """Ask window by window; one after the other, because the API limits the rate."""
        found: list[object] = []
        for window in period.split():
            found += _read_list(await self._get(path, window.describe()))
        return _drop_repeats(found)

    async def _get(self, path: str, params: Mapping[str, str] | None = None, *, shown: str | None = None) -> Answer:
        request = Request(url=self._base_url + path, path=shown or path, params=params, auth=self._auth)
        return await send_repeatedly(self._http, request, self._limits)


def _read_rows(kind: type[Row], raw: Sequence[object]) -> Rows[Row]:
    """Read each row as `kind`; rows that cannot be understood are skipped and reported."""
    adapter = TypeAdapter(kind)
    understood: list[Row] = []
    skipped: list[str] = []
    for index, row in enumerate(raw):
        try:
            understood.append(adapter.validate_python(row))
        except ValidationError as exc:
            skipped.append(f"row {index}: {_name_faults(exc)}")
    return Rows(tuple(understood), tuple(skipped))


def _classify(raw: Sequence[object], privacy_field: str) -> Rows[ClassifiedCall]:
    """Read calls with their classification; numbers and truth values become text."""
    rows = [
        {"record": row, "classification": None if value is None else str(value).strip() or None}
        if isinstance(row, dict)
        else row
        for row in raw
        for value in [row.get(privacy_field) if isinstance(row, dict) else None]
    ]
    return _read_rows(ClassifiedCall, rows)


def _read_row(kind: type[Row], answer: Answer) -> Row:
    """Read an answer that is one object; raises `EnreachUnreadableError` naming the fields at fault."""
    try:
        return TypeAdapter(kind).validate_python(answer.payload)
    except ValidationError as exc:
        # The validation error quotes the values it refuses, so it is no cause to carry along.
        raise _explain(answer, _name_faults(exc)) from None


def _read_list(answer: Answer) -> list[object]:
    """Return the bare JSON array the contract promises; raises `EnreachUnreadableError`."""
    if not isinstance(answer.payload, list):
        raise _explain(answer, "not an array")
    return answer.payload


def _name_faults(error: ValidationError) -> str:
    places = (".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False, include_url=False))
    return ", ".join(place or "not an object" for place in dict.fromkeys(places))


def _explain(answer: Answer, reason: str) -> EnreachUnreadableError:
    return EnreachUnreadableError(f"GET {answer.exchange.path}: {reason}", exchange=answer.exchange)


def _drop_repeats(rows: Iterable[object]) -> list[object]:
    """Keep the first of equal rows: windows share their boundary, and a call id alone is not unique to a row."""
    return list({json.dumps(row, sort_keys=True): row for row in rows}.values())


def _check_base_url(text: str) -> str:
    """Return the URL without trailing slashes; keys travel on it, so it must be https (http for loopback only).

    Raises `EnreachNotConfiguredError`.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as exc:
        raise EnreachNotConfiguredError("The Enreach URL is not a URL") from exc
    plain_host = _HOST.fullmatch(url.raw_host)
    if not plain_host or url.scheme not in {"http", "https"} or url.query or url.fragment or url.userinfo:
        raise EnreachNotConfiguredError("The Enreach URL must be of the form https://host/path")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise EnreachNotConfiguredError("The Enreach URL must be https")
    return str(url).rstrip("/")
