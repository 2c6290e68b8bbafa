"""How the phone users of this organisation sign in: Standard or Modern (administrator guide, "User authentication")."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from app.configurator.issuer_check import CheckState, IssuerCheck, ModernSettings, PrerequisiteCheck
from app.errors import ConflictError, NotFoundError
from app.store.audit import AuditStore
from app.store.settings_documents import (
    UNSET,
    Confirmation,
    ConfirmationStore,
    SettingsDocumentStore,
    VersionedDocument,
)

__all__ = ["STEPS", "AuthenticationMode", "AuthenticationModes", "ModeState"]

_SUBJECT = "authentication"


class AuthenticationMode(StrEnum):
    """The two ways of the guide."""

    STANDARD = "standard"
    MODERN = "modern"


STEPS: Mapping[str, str] = {
    "support": "Ask Enreach support for Modern authentication, and agree on a date.",
    "consent": "A tenant administrator consents to the applications EnreachVoice and EnreachVoice UserSync.",
    "back_end": "Enreach has enabled Modern authentication on the Voice back end of this organisation.",
    "reload": "End users have reloaded Dynamics and signed in anew.",
}
"""What Modern takes beside the settings here; whoever does it confirms it."""


class _Decision(BaseModel):
    """What is kept."""

    mode: AuthenticationMode = AuthenticationMode.STANDARD
    modern: ModernSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeState:
    """What was decided, and how far it is."""

    decided: AuthenticationMode = AuthenticationMode.STANDARD
    modern: ModernSettings | None = None
    version: str | None = None
    """The version to change from; `None` while nobody has decided."""
    author: str | None = None
    at: float | None = None
    confirmations: Mapping[str, Confirmation]

    @property
    def in_effect(self) -> AuthenticationMode:
        """Modern only once everybody has done their part: the decision alone changes nothing at Enreach."""
        done = all(step in self.confirmations for step in STEPS)
        return self.decided if done else AuthenticationMode.STANDARD


class AuthenticationModes:
    """Keeps the decision. Everything raises StoreError."""

    def __init__(
        self,
        *,
        documents: SettingsDocumentStore,
        confirmations: ConfirmationStore,
        audit: AuditStore,
        checker: IssuerCheck,
        clock: Callable[[], float],
    ) -> None:
        self._decision = VersionedDocument(
            store=documents,
            name="authentication_mode",
            model=_Decision,
            what="authentication.decided",
            target="authentication",
        )
        self._confirmations = confirmations
        self._audit = audit
        self._checker = checker
        self._clock = clock

    async def show(self) -> ModeState:
        """Return what was decided; Standard while nobody has."""
        found = await self._decision.read()
        return ModeState(
            decided=found.value.mode,
            modern=found.value.modern,
            version=None if found.version == UNSET else found.version,
            author=found.author,
            at=found.at,
            confirmations=await self._confirmations.list_about(_SUBJECT),
        )

    async def decide(
        self, mode: AuthenticationMode, modern: ModernSettings | None, *, expected: str | None, who: str
    ) -> ModeState:
        """Decide for the whole organisation, from the version `expected`.

        Modern needs its provider, and one that answers: raises ConflictError otherwise, and PreconditionFailedError
        when somebody else decided meanwhile.
        """
        modern = modern or (await self._decision.read()).value.modern
        if mode is AuthenticationMode.MODERN:
            await self._require_provider(modern)
        decision = _Decision(mode=mode, modern=modern)
        await self._decision.write(decision, version=expected or UNSET, author=who, now=self._clock())
        return await self.show()

    async def check(self, modern: ModernSettings | None, test_token: str | None) -> list[PrerequisiteCheck]:
        """Try the prerequisites of Modern with these settings, or with those decided on; raises ConflictError."""
        wanted = modern or (await self.show()).modern
        if wanted is None:
            raise ConflictError("say which issuer, client and audience to check; none is set yet")
        return await self._checker.check(wanted, test_token)

    async def confirm(self, step: str, *, confirmed: bool, who: str, note: str) -> ModeState:
        """Note that a step was taken, or take that back; raises NotFoundError."""
        if step not in STEPS:
            raise NotFoundError(f"there is no such step; the steps are {', '.join(STEPS)}")
        now = self._clock()
        if confirmed:
            await self._confirmations.put(Confirmation(subject=_SUBJECT, item=step, who=who, at=now, note=note))
        else:
            await self._confirmations.remove(_SUBJECT, step)
        what = "authentication.step_confirmed" if confirmed else "authentication.step_reopened"
        await self._audit.add(at=now, who=who, what=what, target="authentication", after={"step": step})
        return await self.show()

    async def _require_provider(self, modern: ModernSettings | None) -> None:
        if modern is None:
            raise ConflictError("Modern needs the issuer, client and audience of your identity provider")
        checks = await self._checker.check(modern, None)
        if failed := [check for check in checks if check.state is CheckState.FAILED]:
            reasons = "; ".join(f"{check.id}: {check.detail}" for check in failed)
            raise ConflictError(f"the identity provider is not ready for Modern: {reasons}")
