"""The components of Enterprise Calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypedDict

from app.dataverse.client import DataverseClient
from app.enreach.client import EnreachClient
from app.enterprise_calls.call_log import CallLog
from app.enterprise_calls.checklist import Checklist
from app.enterprise_calls.jobs import SyncJobs
from app.enterprise_calls.overnight import OvernightRun
from app.enterprise_calls.store import EnterpriseCallStore
from app.enterprise_calls.sync import CallSync, FindCallers, ReadUsers
from app.enterprise_calls.watch import SyncWatch
from app.operations.jobs import JobRunner
from app.settings import Settings
from app.store.audit import AuditStore

__all__ = ["EnterpriseCallComponents", "EnterpriseCallsState", "open_enterprise_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterpriseCallComponents:
    """What the routes of this capability use."""

    call_log: CallLog
    checklist: Checklist
    jobs: SyncJobs
    store: EnterpriseCallStore
    watch: SyncWatch


class EnterpriseCallsState(TypedDict):
    """Its place in the lifespan state."""

    enterprise_calls: EnterpriseCallComponents


def open_enterprise_calls(
    *,
    enreach: EnreachClient | None,
    dataverse: DataverseClient,
    find_callers: FindCallers,
    read_users: ReadUsers,
    store: EnterpriseCallStore,
    audit: AuditStore,
    runner: JobRunner,
    lead: Callable[[], Awaitable[bool]],
    read_settings: Callable[[], Settings],
    clock: Callable[[], float],
) -> EnterpriseCallComponents:
    """Make them; `dataverse` and what `find_callers` asks leave calls their part of the request budget."""
    sync = CallSync(
        enreach=enreach,
        dataverse=dataverse,
        find_callers=find_callers,
        read_users=read_users,
        store=store,
        read_settings=read_settings,
        clock=clock,
    )
    overnight = OvernightRun(sync=sync, store=store, clock=clock)
    jobs = SyncJobs(sync=sync, overnight=overnight, store=store, jobs=runner, clock=clock)
    return EnterpriseCallComponents(
        call_log=CallLog(store=store, sync=sync, audit=audit, clock=clock),
        checklist=Checklist(sync=sync, read_users=read_users, store=store, read_settings=read_settings),
        jobs=jobs,
        store=store,
        watch=SyncWatch(
            sync=sync, jobs=jobs, runner=runner, store=store, lead=lead, read_settings=read_settings, clock=clock
        ),
    )
