"""How the phone users of this organisation sign in: Standard or Modern (administrator guide, "User authentication")."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TypedDict

from app.configurator.issuer_check import CheckState, IssuerCheck, ModernSettings, PrerequisiteCheck
from app.errors import ConflictError, NotFoundError
from app.store.audit import AuditStore
from app.store.settings_documents import Confirmation, ConfirmationStore, SettingsDocumentStore

__all__ = ["STEPS", "AuthenticationMode", "AuthenticationModes", "ConfiguratorState", "ModeState"]

_DOCUMENT = "authentication_mode"
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
        self._documents = documents
        self._confirmations = confirmations
        self._audit = audit
        self._checker = checker
        self._clock = clock

    async def show(self) -> ModeState:
        """Return what was decided; Standard while nobody has."""
        document = await self._documents.get(_DOCUMENT)
        confirmations = await self._confirmations.list_about(_SUBJECT)
        if document is None:
            return ModeState(confirmations=confirmations)
        return ModeState(
            decided=AuthenticationMode(str(document.document["mode"])),
            modern=_read_modern(document.document.get("modern")),
            version=document.version,
            author=document.author,
            at=document.at,
            confirmations=confirmations,
        )

    async def decide(
        self, mode: AuthenticationMode, modern: ModernSettings | None, *, expected: str | None, who: str
    ) -> ModeState:
        """Decide for the whole organisation, from the version `expected`.

        Modern needs its provider, and one that answers: raises ConflictError otherwise, and PreconditionFailedError
        when somebody else decided meanwhile.
        """
        before = await self.show()
        modern = modern or before.modern
        if mode is AuthenticationMode.MODERN:
            await self._require_provider(modern)
        document = {"mode": mode.value, "modern": None if modern is None else asdict(modern)}
        now = self._clock()
        await self._documents.put(_DOCUMENT, document, expected=expected, author=who, now=now)
        await self._audit.add(
            at=now,
            who=who,
            what="authentication.decided",
            target="authentication",
            before={"mode": before.decided.value},
            after=document,
        )
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


def _read_modern(value: object) -> ModernSettings | None:
    if not isinstance(value, Mapping):
        return None
    return ModernSettings(
        issuer=str(value["issuer"]), client_id=str(value["client_id"]), audience=str(value["audience"])
    )


class ConfiguratorState(TypedDict):
    """Its place in the lifespan state."""

    authentication_modes: AuthenticationModes
