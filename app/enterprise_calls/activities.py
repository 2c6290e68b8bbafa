"""Phone-call activities in Dynamics: those that are there already, and those of calls."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.dataverse.client import DataverseClient, Row
from app.dataverse.phone_calls import PhoneCall
from app.dataverse.queries import build_path
from app.enterprise_calls.rules import CallEvent, KnownActivity, Verdict
from app.routing.numbers import read_number

__all__ = ["make_phone_call", "read_activities"]

_COLUMNS = "activityid,actualstart,directioncode,phonenumber,_regardingobjectid_value,_ownerid_value"


async def read_activities(
    client: DataverseClient, *, since: float, until: float, region: str
) -> Sequence[KnownActivity]:
    """Read the activities that began between two times; raises DataverseError."""
    options = {"$select": _COLUMNS, "$filter": f"actualstart ge {_write(since)} and actualstart le {_write(until + 1)}"}
    return [_read(row, region) for row in await client.get_rows(build_path("phonecalls", options))]


def make_phone_call(event: CallEvent, verdict: Verdict) -> PhoneCall:
    """Describe the activity of a call that the rules want."""
    number, started = event.number or "", event.started_at or 0.0
    subject = f"Call {'to' if event.outgoing else 'from'} {number}"
    return PhoneCall(
        call_id=event.call_id,
        part=event.user_name or "",
        subject=subject if event.answered else f"{subject} (not answered)",
        number=number,
        outgoing=event.outgoing,
        customer=verdict.customer,
        user_id=verdict.owner_id,
        started_at=datetime.fromtimestamp(started, UTC),
        ended_at=datetime.fromtimestamp(started + event.seconds, UTC),
    )


def _read(row: Row, region: str) -> KnownActivity:
    return KnownActivity(
        id=str(row["activityid"]).lower(),
        started_at=datetime.fromisoformat(row["actualstart"]).timestamp(),
        outgoing=row.get("directioncode"),
        number=read_number(row.get("phonenumber"), region).e164,
        record_id=row.get("_regardingobjectid_value"),
        owner_id=row.get("_ownerid_value"),
    )


def _write(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
