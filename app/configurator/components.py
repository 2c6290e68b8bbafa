"""The components of the configurator: the authentication mode, the settings and the events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import httpx

from app.configurator.authentication_mode import AuthenticationModes
from app.configurator.events.components import EventComponents
from app.configurator.issuer_check import IssuerCheck
from app.configurator.settings.administration import Judge, SettingsAdministration
from app.configurator.settings.live_settings import LiveSettings
from app.store.audit import AuditStore
from app.store.settings_documents import ConfirmationStore, SettingsDocumentStore

__all__ = ["ConfiguratorComponents", "ConfiguratorState", "EventComponents", "open_configurator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguratorComponents:
    """What the routes of this capability use."""

    authentication_modes: AuthenticationModes
    settings: SettingsAdministration
    events: EventComponents


class ConfiguratorState(TypedDict):
    """Its place in the lifespan state."""

    configurator: ConfiguratorComponents


def open_configurator(
    *,
    documents: SettingsDocumentStore,
    confirmations: ConfirmationStore,
    audit: AuditStore,
    live_settings: LiveSettings,
    judge: Judge,
    events: EventComponents,
    issuer_http: httpx.AsyncClient,
    clock: Callable[[], float],
) -> ConfiguratorComponents:
    """Make them; `judge` tells what the live ruleset would lose by other settings."""
    return ConfiguratorComponents(
        authentication_modes=AuthenticationModes(
            documents=documents,
            confirmations=confirmations,
            audit=audit,
            checker=IssuerCheck(http=issuer_http),
            clock=clock,
        ),
        settings=SettingsAdministration(store=documents, live=live_settings, judge=judge, clock=clock),
        events=events,
    )
