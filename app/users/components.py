"""The components of users of Voice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.dataverse.client import DataverseClient
from app.enreach.client import EnreachClient
from app.settings import Settings
from app.store.audit import AuditStore
from app.store.settings_documents import ConfirmationStore
from app.users.bulk import BulkUsers
from app.users.enabling import Enabling
from app.users.enreach_id_cache import EnreachIdCache
from app.users.enreach_id_records import ColumnIdRecords, EnreachIdRecords, StoreIdRecords
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachUsers
from app.users.repository import UserRepository
from app.users.role_assignment import RoleAssignments
from app.users.store import EnreachIdStore
from app.users.user_changes import UserAdministration
from app.users.users import Users

__all__ = ["UserComponents", "UsersState", "open_users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserComponents:
    """What the routes of this capability use."""

    users: Users
    administration: UserAdministration
    enreach_ids: EnreachIds
    bulk: BulkUsers


class UsersState(TypedDict):
    """Its place in the lifespan state."""

    users: UserComponents


def open_users(
    *,
    settings: Settings,
    dataverse: DataverseClient,
    enreach: EnreachClient | None,
    enreach_ids: EnreachIdStore,
    enreach_id_cache: EnreachIdCache,
    confirmations: ConfirmationStore,
    audit: AuditStore,
    clock: Callable[[], float],
) -> UserComponents:
    """Make them; `dataverse` must be the client that leaves calls their part of the request budget."""
    records: EnreachIdRecords = StoreIdRecords(store=enreach_ids, clock=clock, on_change=enreach_id_cache.refresh)
    if settings.dataverse.agent_id_column is not None:
        records = ColumnIdRecords(
            client=dataverse,
            id_column=settings.dataverse.agent_id_column,
            email_column=settings.dataverse.agent_email_column,
        )
    repository = UserRepository(client=dataverse, records=records)
    enreach_users = EnreachUsers(client=enreach)
    users = Users(
        client=dataverse,
        people=repository,
        enreach=enreach_users,
        confirmations=confirmations,
        audit=audit,
        voice=settings.voice,
        clock=clock,
    )
    role_assignments = RoleAssignments(client=dataverse, users=users, audit=audit, clock=clock)
    ids = EnreachIds(people=repository, users=users, enreach=enreach_users, records=records, audit=audit, clock=clock)
    enabling = Enabling(role_assignments=role_assignments, ids=ids)
    return UserComponents(
        users=users,
        administration=UserAdministration(
            people=repository,
            users=users,
            enreach=enreach_users,
            role_assignments=role_assignments,
            ids=ids,
            enabling=enabling,
        ),
        enreach_ids=ids,
        bulk=BulkUsers(people=repository, users=users, enabling=enabling),
    )
