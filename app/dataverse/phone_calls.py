"""Phone-call activities: created once for each call, whoever writes and however often, and completed afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from app.dataverse.batch import Part, send_batch
from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import DataverseError, PreconditionError, RecordNotFoundError
from app.routing.callers import CallerKind

__all__ = ["PhoneCall", "WriteOutcome", "make_activity_id", "write_phone_call", "write_phone_calls"]

_NAMESPACE: Final = UUID("9a1f3c0e-6a53-4f0f-8a56-0d5b2c1e7f42")
"""Of the ids made from call ids; another one would make a second activity of every call that has one."""
_SETS: Final = {CallerKind.CONTACT: "contacts", CallerKind.ACCOUNT: "accounts"}
_FROM, _TO = 1, 2
_OPEN, _COMPLETED = 0, 1
_MADE, _RECEIVED = 2, 4
_MAX_SHORT: Final = 200
_MAX_DESCRIPTION: Final = 2000


class WriteOutcome(StrEnum):
    """What became of one activity."""

    CREATED = "created"
    """Created and completed now."""
    COMPLETED = "completed"
    """It was there as an earlier write had left it, and is completed now."""
    EXISTED = "existed"
    """It was there and closed, by us or by a person."""
    LEFT = "left"
    """It is open and somebody has changed it, so it is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCall:
    """What an activity tells about one call."""

    call_id: str
    """Enreach's id of the whole call: of all that is written about it, the first becomes the activity."""
    part: str = ""
    """Whose part in the call it is, where each gets an activity of their own."""
    subject: str = field(repr=False)
    number: str = field(repr=False)
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

    @property
    def path(self) -> str:
        """The place of the activity in the Web API."""
        return f"phonecalls({make_activity_id(self.call_id, self.part)})"

    @property
    def completion(self) -> dict[str, int]:
        """The columns that complete it."""
        return {"statecode": _COMPLETED, "statuscode": _MADE if self.outgoing else _RECEIVED}


def make_activity_id(call_id: str, part: str = "") -> UUID:
    """Derive the `activityid` from a call id, so that two who write about one call cannot make two activities."""
    name = call_id.strip().lower()
    return uuid5(_NAMESPACE, f"{name}/{part.strip().lower()}" if part else name)


async def write_phone_call(client: DataverseClient, phone_call: PhoneCall) -> bool:
    """Write one activity as `write_phone_calls` does; tell whether it was created. Raises DataverseError."""
    [outcome] = await write_phone_calls(client, [phone_call])
    if isinstance(outcome, DataverseError):
        raise outcome
    return outcome is WriteOutcome.CREATED


async def write_phone_calls(
    client: DataverseClient, phone_calls: Sequence[PhoneCall]
) -> list[WriteOutcome | DataverseError]:
    """Create each activity unless it is there, and complete it; many travel in few requests.

    An activity that is there keeps what it says. One that nobody has changed since it was created was left open by a
    process that ended between the two steps, and is completed (Dataverse contract, section 7.5). One that Dataverse
    refuses for itself gets its own error. Raises DataverseError for what concerns all; writing again is harmless.
    """
    created = await _send(client, [_create(call) for call in phone_calls])
    outcomes: dict[int, WriteOutcome | DataverseError] = {}
    new, there = [], []
    for index, answer in enumerate(created):
        if isinstance(answer, PreconditionError):
            there.append(index)
        elif isinstance(answer, DataverseError):
            outcomes[index] = answer
        else:
            new.append(index)
    parts = [*(_complete(phone_calls[index]) for index in new), *(_read(phone_calls[index]) for index in there)]
    answers = iter(await _send(client, parts))
    for index in new:
        outcomes[index] = _judge_completion(next(answers), WriteOutcome.CREATED)
    half_written: dict[int, Part] = {}
    for index, found in zip(there, answers, strict=True):
        outcomes[index] = found if isinstance(found, DataverseError) else _judge_found(found)
        if not isinstance(found, DataverseError) and outcomes[index] is WriteOutcome.COMPLETED:
            half_written[index] = _complete(phone_calls[index], etag=found["@odata.etag"])
    for index, answer in zip(half_written, await _send(client, [*half_written.values()]), strict=True):
        outcomes[index] = _judge_completion(answer, WriteOutcome.COMPLETED)
    return [outcomes[index] for index in range(len(phone_calls))]


async def _send(client: DataverseClient, parts: Sequence[Part]) -> list[Row | DataverseError]:
    """Send all of them; raises DataverseError when one may succeed later without anybody changing anything."""
    answers = await send_batch(client, parts)
    for answer in answers:
        if isinstance(answer, DataverseError) and answer.transient:
            raise answer
    return answers


def _create(call: PhoneCall) -> Part:
    return Part(method="PATCH", path=call.path, headers={"If-None-Match": "*"}, body=_describe(call))


def _complete(call: PhoneCall, *, etag: str = "*") -> Part:
    return Part(method="PATCH", path=call.path, headers={"If-Match": etag}, body=call.completion)


def _read(call: PhoneCall) -> Part:
    return Part(method="GET", path=f"{call.path}?$select=statecode,createdon,modifiedon")


def _judge_found(row: Row) -> WriteOutcome:
    if row.get("statecode") != _OPEN:
        return WriteOutcome.EXISTED
    return WriteOutcome.COMPLETED if row.get("modifiedon") == row.get("createdon") else WriteOutcome.LEFT


def _judge_completion(answer: Row | DataverseError, done: WriteOutcome) -> WriteOutcome | DataverseError:
    """Judge the second step: who changed or deleted the activity meanwhile was faster, and is left alone."""
    if isinstance(answer, PreconditionError | RecordNotFoundError):
        return WriteOutcome.LEFT
    return answer if isinstance(answer, DataverseError) else done


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
