"""Keys for scripts and first set-up: those of the settings, and those that administrators make, rotate and revoke."""

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final, Generic, TypeVar

from app.auth.principals import Authenticator, Principal, PrincipalKind, Role
from app.auth.store import ApiKeyStore, StoredKey
from app.errors import ConflictError, NotFoundError
from app.settings import AdminKey
from app.store.audit import AuditStore

__all__ = ["AuthenticatorSequence", "KeyAdministration", "KeyRing", "NewKey", "SettingsKeys", "StoredKeys"]

T = TypeVar("T")
_FORM: Final = re.compile(r"srk_([0-9a-f]{12})_[\w-]{43}", re.ASCII)
_NOTED_EVERY: Final = 60.0
"""Seconds; the last use is known to the minute, at the cost of one write a minute."""


class KeyRing(Generic[T]):
    """Finds what a presented secret stands for, without telling by its timing how near a wrong guess was.

    Both sides are hashed with a key drawn at random for this ring, so lengths and prefixes cannot be learnt, and every
    entry is compared every time.
    """

    def __init__(self, entries: Iterable[tuple[str | bytes, T]]) -> None:
        """Take secrets and what each stands for; text matches both as UTF-8 and as Latin-1 (RFC 9110, 5.5)."""
        self._key = secrets.token_bytes(32)
        self._entries = tuple(
            (self._digest(spelling), value) for secret, value in entries for spelling in _spell(secret) if spelling
        )

    def __bool__(self) -> bool:
        """Tell whether anything could match at all."""
        return bool(self._entries)

    def find(self, presented: bytes) -> T | None:
        """Return what the secret stands for, `None` for an unknown one; never raises, whatever the bytes."""
        digest = self._digest(presented)
        found = None
        for known, value in self._entries:
            if compare_digest(digest, known):
                found = value
        return found

    def _digest(self, secret: bytes) -> bytes:
        return hashlib.blake2b(secret, digest_size=32, key=self._key).digest()


def _spell(secret: str | bytes) -> set[bytes]:
    if isinstance(secret, bytes):
        return {secret}
    spellings = {secret.encode("utf-8", "surrogateescape").strip()}
    if not secret.isascii():
        try:
            spellings.add(secret.encode("latin-1").strip())
        except UnicodeEncodeError:
            return spellings
    return spellings


class SettingsKeys:
    """Knows the keys an integrator put into the settings, for scripts and first set-up."""

    def __init__(self, keys: Mapping[str, AdminKey]) -> None:
        self._keys = KeyRing(
            (entry.key.get_secret_value(), Principal(label, entry.role, PrincipalKind.API_KEY))
            for label, entry in keys.items()
        )

    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal of the key, in constant time over all keys; header text is Latin-1 (RFC 9110, 5.5)."""
        return self._keys.find(token.encode("latin-1", "replace"))


class AuthenticatorSequence:
    """Asks several authenticators in turn; the first that knows the token answers."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal the first authenticator names, `None` when none knows the token."""
        for authenticator in self._authenticators:
            if principal := await authenticator.authenticate(token):
                return principal
        return None


class StoredKeys:
    """Knows the keys in the store."""

    def __init__(self, *, store: ApiKeyStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal of a valid key; raises StoreError, so that a revoked key never works by accident."""
        if not (form := _FORM.fullmatch(token)):
            return None
        kept = await self._store.get(form[1])
        now = self._clock()
        if kept is None or not compare_digest(_digest(token, kept.salt), kept.digest) or not kept.is_valid(now):
            return None
        if kept.last_used is None or now - kept.last_used >= _NOTED_EVERY:
            await self._store.touch(kept.id, now=now)
        return Principal(kept.label, kept.role, PrincipalKind.API_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key at the only moment it can be seen."""

    kept: StoredKey
    text: str = field(repr=False)


class KeyAdministration:
    """Makes, rotates and revokes keys, each with an audit record. Everything raises StoreError."""

    def __init__(
        self, *, store: ApiKeyStore, audit: AuditStore, reserved: Collection[str], clock: Callable[[], float]
    ) -> None:
        """`reserved` are the labels of the settings, which no other key may bear."""
        self._store = store
        self._audit = audit
        self._reserved = frozenset(reserved)
        self._clock = clock

    async def list_all(self) -> list[StoredKey]:
        """List every key there ever was, the newest first."""
        return await self._store.list_all()

    async def create(self, label: str, role: Role, *, expires_at: float | None, who: str) -> NewKey:
        """Make a key; raises ConflictError when the label is taken."""
        if label in self._reserved:
            raise ConflictError("a key in the settings has this label; choose another")
        made = self._make(label, role, expires_at=expires_at, who=who)
        await self._store.add(made.kept)
        await self._note("key.created", who, made.kept, after={"label": label, "role": role.value})
        return made

    async def rotate(self, key_id: str, *, overlap_seconds: float, who: str) -> NewKey:
        """Make a key of the same label and role; the old one works `overlap_seconds` longer, or till its own end.

        Raises NotFoundError, and ConflictError for a key that is not valid any more.
        """
        old = await self._find(key_id)
        made = self._make(old.label, old.role, expires_at=None, who=who)
        until = min(made.kept.created_at + overlap_seconds, old.expires_at or float("inf"))
        if not await self._store.replace(key_id, made.kept, until=until):
            raise ConflictError("this key is not valid any more; make a new one")
        await self._note("key.rotated", who, old, after={"replaced_by": made.kept.id, "old_valid_until": until})
        return made

    async def revoke(self, key_id: str, *, who: str) -> None:
        """End a key at once; doing it again changes nothing. Raises NotFoundError."""
        key = await self._find(key_id)
        if await self._store.revoke(key_id, now=self._clock()):
            await self._note("key.revoked", who, key, after=None)

    async def _find(self, key_id: str) -> StoredKey:
        key = await self._store.get(key_id)
        if key is None:
            raise NotFoundError("there is no such key")
        return key

    def _make(self, label: str, role: Role, *, expires_at: float | None, who: str) -> NewKey:
        key_id, salt = secrets.token_hex(6), secrets.token_hex(16)
        text = f"srk_{key_id}_{secrets.token_urlsafe(32)}"
        kept = StoredKey(
            id=key_id,
            label=label,
            role=role,
            salt=salt,
            digest=_digest(text, salt),
            created_by=who,
            created_at=self._clock(),
            expires_at=expires_at,
        )
        return NewKey(kept=kept, text=text)

    async def _note(self, what: str, who: str, key: StoredKey, *, after: dict[str, object] | None) -> None:
        before = None if what == "key.created" else {"label": key.label, "role": key.role.value}
        await self._audit.add(at=self._clock(), who=who, what=what, target=f"key/{key.id}", before=before, after=after)


def _digest(text: str, salt: str) -> str:
    """Hash a key with its own salt; keys are random, so a fast hash is as good as a slow one."""
    return hashlib.blake2b(text.encode(), digest_size=32, key=bytes.fromhex(salt)).hexdigest()
