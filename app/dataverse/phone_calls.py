"""Phone-call activities: created once for each call, whoever writes and however often, and completed afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

from app.dataverse.client import DataverseClient
from app.routing.callers import CallerKind

__all__ = ["PhoneCall", "make_activity_id", "write_phone_call"]

_NAMESPACE: Final = UUID("9a1f3c0e-6a53-4f0f-8a56-0d5b2c1e7f42")
"""Of the ids made from call ids; another one would make a second activity of every call that has one."""
_SETS: Final = {CallerKind.CONTACT: "contacts", CallerKind.ACCOUNT: "accounts"}
_FROM, _TO = 1, 2
_OPEN, _COMPLETED = 0, 1
_MADE, _RECEIVED = 2, 4
_MAX_SHORT: Final = 200
_MAX_DESCRIPTION: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCall:
    """What an activity tells about one call."""

    call_id: str
    """Enreach's id of the whole call: of all that is written about it, the first becomes the activity."""
    subject: str
    number: str
    """The other party's, in E.164."""
    outgoing: bool
    customer: tuple[CallerKind, str] | None = None
    """The contact or account it is regarding, by id; nobody for `None`."""
    user_id: str | None = None
    """The `systemuserid` of who spoke, who owns it; the application user for `None`."""
    started_at: datetime | None = None
    """Times are aware of their zone."""
    ended_at: datetime | None = None
    description: str = ""


def make_activity_id(call_id: str) -> UUID:
    """Derive the `activityid` from a call id, so that two who write about one call cannot make two activities."""
    return uuid5(_NAMESPACE, call_id.strip().lower())


async def write_phone_call(client: DataverseClient, phone_call: PhoneCall) -> bool:
    """Create the activity unless it is there, and complete it unless it is; tell whether it was created.

    An activity that is there keeps what it says: a completed one cannot be changed, and one that is open was left so
    by a process that ended between the two steps (Dataverse contract, section 7.5). Raises DataverseError; writing
    again is harmless.
    """
    path = f"phonecalls({make_activity_id(phone_call.call_id)})"
    created = await client.create_as(path, _describe(phone_call))
    if created or (await client.get_json(f"{path}?$select=statecode")).get("statecode") == _OPEN:
        status = _MADE if phone_call.outgoing else _RECEIVED
        await client.update(path, {"statecode": _COMPLETED, "statuscode": status})
    return created


def _describe(call: PhoneCall) -> dict[str, object]:
    row: dict[str, object] = {
        "subject": call.subject[:_MAX_SHORT],
        "phonenumber": call.number[:_MAX_SHORT],
        "directioncode": call.outgoing,
        "description": call.description[:_MAX_DESCRIPTION],
        "phonecall_activity_parties": _list_parties(call),
    }
    if call.started_at is not None:
        row["actualstart"] = _write_time(call.started_at)
    if call.ended_at is not None:
        row["actualend"] = _write_time(call.ended_at)
    if call.started_at is not None and call.ended_at is not None:
        seconds = (call.ended_at - call.started_at).total_seconds()
        row["actualdurationminutes"] = max(0, round(seconds / 60))
    if call.customer is not None:
        kind, customer_id = call.customer
        row[f"regardingobjectid_{kind}_phonecall@odata.bind"] = f"/{_SETS[kind]}({customer_id})"
    if call.user_id is not None:
        row["ownerid@odata.bind"] = f"/systemusers({call.user_id})"
    return row


def _list_parties(call: PhoneCall) -> list[dict[str, object]]:
    """Say who called whom; whoever is in no table is told by the number."""
    other: dict[str, object] = {"participationtypemask": _TO if call.outgoing else _FROM, "addressused": call.number}
    if call.customer is None:
        other["unresolvedpartyname"] = call.number
    else:
        kind, customer_id = call.customer
        other[f"partyid_{kind}@odata.bind"] = f"/{_SETS[kind]}({customer_id})"
    if call.user_id is None:
        return [other]
    mask = _FROM if call.outgoing else _TO
    return [other, {"participationtypemask": mask, "partyid_systemuser@odata.bind": f"/systemusers({call.user_id})"}]


def _write_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
