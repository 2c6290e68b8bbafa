"""Makes what administrators use for people: users, keys, sign-in, authentication mode, audit."""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from app.auth.admin import AuthenticatorSequence, SettingsKeys
from app.auth.api_key_store import ApiKeyStore
from app.auth.oidc import OidcTokens
from app.auth.principals import Authenticator
from app.auth.signing_keys import SigningKeys
from app.auth.stored_keys import KeyAdministration, StoredKeys
from app.auth.tokens import TokenJudge
from app.bootstrap.components import Components
from app.bootstrap.upstreams import open_http
from app.configurator.authentication_mode import AuthenticationModes
from app.configurator.issuer_check import IssuerCheck
from app.operations.background import Background
from app.operations.job_store import JobStore
from app.operations.jobs import JobRunner
from app.settings import AdminSettings
from app.store.confirmations import EVERYBODY, Confirmation, ConfirmationStore
from app.store.settings_documents import SettingsDocumentStore
from app.users.bulk import BulkUsers
from app.users.enabling import Enabling
from app.users.enreach_id_records import ColumnIdRecords, EnreachIdRecords, StoreIdRecords
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachUsers
from app.users.readiness import ASSIGNEE, WEB_PHONE
from app.users.repository import UserRepository
from app.users.role_assignment import RoleAssignments
from app.users.store import EnreachIdStore
from app.users.user_changes import UserAdministration
from app.users.users import Users
from app.web.sign_in import SignIn

__all__ = ["make_sign_in", "open_people"]

_BOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    """The ways to whoever is asked about people."""

    enreach: EnreachUsers
    issuer_http: httpx.AsyncClient
    jobs: JobRunner
    documents: SettingsDocumentStore
    confirmations: ConfirmationStore


async def open_people(parts: Components, stack: AsyncExitStack, background: Background) -> dict[str, Any]:
    """Open what people's administration needs, start its background work, and return its part of the state.

    Raises StoreError.
    """
    database, clock = parts.stores.database, parts.upstreams.clock
    access = _Access(
        enreach=EnreachUsers(client=parts.enreach),
        issuer_http=open_http(parts.upstreams.issuer, stack),
        jobs=await stack.enter_async_context(
            JobRunner(store=JobStore(database=database), clock=clock, foresee_pause=parts.organisation.foresee_pause)
        ),
        documents=SettingsDocumentStore(database=database),
        confirmations=ConfirmationStore(database=database),
    )
    keys = _open_signing_keys(parts.settings.admin, access.issuer_http, stack)
    if keys is not None:
        background.start("signing_keys", keys.warm_up)
    if parts.settings.dataverse.agent_id_column is None:
        background.repeat("agent_book", parts.enreach_id_cache.refresh, every=_BOOK_SECONDS)
    if parts.settings.demo:
        await _add_samples(access, clock())
    return _make_people_state(parts, access, keys)


def _make_people_state(parts: Components, access: _Access, keys: SigningKeys | None) -> dict[str, Any]:
    """Make what requests find in the lifespan state, by the names that `people_deps` reads."""
    audit, clock = parts.stores.audit, parts.upstreams.clock
    key_store = ApiKeyStore(database=parts.stores.database)
    return {
        **_make_user_state(parts, access),
        "authenticator": _make_authenticator(parts, key_store, keys),
        "find_issuer": lambda: keys.metadata if keys else None,
        "job_runner": access.jobs,
        "audit": audit,
        "key_desk": KeyAdministration(
            store=key_store, audit=audit, reserved=parts.settings.admin.api_keys, clock=clock
        ),
        "authentication_modes": AuthenticationModes(
            documents=access.documents,
            confirmations=access.confirmations,
            audit=audit,
            checker=IssuerCheck(http=access.issuer_http),
            clock=clock,
        ),
    }


def make_sign_in(admin: AdminSettings) -> SignIn | None:
    """Make the sign-in of Swagger UI; `None` without an issuer."""
    if admin.oidc_issuer is None:
        return None
    return SignIn(issuer=admin.oidc_issuer, client_id=admin.oidc_client_id, scopes=admin.oidc_scopes)


def _make_user_state(parts: Components, access: _Access) -> dict[str, Any]:
    client, audit, clock = parts.organisation.people, parts.stores.audit, parts.upstreams.clock
    records = _make_records(parts)
    people = UserRepository(client=client, records=records)
    users = Users(
        client=client,
        people=people,
        enreach=access.enreach,
        confirmations=access.confirmations,
        audit=audit,
        voice=parts.settings.voice,
        clock=clock,
    )
    role_assignments = RoleAssignments(client=client, users=users, audit=audit, clock=clock)
    ids = EnreachIds(people=people, users=users, enreach=access.enreach, records=records, audit=audit, clock=clock)
    enabling = Enabling(role_assignments=role_assignments, ids=ids)
    return {
        "users": users,
        "enreach_ids": ids,
        "bulk_users": BulkUsers(people=people, users=users, enabling=enabling),
        "user_desk": UserAdministration(
            people=people,
            users=users,
            enreach=access.enreach,
            role_assignments=role_assignments,
            ids=ids,
            enabling=enabling,
        ),
    }


def _make_records(parts: Components) -> EnreachIdRecords:
    dataverse = parts.settings.dataverse
    if dataverse.agent_id_column is not None:
        return ColumnIdRecords(
            client=parts.organisation.people,
            id_column=dataverse.agent_id_column,
            email_column=dataverse.agent_email_column,
        )
    return StoreIdRecords(
        store=EnreachIdStore(database=parts.stores.database),
        clock=parts.upstreams.clock,
        on_change=parts.enreach_id_cache.refresh,
    )


def _make_authenticator(parts: Components, key_store: ApiKeyStore, keys: SigningKeys | None) -> Authenticator:
    admin = parts.settings.admin
    known: list[Authenticator] = [
        SettingsKeys(admin.api_keys),
        StoredKeys(store=key_store, clock=parts.upstreams.clock),
    ]
    if keys is not None and admin.oidc_issuer and admin.oidc_audience:
        judge = TokenJudge(keys=keys, issuer=admin.oidc_issuer, audience=admin.oidc_audience)
        known.append(OidcTokens(judge=judge, role_claim=admin.oidc_role_claim, roles=admin.oidc_roles))
    return AuthenticatorSequence(known)


def _open_signing_keys(admin: AdminSettings, http: httpx.AsyncClient, stack: AsyncExitStack) -> SigningKeys | None:
    if admin.oidc_issuer is None:
        return None
    keys = SigningKeys(http=http, issuer=admin.oidc_issuer, monotonic=time.monotonic)
    stack.push_async_callback(keys.aclose)
    return keys


async def _add_samples(access: _Access, now: float) -> None:
    """Confirm for the sample organisation what no system can tell, unless somebody did."""
    for item in (WEB_PHONE, ASSIGNEE):
        if not await access.confirmations.list_of(item):
            sample = Confirmation(subject=EVERYBODY, item=item, who="demo", at=now, note="sample data")
            await access.confirmations.put(sample)
