"""The components of users of Voice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypedDict

from app.dataverse.client import DataverseClient
from app.enreach.client import EnreachClient
from app.settings import Settings
from app.store.audit import AuditStore
from app.store.settings_documents import ConfirmationStore
from app.users.bulk import BulkUsers
from app.users.enabling import Enabling
from app.users.enreach_id_records import ColumnIdRecords, EnreachIdRecords, StoreIdRecords
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachUsers
from app.users.repository import UserRepository
from app.users.role_assignment import RoleAssignments
from app.users.store import EnreachIdCache, EnreachIdStore
from app.users.users import Users

__all__ = ["UserComponents", "UsersState", "open_users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserComponents:
    """What the routes of this capability use."""

    users: Users
    enabling: Enabling
    role_assignments: RoleAssignments
    enreach_ids: EnreachIds
    bulk: BulkUsers
    repository: UserRepository


class UsersState(TypedDict):
    """Its place in the lifespan state."""

    users: UserComponents


def open_users(
    *,
    settings: Settings,
    read_settings: Callable[[], Settings],
    dataverse: DataverseClient,
    enreach: EnreachClient | None,
    enreach_ids: EnreachIdStore,
    enreach_id_cache: EnreachIdCache,
    confirmations: ConfirmationStore,
    list_users_with_calls: Callable[[], Awaitable[frozenset[str]]],
    audit: AuditStore,
    clock: Callable[[], float],
) -> UserComponents:
    """Make them; `read_settings` returns the settings that hold now, `settings` are those of the environment.

    `dataverse` must be the client that leaves calls their part of the request budget.
    """
    records: EnreachIdRecords = StoreIdRecords(store=enreach_ids, clock=clock, on_change=enreach_id_cache.refresh)
    if settings.dataverse.agent_id_column is not None:
        records = ColumnIdRecords(
            client=dataverse,
            id_column=settings.dataverse.agent_id_column,
            email_column=settings.dataverse.agent_email_column,
        )
    repository = UserRepository(client=dataverse, records=records, read_settings=read_settings)
    enreach_users = EnreachUsers(client=enreach)
    users = Users(
        repository=repository,
        enreach=enreach_users,
        confirmations=confirmations,
        list_users_with_calls=list_users_with_calls,
        audit=audit,
        read_settings=read_settings,
        clock=clock,
    )
    ids = EnreachIds(repository=repository, enreach=enreach_users, records=records, audit=audit, clock=clock)
    role_assignments = RoleAssignments(client=dataverse, repository=repository, ids=ids, audit=audit, clock=clock)
    enabling = Enabling(
        repository=repository,
        users=users,
        enreach=enreach_users,
        role_assignments=role_assignments,
        ids=ids,
        read_settings=read_settings,
    )
    return UserComponents(
        users=users,
        enabling=enabling,
        role_assignments=role_assignments,
        enreach_ids=ids,
        repository=repository,
        bulk=BulkUsers(repository=repository, enreach=enreach_users, enabling=enabling),
    )
