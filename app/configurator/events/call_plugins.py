"""The built-in plugins about the call itself: why it was routed so, and the phone-call activity it becomes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

from pydantic import Field

from app.calls.store import DecisionFilter, DecisionStore
from app.configurator.events.context import EventContext, read_record_id
from app.configurator.events.plugin import NoParameters, Parameters, PluginError
from app.dataverse.client import DataverseClient
from app.dataverse.phone_calls import PhoneCall, make_activity_id, write_phone_call
from app.routing.callers import CallerKind
from app.routing.decisions import DecisionRecord, Outcome
from app.routing.numbers import PhoneNumber

__all__ = ["CreatePhoneCall", "RoutingExplanation"]

EXPLANATION: Final = "routing-explanation"
_NO_CALL_ID: Final = "eventData.serverSideCallId is missing, so nothing tells this call from others"


class Revision(Protocol):
    """A published ruleset."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The ruleset file."""


class Revisions(Protocol):
    """The published rulesets."""

    async def revision(self, number: int) -> Revision:
        """Return a revision; raises NotFoundError and StoreError."""


class RoutingExplanation:
    """Says why smart routing sent the call where it went."""

    id: Final = EXPLANATION
    description: Final = "Say in results why the call was routed so; create-phone-call writes it to the activity."
    parameters: Final = NoParameters

    def __init__(self, *, decisions: DecisionStore, revisions: Revisions) -> None:
        self._decisions = decisions
        self._revisions = revisions

    async def run(self, context: EventContext, _parameters: NoParameters) -> EventContext:
        """Explain the last decision about the call; a call that nobody asked about has nothing to explain."""
        if context.call_id is None:
            raise PluginError(_NO_CALL_ID)
        wanted = DecisionFilter(call_id=context.call_id, drill=False)
        found = (await self._decisions.page(wanted, limit=1)).items
        if not found:
            return context
        record = found[0]
        revision = None if record.revision is None else await self._revisions.revision(record.revision)
        text = _explain(record, {} if revision is None else revision.document)
        return context.with_result(self.id, {"text": text, "decision": record.id})

    def preview(self, _context: EventContext, _parameters: NoParameters) -> None:
        """Only read."""


class PhoneCallParameters(Parameters):
    """What the activity says."""

    subject: Annotated[str, Field(min_length=1, max_length=150)] | None = None
    """Text with `{number}` and `{customer}` in it; absent: `Call from …` or `Call to …`."""
    started_key: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Key of `eventData` that holds when the call began: ISO 8601, or milliseconds since 1970."""


class CreatePhoneCall:
    """Writes the phone-call activity of a call that has ended, once."""

    id: Final = "create-phone-call"
    description: Final = "Create the phone-call activity of the call in Dynamics, once, and complete it."
    parameters: Final = PhoneCallParameters

    def __init__(
        self,
        *,
        client: DataverseClient,
        read_number: Callable[[object], PhoneNumber],
        read_assignee: Callable[[], UUID | None],
        clock: Callable[[], float],
    ) -> None:
        """`read_assignee` tells who owns activities of agents that are nobody in Dynamics."""
        self._client = client
        self._read_number = read_number
        self._read_assignee = read_assignee
        self._clock = clock

    async def run(self, context: EventContext, parameters: PhoneCallParameters) -> EventContext:
        """Write it; of several events about one call the first makes the activity."""
        phone_call = self._describe(context, parameters)
        created = await write_phone_call(self._client, phone_call)
        activity = str(make_activity_id(phone_call.call_id))
        return context.with_result(self.id, {"activityId": activity, "created": created})

    def preview(self, context: EventContext, parameters: PhoneCallParameters) -> str:
        """Say what the activity would be; raises PluginError."""
        phone_call = self._describe(context, parameters)
        owner = phone_call.user_id or "the application user"
        activity = make_activity_id(phone_call.call_id)
        return f'create and complete the phone-call activity {activity}, "{phone_call.subject}", owned by {owner}'

    def _describe(self, context: EventContext, parameters: PhoneCallParameters) -> PhoneCall:
        if context.call_id is None:
            raise PluginError(_NO_CALL_ID)
        outgoing = context.direction == 1
        number = self._read_number(context.phone_number).e164 or context.phone_number or "a withheld number"
        customer = context.customer
        return PhoneCall(
            call_id=context.call_id,
            subject=_write_subject(parameters.subject, number, context, outgoing=outgoing),
            number=number,
            outgoing=outgoing,
            customer=None if customer is None else (CallerKind(customer.logical_name), customer.id),
            user_id=self._find_owner(context.crm_user_id),
            started_at=_read_time(context.event_data, parameters.started_key),
            ended_at=datetime.fromtimestamp(self._clock(), UTC),
            description=_read_explanation(context),
        )

    def _find_owner(self, crm_user_id: str | None) -> str | None:
        if crm_user_id:
            try:
                return read_record_id(crm_user_id)
            except ValueError as error:
                raise PluginError("crmUserId is no GUID") from error
        assignee = self._read_assignee()
        return None if assignee is None else str(assignee)


def _write_subject(template: str | None, number: str, context: EventContext, *, outgoing: bool) -> str:
    if template is None:
        template = "Call to {number}" if outgoing else "Call from {number}"
    name = (context.customer and context.customer.name) or ""
    return template.replace("{number}", number).replace("{customer}", name).strip()


def _read_explanation(context: EventContext) -> str:
    found = context.results.get(EXPLANATION)
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""


def _read_time(data: Mapping[str, Any], key: str | None) -> datetime | None:
    value = None if key is None else data.get(key)
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise PluginError(f"eventData.{key} holds no time") from error
    return None


def _explain(record: DecisionRecord, ruleset: Mapping[str, Any]) -> str:
    """Write one sentence: `Routed to VIP service because …`."""
    done = {
        Outcome.REDIRECT: f"Routed to {_name_target(record, ruleset)}",
        Outcome.DISCONNECT: "Disconnected",
        Outcome.NO_CHANGE: "Left with the queue's own routing",
    }[record.outcome]
    return f"{done} because {_name_reason(record, ruleset)}."


def _name_target(record: DecisionRecord, ruleset: Mapping[str, Any]) -> str:
    name = record.decision.get("redirect")
    if not isinstance(name, str):
        return "an agent"
    destination = ruleset.get("destinations", {}).get(name) or {}
    return str(destination.get("label") or name)


def _name_reason(record: DecisionRecord, ruleset: Mapping[str, Any]) -> str:
    if record.rule is None:
        return "no rule matched"
    rule: Mapping[str, Any] = next((each for each in ruleset.get("rules", ()) if each.get("id") == record.rule), {})
    name = rule.get("name") or record.rule
    vip = record.facts.get("caller.vip_reason")
    return f'{vip} (rule "{name}")' if isinstance(vip, str) and _tests_vip(rule) else f'of the rule "{name}"'


def _tests_vip(rule: Mapping[str, Any]) -> bool:
    return "caller.vip" in str(rule.get("when"))
