"""The mark of a contract test's calls, which whoever holds a credential of the webhook can make.

A mark says until when it holds, signed with a credential. It alone hides nothing: only calls from numbers that nobody
has are left uncounted (`app.calls.contract_calls`), so that no real call can be hidden with it.
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Final

from app.settings import WebhookSettings

__all__ = ["HEADER", "ContractMarks", "make_mark"]

HEADER: Final = "X-Smartrouting-Contract-Test"
_NAME: Final = HEADER.lower().encode()
_SECONDS: Final = 600.0
"""How long a mark holds: longer than a contract test takes, and short for whoever finds one."""
_SKEW_SECONDS: Final = 120.0
"""How far the clock of whoever made it may be away."""
_MAX_LENGTH: Final = 100
_PURPOSE: Final = b"smartrouting contract test until "


def make_mark(secret: str, *, now: float) -> str:
    """Make the value of the header; `now` is in seconds since the epoch."""
    until = str(int(now + _SECONDS))
    return f"{until}.{_sign(secret, until)}"


class ContractMarks:
    """Tells whether a request carries a mark that was made with one of the webhook's credentials."""

    def __init__(self, settings: WebhookSettings, *, clock: Callable[[], float]) -> None:
        credentials = (*settings.api_keys.values(), *settings.basic_users.values())
        self._secrets = [each.get_secret_value().strip() for each in credentials]
        self._clock = clock

    def find(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Look among raw headers, names in lower case; never raises, whatever they hold."""
        return any(name == _NAME and self._holds(value) for name, value in headers)

    def _holds(self, value: bytes) -> bool:
        until, _, signature = value[:_MAX_LENGTH].decode("latin-1").strip().partition(".")
        if not (until.isascii() and until.isdigit() and signature.isascii()):
            return False
        if not self._clock() - _SKEW_SECONDS <= int(until) <= self._clock() + _SECONDS + _SKEW_SECONDS:
            return False
        return any(hmac.compare_digest(_sign(secret, until), signature) for secret in self._secrets)


def _sign(secret: str, until: str) -> str:
    return hmac.digest(secret.encode(), _PURPOSE + until.encode(), "sha256").hex()
