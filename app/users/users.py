"""Lists users with everything that decides whether they can use Voice, and shows a user their own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.auth.principals import Identity
from app.errors import InvalidInputError
from app.settings import Settings
from app.single_flight import gather_or_cancel
from app.store.audit import AuditStore
from app.store.pages import Page
from app.store.settings_documents import EVERYBODY, Confirmation, ConfirmationStore
from app.users.enreach_users import EnreachUsers
from app.users.readiness import ASSIGNEE, WEB_PHONE, Readiness, ReadinessSources, judge
from app.users.repository import UserRepository
from app.users.user import User, VoiceUser

__all__ = ["AssessedUser", "Users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedUser:
    """A user with their checklist."""

    voice: VoiceUser
    readiness: Readiness


class Users:
    """Answers who may use Voice. Everything raises DataverseError and StoreError; Enreach may be silent."""

    def __init__(
        self,
        *,
        repository: UserRepository,
        enreach: EnreachUsers,
        confirmations: ConfirmationStore,
        audit: AuditStore,
        list_users_with_calls: Callable[[], Awaitable[frozenset[str]]],
        read_settings: Callable[[], Settings],
        clock: Callable[[], float],
    ) -> None:
        """`list_users_with_calls` names whose work calls are known; `read_settings` returns what holds now."""
        self._repository = repository
        self._enreach = enreach
        self._confirmations = confirmations
        self._audit = audit
        self._list_users_with_calls = list_users_with_calls
        self._read_settings = read_settings
        self._clock = clock

    async def page(
        self, *, search: str | None, active: bool | None, limit: int, after: str | None
    ) -> Page[AssessedUser]:
        """List users by name, each with their checklist; Enreach is asked once.

        `search` is part of a name or address, `active` whether the account in Dynamics is.
        """
        page, catalog, sources = await gather_or_cancel(
            self._repository.read_page(search=search, active=active, limit=limit, after=after),
            self._repository.read_catalog(),
            self._read_sources(),
        )
        voices = await self._repository.describe_some(page.items, catalog)
        assessed = (AssessedUser(voice=voice, readiness=judge(voice, sources)) for voice in voices)
        return Page(tuple(assessed), page.next)

    async def assess_all(self) -> list[AssessedUser]:
        """Judge all users, applications included, in a few questions."""
        users, catalog, sources = await gather_or_cancel(
            self._repository.read_all(), self._repository.read_catalog(), self._read_sources()
        )
        voices = await self._repository.describe_all(users, catalog)
        return [AssessedUser(voice=voice, readiness=judge(voice, sources)) for voice in voices]

    async def show(self, user_id: str) -> AssessedUser:
        """Show one user; raises NotFoundError."""
        return await self._assess(await self._repository.read_one(user_id))

    async def show_own(self, identity: Identity) -> AssessedUser:
        """Show whom a token speaks of; raises NotFoundError and ConflictError."""
        return await self._assess(await self._repository.find(identity))

    async def confirm_web_phone(self, user_id: str | None, *, confirmed: bool, who: str, note: str) -> None:
        """Note, or take back, that a user has a web-phone role in Enreach; `None` stands for everybody.

        Leaves an audit record. Raises NotFoundError and InvalidInputError.
        """
        if user_id is not None and (await self._repository.read_one(user_id)).is_application:
            raise InvalidInputError("an application has no role in Enreach")
        await self._confirm(WEB_PHONE, user_id, confirmed=confirmed, who=who, note=note)

    async def confirm_assignee(self, *, confirmed: bool, who: str, note: str) -> None:
        """Note, or take back, that calls have a default assignee (administrator guide, "Enterprise Calls").

        Leaves an audit record.
        """
        await self._confirm(ASSIGNEE, None, confirmed=confirmed, who=who, note=note)

    async def _confirm(self, item: str, user_id: str | None, *, confirmed: bool, who: str, note: str) -> None:
        subject = EVERYBODY if user_id is None else user_id
        before = (await self._confirmations.list_about(subject)).get(item)
        now = self._clock()
        if confirmed:
            await self._confirmations.put(Confirmation(subject=subject, item=item, who=who, at=now, note=note))
        else:
            await self._confirmations.remove(subject, item)
        await self._audit.add(
            at=now,
            who=who,
            what="readiness.confirmed" if confirmed else "readiness.unconfirmed",
            target="users" if user_id is None else f"user/{user_id}",
            before=None if before is None else {item: before.who},
            after={item: who} if confirmed else None,
        )

    async def _assess(self, user: User) -> AssessedUser:
        catalog, sources = await gather_or_cancel(self._repository.read_catalog(), self._read_sources())
        voice = await self._repository.describe(user, catalog)
        return AssessedUser(voice=voice, readiness=judge(voice, sources))

    async def _read_sources(self) -> ReadinessSources:
        enreach, web_phone, assignee = await gather_or_cancel(
            self._enreach.ask(), self._confirmations.list_of(WEB_PHONE), self._confirmations.list_of(ASSIGNEE)
        )
        settings = self._read_settings()
        is_synced = settings.phone_call_sync.enabled
        return ReadinessSources(
            enreach=enreach,
            web_phone=web_phone,
            assignee=assignee.get(EVERYBODY),
            has_default_assignee=settings.phone_call_sync.default_crm_assignee is not None,
            framework=settings.voice.framework,
            with_work_calls=await self._list_users_with_calls() if is_synced else None,
        )
