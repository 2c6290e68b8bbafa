"""Secrets we accept, kept only as keyed digests and compared in constant time."""

import hashlib
import secrets
from collections.abc import Iterable
from hmac import compare_digest
from typing import Generic, TypeVar

__all__ = ["KeyRing"]

T = TypeVar("T")


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
