"""Everything that is opened once a process, before it is handed to requests."""

from dataclasses import dataclass

from app.auth.key_use import KeyUse
from app.bootstrap.dataverse import Organisation
from app.bootstrap.spans import ExportCall
from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Outside
from app.directory.cached import CachedDirectory
from app.directory.load_shedding import WaitingRoom
from app.enreach.client import EnreachClient
from app.observability.metrics import Metrics
from app.routing.wire import ResponseProfile
from app.rulesets.rulebook import Rulebook
from app.rulesets.shadow import Shadow
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover
from app.users.enreach_id_cache import AgentBook

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that was opened, on its way into the lifespan state."""

    settings: Settings
    outside: Outside
    profile: ResponseProfile
    metrics: Metrics
    stores: Stores
    organisation: Organisation
    enreach: EnreachClient | None
    """`None` when the Enreach API is not configured."""
    directory: CachedDirectory
    waiting_room: WaitingRoom
    rulebook: Rulebook
    shadow: Shadow
    journal: Journal
    mover: JournalMover
    export_call: ExportCall | None
    """`None` when nobody collects spans."""
    key_use: KeyUse
    agent_book: AgentBook
