"""The components of events, and how they are put together."""

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

from app.auth.guessing import GuessBrake
from app.auth.webhook import KeyUse, WebhookAccess
from app.calls.call_settings import LiveCallSettings
from app.calls.store import DecisionStore
from app.configurator.events.administration import EventAdministration, RowChange
from app.configurator.events.call_plugins import CreatePhoneCall, Revisions, RoutingExplanation
from app.configurator.events.context import EventContext
from app.configurator.events.customer_plugins import IdentifyCustomer, OpenCases, VipCheck
from app.configurator.events.customers import CustomerRecords
from app.configurator.events.hook_plugins import HttpsHook, SignedWebhook
from app.configurator.events.live_events import LiveEvents
from app.configurator.events.plugin import InstalledPlugin, Plugins, load_plugins
from app.configurator.events.run import EventRun, EventRunner, RunSink
from app.dataverse.client import DataverseClient
from app.errors import PreconditionFailedError
from app.observability.redaction import redact_number
from app.operations.hook_sender import AddressPolicy, HookSender
from app.routing.numbers import PhoneNumber
from app.settings import Settings
from app.store.audit import AuditStore
from app.store.errors import StoreError
from app.store.event_runs import EventRunRecord, EventRunStore
from app.store.pages import Page
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["BUILT_IN", "EventComponents", "EventStores", "open_events"]


BUILT_IN: Final[tuple[Any, ...]] = (
    IdentifyCustomer,
    OpenCases,
    VipCheck,
    RoutingExplanation,
    CreatePhoneCall,
    SignedWebhook,
    HttpsHook,
)
"""The plugins of this package, as classes that say what each is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStores:
    """What events need of the database."""

    documents: SettingsDocumentStore
    runs: EventRunStore
    decisions: DecisionStore
    revisions: Revisions
    audit: AuditStore


@dataclass(frozen=True, slots=True, kw_only=True)
class EventComponents:
    """What the routes of events use."""

    administration: EventAdministration
    runner: EventRunner
    plugins: Plugins
    access: WebhookAccess
    max_body_bytes: int
    stores: EventStores
    live_events: LiveEvents
    key_use: KeyUse
    clock: Callable[[], float]

    def touch_key(self, label: str) -> None:
        """Note that a credential was used."""
        self.key_use.touch(label, self.clock())

    async def rehearse(self, event_id: str, context: EventContext, *, who: str) -> EventRun:
        """Try the rows on a made-up context; leaves an audit entry first, since customers are really looked up."""
        self.live_events.find(event_id)
        number = redact_number(context.phone_number)
        await self.stores.audit.add(
            at=self.clock(), who=who, what="event.tested", target=f"events/{event_id}", after=number or None
        )
        return await self.runner.rehearse(event_id, context)

    async def add_sample_row(self) -> None:
        """Give an event of the demo a row that fails, to look at, unless somebody changed the event before."""
        hook = RowChange(parameters={"url": "https://localhost/calls"})
        with suppress(PreconditionFailedError, StoreError):
            await self.administration.add_row("call-incoming", "https-hook", hook, number=50, expected=0, who="demo")

    async def list_runs(self, event_id: str, *, limit: int, after: str | None) -> Page[EventRunRecord]:
        """List the runs of an event, newest first; raises NotFoundError and StoreError."""
        self.live_events.find(event_id)
        return await self.stores.runs.page(event_id, limit=limit, after=after)


def open_events(
    *,
    settings: Settings,
    stores: EventStores,
    live_events: LiveEvents,
    live_settings: LiveCallSettings,
    read_settings: Callable[[], Settings],
    dataverse: DataverseClient,
    runs: RunSink,
    key_use: KeyUse,
    guess_brake: GuessBrake,
    clock: Callable[[], float],
    stack: AsyncExitStack,
) -> EventComponents:
    """Make them; `dataverse` is a client that leaves calls their share, and `read_settings` tells those of now."""

    def read_number(text: object) -> PhoneNumber:
        return live_settings.call_settings().read_number(text)

    sender = HookSender(policy=AddressPolicy(settings.plugins.allowed_networks), clock=clock)
    stack.push_async_callback(sender.aclose)
    records = CustomerRecords(client=dataverse, read_settings=read_settings, clock=clock)
    plugins = load_plugins(
        (
            InstalledPlugin(IdentifyCustomer(records=records, read_number=read_number), built_in=True),
            InstalledPlugin(OpenCases(records=records), built_in=True),
            InstalledPlugin(VipCheck(records=records), built_in=True),
            InstalledPlugin(RoutingExplanation(decisions=stores.decisions, revisions=stores.revisions), built_in=True),
            InstalledPlugin(
                CreatePhoneCall(
                    client=dataverse,
                    read_number=read_number,
                    read_assignee=lambda: read_settings().phone_call_sync.default_crm_assignee,
                    clock=clock,
                ),
                built_in=True,
            ),
            InstalledPlugin(SignedWebhook(sender=sender, clock=clock), built_in=True),
            InstalledPlugin(HttpsHook(sender=sender, clock=clock), built_in=False),
        )
    )
    return EventComponents(
        administration=EventAdministration(store=stores.documents, live=live_events, plugins=plugins, clock=clock),
        runner=EventRunner(
            live_events=live_events,
            plugins=plugins,
            runs=runs,
            read_number=read_number,
            timeout=settings.plugins.event_timeout_ms / 1000,
            clock=clock,
        ),
        plugins=plugins,
        access=WebhookAccess(settings.webhook, brake=guess_brake),
        max_body_bytes=settings.webhook.max_body_bytes,
        stores=stores,
        live_events=live_events,
        key_use=key_use,
        clock=clock,
    )
