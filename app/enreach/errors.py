"""What can go wrong with the Enreach API, as one small tree.

    AppError
    └── EnreachError                    anything below; `exchange` says which request, `transient` whether to try again
        ├── EnreachNotConfiguredError   no usable URL, user or secret; nothing was sent
        ├── EnreachUnreachableError     DNS, TLS, refused, reset or not HTTP at all
        ├── EnreachTimeoutError         no complete answer in time
        ├── EnreachUnauthorizedError    401 or 403: our key is wrong or may not do this
        ├── EnreachNotFoundError        404: no such user, queue or call
        ├── EnreachRateLimitedError     429: too many requests
        ├── EnreachRefusedError         any other 4xx: the request itself was wrong
        ├── EnreachServerFailedError    5xx
        └── EnreachUnreadableError      an answer that is not what the contract describes

Messages and facts name paths with placeholders: real ones may carry e-mail addresses.
"""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from app.errors import AppError

__all__ = [
    "EnreachError",
    "EnreachNotConfiguredError",
    "EnreachNotFoundError",
    "EnreachRateLimitedError",
    "EnreachRefusedError",
    "EnreachServerFailedError",
    "EnreachTimeoutError",
    "EnreachUnauthorizedError",
    "EnreachUnreachableError",
    "EnreachUnreadableError",
    "Exchange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What an operator needs to find one request again, on this side and on the vendor's."""

    path: str
    """What messages and logs may show: placeholders stand for whatever would name somebody."""
    status: int | None = None
    """The HTTP status; None when no answer came."""
    retry_after: float | None = None
    """Seconds the answer asked to wait, where it did."""


class EnreachError(AppError):
    """The root of the tree."""

    status = 502
    code = "enreach-failed"
    title = "The Enreach API failed"
    transient: ClassVar[bool] = False
    """Whether the same request may well succeed a little later."""

    def __init__(self, detail: str, *, exchange: Exchange | None = None) -> None:
        super().__init__(detail)
        self.exchange = exchange

    @property
    @override
    def retry_after(self) -> float | None:
        """Seconds Enreach asked to wait; None when it did not say."""
        return self.exchange.retry_after if self.exchange else None


class EnreachNotConfiguredError(EnreachError):
    """There is no usable URL, user or secret."""

    status = 503
    code = "enreach-not-configured"
    title = "The Enreach API is not configured"


class EnreachUnreachableError(EnreachError):
    """The connection failed before an answer was complete."""

    code = "enreach-unreachable"
    title = "The Enreach API cannot be reached"
    transient = True


class EnreachTimeoutError(EnreachError):
    """No complete answer came in time."""

    status = 504
    code = "enreach-timeout"
    title = "The Enreach API did not answer in time"
    transient = True


class EnreachUnauthorizedError(EnreachError):
    """Enreach does not accept this service's own key, or not for this."""

    code = "enreach-unauthorized"
    title = "The Enreach API refused our key"


class EnreachNotFoundError(EnreachError):
    """Enreach knows no such thing."""

    status = 404
    code = "enreach-not-found"
    title = "Not found in Enreach"


class EnreachRateLimitedError(EnreachError):
    """Enreach asks for fewer requests."""

    status = 503
    code = "enreach-rate-limited"
    title = "The Enreach API limits our requests"
    transient = True


class EnreachRefusedError(EnreachError):
    """Enreach found the request itself wrong."""

    code = "enreach-refused"
    title = "The Enreach API refused the request"


class EnreachServerFailedError(EnreachError):
    """Enreach failed on its side."""

    code = "enreach-server-failed"
    title = "The Enreach API failed on its side"
    transient = True


class EnreachUnreadableError(EnreachError):
    """The answer is not what the contract describes."""

    code = "enreach-unreadable"
    title = "The Enreach API gave an unreadable answer"
