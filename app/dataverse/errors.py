"""What can go wrong between this service and Dataverse.

    DataverseError
    ├── UnreachableError       no connection, or it broke
    ├── UnsendableError        the request could not even be sent: a setting is wrong
    ├── TimedOutError          the connection stood, the answer did not come
    ├── ThrottledError         429, or a query that Dataverse refuses to run for now
    │   └── BudgetSpentError   our own request budget is spent: nothing was sent
    ├── TokenRejectedError     401: the token is not accepted
    ├── AccessDeniedError      403: the application user may not do this
    ├── BadQueryError          400: an unknown column, an unsupported option
    ├── RecordNotFoundError    404: no such row or table
    ├── RecordConflictError    409: the row is in another state
    ├── PreconditionError      412: the row changed since it was read, or exists already
    ├── ServerFailedError      5xx
    ├── UnreadableAnswerError  not JSON, too large, a redirect, or not what was asked for
    ├── TokenRefusedError      Entra ID, or the managed identity, will not give a token until somebody acts
    └── TokenUnavailableError  no token for now

`app.dataverse.translation` is the one place that raises them from foreign errors and answers.
"""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from app.errors import AppError
from app.routing.callers import Cause

__all__ = [
    "NO_FACTS",
    "AccessDeniedError",
    "BadQueryError",
    "BudgetSpentError",
    "DataverseError",
    "Facts",
    "PreconditionError",
    "RecordConflictError",
    "RecordNotFoundError",
    "ServerFailedError",
    "ThrottledError",
    "TimedOutError",
    "TokenRefusedError",
    "TokenRejectedError",
    "TokenUnavailableError",
    "UnreachableError",
    "UnreadableAnswerError",
    "UnsendableError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an operator needs to find the failure again; holds nothing personal."""

    http_status: int | None = None
    dataverse_code: str | None = None
    """Hexadecimal, e.g. `0x80072322`; for tokens the code of Entra ID, e.g. `AADSTS7000215`."""
    request_id: str | None = None
    """The server's own id of the request, for a support case."""
    retry_after: float | None = None
    """Seconds to stay away, as the server asked; at most an hour."""
    excerpt: str = ""
    """At most 200 characters of the server's message without quoted values, digits and addresses; never logged."""
    table: str | None = None
    column: str | None = None
    """The column the server does not know, when it says so."""


NO_FACTS = Facts()


class DataverseError(AppError):
    """Dataverse did not do what was asked; catches all of the tree."""

    status = 502
    code = "dataverse-error"
    title = "Dataverse failed"
    cause: ClassVar[Cause] = Cause.ERROR
    """What the caller's status says when this error ends a look-up."""
    transient: ClassVar[bool] = False
    """Whether the same request may succeed later without anybody changing anything."""

    def __init__(self, summary: str, *, facts: Facts = NO_FACTS) -> None:
        """`summary` is what happened in our words, which logs and decisions may hold; `detail` adds the server's."""
        super().__init__(summary)
        self.summary = summary
        self.detail = f"{summary}: {facts.excerpt}" if facts.excerpt else summary
        self.facts = facts

    @property
    @override
    def retry_after(self) -> float | None:
        """Seconds to stay away, as the server asked."""
        return self.facts.retry_after

    def describe(self) -> dict[str, str | int | float]:
        """Return the facts that are known, as keys of one log event; the server's words may name somebody."""
        known = {
            "error": self.code,
            "http_status": self.facts.http_status,
            "dataverse_code": self.facts.dataverse_code,
            "request_id": self.facts.request_id,
            "retry_after": self.facts.retry_after,
        }
        return {key: value for key, value in known.items() if value is not None}


class UnreachableError(DataverseError):
    """No connection could be made, or it broke."""

    code = "dataverse-unreachable"
    title = "Dataverse is unreachable"
    transient = True


class UnsendableError(DataverseError):
    """The request could not be sent at all; the URL or the token is malformed."""

    code = "dataverse-unsendable"
    title = "The request to Dataverse is malformed"


class TimedOutError(DataverseError):
    """The answer did not come in time."""

    status = 504
    code = "dataverse-timeout"
    title = "Dataverse timed out"
    cause = Cause.TIMEOUT
    transient = True


class ThrottledError(DataverseError):
    """A service-protection or query limit was hit (Dataverse contract, sections 4.3 and 5)."""

    status = 503
    code = "dataverse-throttled"
    title = "Dataverse asks to slow down"
    cause = Cause.THROTTLED
    transient = True


class BudgetSpentError(ThrottledError):
    """This service has sent as many requests as it may, or as whoever asks may; Dataverse was not asked."""

    code = "request-budget-spent"
    title = "The request budget for Dataverse is spent"


class TokenRejectedError(DataverseError):
    """Dataverse does not accept the token, not even a new one."""

    code = "dataverse-token-rejected"
    title = "Dataverse rejected the token"


class AccessDeniedError(DataverseError):
    """The application user lacks a privilege, or is no user of this environment."""

    code = "dataverse-access-denied"
    title = "Dataverse denied access"


class BadQueryError(DataverseError):
    """Dataverse does not understand the request; `facts.column` names the column when the message tells."""

    code = "dataverse-bad-query"
    title = "Dataverse refused the query"


class RecordNotFoundError(DataverseError):
    """No such row, or no such table in this organisation."""

    status = 404
    code = "dataverse-not-found"
    title = "Not found in Dataverse"


class RecordConflictError(DataverseError):
    """The row is in a state that does not allow this."""

    status = 409
    code = "dataverse-conflict"
    title = "Conflict in Dataverse"


class PreconditionError(DataverseError):
    """The row changed since it was read."""

    status = 412
    code = "dataverse-precondition-failed"
    title = "Changed in Dataverse meanwhile"


class ServerFailedError(DataverseError):
    """Dataverse itself failed."""

    code = "dataverse-server-error"
    title = "Dataverse failed"
    transient = True


class UnreadableAnswerError(DataverseError):
    """Something answered, but not as Dataverse does."""

    code = "dataverse-unreadable-answer"
    title = "Unreadable answer"


class TokenRefusedError(DataverseError):
    """No access token will be had until somebody changes something."""

    code = "dataverse-token-refused"
    title = "No access token"


class TokenUnavailableError(DataverseError):
    """No access token can be had for now."""

    code = "dataverse-token-unavailable"
    title = "No access token for now"
    transient = True
