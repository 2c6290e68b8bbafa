"""Opens what watches app registrations."""

from collections.abc import Awaitable, Callable

import httpx
from pydantic import SecretStr

from app.bootstrap.foundation import Foundation
from app.dataverse.credentials import try_secret
from app.graph import GraphClient
from app.operations.alert_rules import AlertRule
from app.operations.alerts import AlertMonitor
from app.operations.registrations.components import RegistrationComponents
from app.operations.registrations.reader import LOOK_SECONDS, OwnCredential, RegistrationReader
from app.operations.registrations.registrations import AppRegistrations
from app.operations.registrations.renewals import Renewals
from app.operations.schedule import Schedule
from app.settings import DataverseAuth, DataverseSettings

__all__ = ["open_registrations"]

_EXPIRY_SECONDS = 60.0


def open_registrations(
    foundation: Foundation,
    graph: GraphClient | None,
    *,
    schedule: Schedule,
    monitor: AlertMonitor,
    lead: Callable[[], Awaitable[bool]],
    authority: httpx.AsyncClient,
) -> RegistrationComponents:
    """Open it: registrations are read now and then, their days are metrics, and the last of them are alerts."""
    stores, clock, dataverse = foundation.stores, foundation.upstreams.clock, foundation.settings.dataverse
    own = _find_own(dataverse)
    registrations = AppRegistrations(documents=stores.documents, readings=stores.registration_readings, clock=clock)
    reader = RegistrationReader(
        graph=graph,
        registrations=registrations,
        store=stores.registration_readings,
        own=own,
        lead=lead,
        clock=clock,
    )
    schedule.every(LOOK_SECONDS, "registration_readings", reader.run_once)
    schedule.every(_EXPIRY_SECONDS, "app_registrations", registrations.refresh)
    monitor.add_rules(AlertRule("app_registration_expiring", registrations.find_expiring, shared=True))

    async def try_one(application_id: str, secret: SecretStr) -> None:
        await try_secret(authority, dataverse, client_id=application_id, secret=secret)

    renewals = Renewals(registrations=registrations, reader=reader, own=own, try_secret=try_one, clock=clock)
    return RegistrationComponents(registrations=registrations, reader=reader, renewals=renewals, clock=clock)


def _find_own(dataverse: DataverseSettings) -> OwnCredential | None:
    """Find the secret that this service signs in with; a ready-made token stands for one that is set beside it."""
    by_secret = dataverse.auth in {DataverseAuth.CLIENT_SECRET, DataverseAuth.TOKEN}
    if not by_secret or dataverse.client_id is None or dataverse.client_secret is None:
        return None
    return OwnCredential(dataverse.client_id, dataverse.client_secret)
