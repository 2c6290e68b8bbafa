"""Opens the database and everything that is kept in it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from app.auth.store import ApiKeyStore, KeyUseStore
from app.calls.store import CallTimes, DecisionStore, RecentCallsReader
from app.directory.mirror.store import MirrorStore
from app.directory.store import CallerSnapshotStore
from app.enterprise_calls.store import EnterpriseCallStore
from app.numbers.store import NumberStore
from app.operations.deliveries import DeliveryStore
from app.operations.registrations.store import ReadingStore
from app.operations.store import AlertStore, JobStore
from app.reports.rollup import Rollup
from app.reports.store import ReportStore
from app.rulesets.replay.shadow_store import ShadowResultStore
from app.rulesets.store import RulesetStore
from app.rulesets.switches.store import SwitchStore
from app.rulesets.tables.store import TableStore
from app.settings import Settings
from app.store.audit import AuditStore
from app.store.database import Database, open_database
from app.store.event_runs import EventRunStore
from app.store.settings_documents import ConfirmationStore, SettingsDocumentStore
from app.store.upgrade import StoreHealth
from app.users.store import EnreachIdStore

__all__ = ["Stores", "open_stores"]


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that is kept in the database."""

    database: Database
    health: StoreHealth
    decisions: DecisionStore
    rollup: Rollup
    reports: ReportStore
    rulesets: RulesetStore
    audit: AuditStore
    key_uses: KeyUseStore
    callers: CallerSnapshotStore
    mirror: MirrorStore
    numbers: NumberStore
    alerts: AlertStore
    deliveries: DeliveryStore
    call_times: CallTimes
    recent_calls: RecentCallsReader
    shadow_results: ShadowResultStore
    jobs: JobStore
    event_runs: EventRunStore
    documents: SettingsDocumentStore
    confirmations: ConfirmationStore
    registration_readings: ReadingStore
    api_keys: ApiKeyStore
    enreach_ids: EnreachIdStore
    enterprise_calls: EnterpriseCallStore
    switches: SwitchStore
    rule_tables: TableStore


def open_stores(settings: Settings, stack: AsyncExitStack) -> Stores:
    """Make them; their tables are brought up to date by `health.open`, or by `upgrade`.

    Raises StoreError with one clear line when the settings name no database that could be used.
    """
    database = open_database(settings.store.url)
    stack.push_async_callback(database.close)
    if database.is_sqlite:
        event.listen(database.engine.sync_engine, "invalidate", _roll_back)
    health = StoreHealth(database=database)
    stack.push_async_callback(health.aclose)
    rollup = Rollup(database=database, exports=settings.reports.export != "off")
    return Stores(
        database=database,
        health=health,
        decisions=DecisionStore(database=database, rollup=rollup),
        rollup=rollup,
        reports=ReportStore(database=database),
        rulesets=RulesetStore(database=database),
        audit=AuditStore(database=database),
        key_uses=KeyUseStore(database=database),
        callers=CallerSnapshotStore(database=database),
        mirror=MirrorStore(database=database),
        numbers=NumberStore(database=database),
        alerts=AlertStore(database=database),
        deliveries=DeliveryStore(database=database),
        call_times=CallTimes(database=database),
        recent_calls=RecentCallsReader(database=database),
        shadow_results=ShadowResultStore(database=database),
        jobs=JobStore(database=database),
        event_runs=EventRunStore(database=database),
        documents=SettingsDocumentStore(database=database),
        confirmations=ConfirmationStore(database=database),
        registration_readings=ReadingStore(database=database),
        api_keys=ApiKeyStore(database=database),
        enreach_ids=EnreachIdStore(database=database),
        enterprise_calls=EnterpriseCallStore(database=database),
        switches=SwitchStore(database=database),
        rule_tables=TableStore(database=database),
    )


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """End the transaction of a connection that is given up because its task was cancelled.

    SQLite keeps a closed connection, and its lock on the database, alive for as long as anything remembers one of its
    statements, and a cancelled task's traceback does.
    """
    connection.rollback()
