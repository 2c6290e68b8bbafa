"""Everything that is opened once a process, before it is handed to requests."""

from dataclasses import dataclass

from app.auth.key_use import KeyUse
from app.bootstrap.dataverse import Organisation
from app.bootstrap.spans import ExportCall
from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Upstreams
from app.directory.cached import CachedDirectory
from app.directory.load_shedding import LoadShedding
from app.enreach.client import EnreachClient
from app.observability.metrics import Metrics
from app.routing.wire import ResponseProfile
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.shadow import Shadow
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover
from app.users.enreach_id_cache import EnreachIdCache

__all__ = ["Components"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Everything that was opened, on its way into the lifespan state."""

    settings: Settings
    upstreams: Upstreams
    profile: ResponseProfile
    metrics: Metrics
    stores: Stores
    organisation: Organisation
    enreach: EnreachClient | None
    """`None` when the Enreach API is not configured."""
    directory: CachedDirectory
    load_shedding: LoadShedding
    live_ruleset: LiveRuleset
    shadow: Shadow
    journal: Journal
    mover: JournalMover
    export_call: ExportCall | None
    """`None` when nobody collects spans."""
    key_use: KeyUse
    enreach_id_cache: EnreachIdCache
