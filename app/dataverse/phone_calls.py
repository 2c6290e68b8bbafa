"""Phone-call activities: created once under an id of ours, then completed (Dataverse contract, section 7.5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from app.dataverse.batch import Part, send_batch
from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import DataverseError, PreconditionError, RecordNotFoundError

__all__ = ["PhoneCall", "PhoneCallActivities", "WriteOutcome", "make_activity_id"]

_NAMESPACE = UUID("0d5e6f0a-8a53-5f0e-9a55-2f4f9a3f6b1c")
_SETS = {"contact": "contacts", "account": "accounts"}
_SENDER, _RECIPIENT = 1, 2
_OPEN, _COMPLETED = 0, 1
_MADE, _RECEIVED = 2, 4
_MAX_SUBJECT = 200


def make_activity_id(call_id: str, part: str = "") -> UUID:
    """Derive the id of the activity of a call, or of one user's part in it, so that writing it again finds it."""
    return uuid5(_NAMESPACE, f"{call_id.strip().casefold()}/{part.strip().casefold()}")


class WriteOutcome(StrEnum):
    """What became of one activity."""

    CREATED = "created"
    """Created and completed now."""
    COMPLETED = "completed"
    """An earlier write had not come to its end; it did now."""
    EXISTED = "existed"
    """It was there and closed; by us, or by a person."""
    LEFT = "left"
    """It is open and somebody has changed it, so it is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCall:
    """One activity as it is to be."""

    id: UUID
    number: str = field(repr=False)
    """The other party, in E.164."""
    outgoing: bool
    """Whether the user called."""
    started_at: float
    """Seconds since the epoch."""
    seconds: float = 0.0
    answered: bool = True
    user_id: str | None
    """The `systemuserid` of who took part; `None` leaves that party to `owner_id` alone."""
    owner_id: str | None = None
    """Who owns it; the user where it is not said."""
    kind: str | None = None
    """`contact` or `account`; `None` when nobody in Dynamics has the number."""
    record_id: str | None = None
    """The other party and what the activity is about."""
    description: str | None = field(default=None, repr=False)

    def describe(self) -> dict[str, object]:
        """Return the columns to create it with, all of them: a completed activity takes no more."""
        subject = f"Call {'to' if self.outgoing else 'from'} {self.number}"
        columns: dict[str, object] = {
            "subject": (subject if self.answered else f"{subject} (not answered)")[:_MAX_SUBJECT],
            "phonenumber": self.number,
            "directioncode": self.outgoing,
            "actualstart": _write_time(self.started_at),
            "actualend": _write_time(self.started_at + self.seconds),
            "actualdurationminutes": round(self.seconds / 60),
            "description": self.description,
            "phonecall_activity_parties": [*self._list_parties()],
        }
        if self.kind is not None:
            columns[f"regardingobjectid_{self.kind}_phonecall@odata.bind"] = self._bind()
        if owner := self.owner_id or self.user_id:
            columns["ownerid@odata.bind"] = f"/systemusers({owner})"
        return {name: value for name, value in columns.items() if value is not None}

    @property
    def completion(self) -> Mapping[str, int]:
        """The columns that complete it."""
        return {"statecode": _COMPLETED, "statuscode": _MADE if self.outgoing else _RECEIVED}

    def _bind(self) -> str:
        return f"/{_SETS[self.kind or '']}({self.record_id})"

    def _list_parties(self) -> Iterable[Mapping[str, object]]:
        other = {f"partyid_{self.kind}@odata.bind": self._bind()} if self.kind else {"unresolvedpartyname": self.number}
        yield {
            **other,
            "addressused": self.number,
            "participationtypemask": _RECIPIENT if self.outgoing else _SENDER,
        }
        if self.user_id is not None:
            mask = _SENDER if self.outgoing else _RECIPIENT
            yield {"partyid_systemuser@odata.bind": f"/systemusers({self.user_id})", "participationtypemask": mask}


class PhoneCallActivities:
    """Writes activities, many in few requests; writing one again, or at once elsewhere too, makes no second one."""

    def __init__(self, *, client: DataverseClient) -> None:
        """`client` must leave calls their part of the request budget."""
        self._client = client

    async def write(self, calls: Sequence[PhoneCall]) -> list[WriteOutcome | DataverseError]:
        """Create and complete activities; one that Dataverse refuses for itself gets its own error.

        Raises DataverseError for what concerns all of them; then write all of them again later.
        """
        created = await self._send([_create(call) for call in calls])
        outcomes: dict[UUID, WriteOutcome | DataverseError] = {
            call.id: answer
            for call, answer in zip(calls, created, strict=True)
            if isinstance(answer, DataverseError) and not isinstance(answer, PreconditionError)
        }
        new = [call for call, answer in zip(calls, created, strict=True) if not isinstance(answer, DataverseError)]
        there = [call for call, answer in zip(calls, created, strict=True) if isinstance(answer, PreconditionError)]
        answers = await self._send([*(_complete(call) for call in new), *(_read(call) for call in there)])
        half_written: dict[UUID, Part] = {}
        for call, answer in zip(new, answers[: len(new)], strict=True):
            outcomes[call.id] = _judge_completion(answer, WriteOutcome.CREATED)
        for call, answer in zip(there, answers[len(new) :], strict=True):
            outcomes[call.id] = found = answer if isinstance(answer, DataverseError) else _judge_found(answer)
            if found is WriteOutcome.COMPLETED and not isinstance(answer, DataverseError):
                half_written[call.id] = _complete(call, etag=str(answer.get("@odata.etag", "*")))
        for call_id, answer in zip(half_written, await self._send([*half_written.values()]), strict=True):
            outcomes[call_id] = _judge_completion(answer, WriteOutcome.COMPLETED)
        return [outcomes[call.id] for call in calls]

    async def _send(self, parts: Sequence[Part]) -> list[Row | DataverseError]:
        answers = await send_batch(self._client, parts)
        failed = next((each for each in answers if isinstance(each, DataverseError) and each.transient), None)
        if failed is not None:
            raise failed
        return answers


def _create(call: PhoneCall) -> Part:
    headers = {"If-None-Match": "*"}
    return Part(method="PATCH", path=f"phonecalls({call.id})", headers=headers, body=call.describe())


def _complete(call: PhoneCall, *, etag: str = "*") -> Part:
    return Part(method="PATCH", path=f"phonecalls({call.id})", headers={"If-Match": etag}, body=call.completion)


def _read(call: PhoneCall) -> Part:
    return Part(method="GET", path=f"phonecalls({call.id})?$select=statecode,createdon,modifiedon")


def _judge_found(row: Row) -> WriteOutcome:
    """Judge an activity that was there: what we left open nobody has changed since it was created."""
    if row.get("statecode") != _OPEN:
        return WriteOutcome.EXISTED
    return WriteOutcome.COMPLETED if row.get("modifiedon") == row.get("createdon") else WriteOutcome.LEFT


def _judge_completion(answer: Row | DataverseError, done: WriteOutcome) -> WriteOutcome | DataverseError:
    """Judge the second step: who changed, closed or deleted the activity meanwhile was faster, and is left alone."""
    if isinstance(answer, PreconditionError | RecordNotFoundError):
        return WriteOutcome.LEFT
    return answer if isinstance(answer, DataverseError) else done


def _write_time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
