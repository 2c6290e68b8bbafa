"""Lists users with everything that decides whether they can use Voice, and lets a person see their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.auth.principals import Identity
from app.dataverse.client import DataverseClient
from app.errors import InvalidInputError
from app.settings import VoiceSettings
from app.store.audit import AuditStore
from app.store.pages import Page
from app.store.settings_documents import EVERYBODY, Confirmation, ConfirmationStore
from app.users.enreach_users import EnreachUsers
from app.users.memberships import read_memberships
from app.users.pairs import ask_both
from app.users.readiness import ASSIGNEE, WEB_PHONE, Readiness, Surroundings, judge
from app.users.repository import UserRepository
from app.users.role_catalog import Catalogue, read_catalogue
from app.users.user import User, VoiceUser

__all__ = ["AssessedUser", "UserSearch", "Users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSearch:
    """Which users to list."""

    text: str | None = None
    """Part of a name or address."""
    active: bool | None = None
    """Whether the account in Dynamics is."""


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
        client: DataverseClient,
        people: UserRepository,
        enreach: EnreachUsers,
        confirmations: ConfirmationStore,
        audit: AuditStore,
        voice: VoiceSettings,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._people = people
        self._enreach = enreach
        self._confirmations = confirmations
        self._audit = audit
        self._voice = voice
        self._clock = clock

    async def page(self, search: UserSearch, *, limit: int, after: str | None) -> Page[AssessedUser]:
        """List users by name, each with their checklist; Enreach is asked once."""
        page, (catalogue, surroundings) = await ask_both(
            self._people.read_page(search=search.text, active=search.active, limit=limit, after=after),
            ask_both(self.read_catalogue(), self.read_surroundings()),
        )
        assessed = await self._assess(page.items, catalogue, surroundings)
        return Page(tuple(assessed), page.next)

    async def show(self, user_id: str) -> AssessedUser:
        """Show one user; raises NotFoundError."""
        return await self._assess_one(await self._people.read_one(user_id))

    async def show_own(self, identity: Identity) -> AssessedUser:
        """Show whom a token speaks of; raises NotFoundError and ConflictError."""
        return await self._assess_one(await self._people.find(identity))

    async def confirm_web_phone(self, user_id: str | None, *, confirmed: bool, who: str, note: str) -> None:
        """Note, or take back, that a user has a web-phone role in Enreach; `None` stands for everybody.

        Leaves an audit record. Raises NotFoundError and InvalidInputError.
        """
        if user_id is not None and (await self._people.read_one(user_id)).is_application:
            raise InvalidInputError("an application has no role in Enreach")
        await self._confirm(WEB_PHONE, user_id, confirmed=confirmed, who=who, note=note)

    async def confirm_assignee(self, *, confirmed: bool, who: str, note: str) -> None:
        """Note, or take back, that calls have a default assignee (administrator guide, "Enterprise Calls").

        Leaves an audit record.
        """
        await self._confirm(ASSIGNEE, None, confirmed=confirmed, who=who, note=note)

    async def describe(self, user: User, catalogue: Catalogue) -> VoiceUser:
        """Read what a person holds this moment, past the server's caches."""
        memberships = await read_memberships(self._client, catalogue, [user.id], strong=True)
        return memberships.describe(user)

    async def describe_all(self, people: Sequence[User], catalogue: Catalogue) -> list[VoiceUser]:
        """Read what everybody holds, in a few questions."""
        memberships = await read_memberships(self._client, catalogue, None)
        return [memberships.describe(user) for user in people]

    async def read_catalogue(self) -> Catalogue:
        """Read what there is to hold."""
        return await read_catalogue(
            self._client, equivalents=self._voice.equivalent_roles, profiles=self._voice.agent_profiles
        )

    async def read_surroundings(self) -> Surroundings:
        """Read what the checklist needs beside the person; Enreach is asked once."""
        enreach, (web_phone, assignee) = await ask_both(
            self._enreach.ask(),
            ask_both(self._confirmations.list_of(WEB_PHONE), self._confirmations.list_of(ASSIGNEE)),
        )
        return Surroundings(enreach=enreach, web_phone=web_phone, assignee=assignee.get(EVERYBODY))

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

    async def _assess_one(self, user: User) -> AssessedUser:
        catalogue, surroundings = await ask_both(self.read_catalogue(), self.read_surroundings())
        voice = await self.describe(user, catalogue)
        return AssessedUser(voice=voice, readiness=judge(voice, surroundings))

    async def _assess(
        self, people: Sequence[User], catalogue: Catalogue, surroundings: Surroundings
    ) -> list[AssessedUser]:
        if not people:
            return []
        memberships = await read_memberships(self._client, catalogue, [user.id for user in people])
        voices = [memberships.describe(user) for user in people]
        return [AssessedUser(voice=voice, readiness=judge(voice, surroundings)) for voice in voices]
