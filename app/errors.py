"""The root of every error this service raises, and the findings an error can carry.

    AppError
    ├── dataverse.errors.DataverseError ...
    ├── enreach.errors.EnreachError ...
    ├── store.errors.StoreError ...
    └── the refusals below, which any layer may raise

An error knows its machine word (`code`), its HTTP status and its title as class facts; the message says what was
wrong, where, and what to do. One handler (`app.web.errors`) renders all of them as problem details (RFC 9457).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

__all__ = [
    "MAX_FINDINGS",
    "AppError",
    "BodyTooLargeError",
    "ConflictError",
    "Finding",
    "ForbiddenError",
    "InvalidInputError",
    "NotFoundError",
    "PreconditionFailedError",
    "PreconditionRequiredError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "format_message",
]

_BEGINS_WITH_A_WORD: Final = re.compile(r"[a-z]+(?=[ ,:;]|$)")
_ENDS: Final = (".", "!", "?", "…")


MAX_FINDINGS = 200
"""Of one document that are told at once; whoever puts these right sees the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong in what was sent, with its place and what to do about it."""

    code: str
    """Machine word in kebab case, e.g. `unknown-fact`."""
    pointer: str
    """Where, as a JSON pointer (RFC 6901) into the document that was sent; empty for the whole document."""
    message: str
    """What is wrong, for a person."""
    hint: str = ""
    """What to do about it."""
    rule: str | None = None
    """The id of the rule it concerns, when it concerns one."""
    severity: str = "error"
    """`error` refuses the document, `warning` does not."""


class AppError(Exception):
    """The root; catches everything this service raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    headers: ClassVar[Mapping[str, str]] = {}
    """What the answer must carry besides, e.g. a challenge."""

    def __init__(self, detail: str, *, findings: Sequence[Finding] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.findings = tuple(findings)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which another try may succeed, where that is known."""
        return None


class InvalidInputError(AppError):
    """The document is malformed or says something it cannot say."""

    status = 422
    code = "invalid-input"
    title = "Invalid input"


class NotFoundError(AppError):
    """No such thing."""

    status = 404
    code = "not-found"
    title = "Not found"


class ConflictError(AppError):
    """The request does not fit the present state."""

    status = 409
    code = "conflict"
    title = "Conflict"


class PreconditionFailedError(AppError):
    """It was changed since it was read (RFC 9110, section 15.5.13)."""

    status = 412
    code = "precondition-failed"
    title = "Precondition failed"


class PreconditionRequiredError(AppError):
    """The request must say which version it changes (RFC 6585, section 3)."""

    status = 428
    code = "precondition-required"
    title = "Precondition required"


class BodyTooLargeError(AppError):
    """The body has more bytes than anything this endpoint takes."""

    status = 413
    code = "body-too-large"
    title = "Body too large"


class UnauthorizedError(AppError):
    """The credential is missing or wrong."""

    status = 401
    code = "unauthorized"
    title = "Unauthorized"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="smartrouting"'}


class ForbiddenError(AppError):
    """The credential is good, but does not allow this."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class TooManyRequestsError(AppError):
    """Enough is being done for whoever asks; worth another try (RFC 6585, section 4). Calls never get this."""

    status = 429
    code = "too-many-requests"
    title = "Too many requests"
    # What is left of an unread body must not be taken for the next request.
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2", "Connection": "close"}


def format_message(text: str) -> str:
    """Begin with a capital, unless a name such as `caller.vip` comes first, and end with a full stop."""
    if not text:
        return text
    begun = text[0].upper() + text[1:] if _BEGINS_WITH_A_WORD.match(text) else text
    return begun if begun.endswith(_ENDS) else f"{begun}."
