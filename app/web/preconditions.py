"""Changes name the version they were made from (RFC 9110, section 13.1.1; RFC 6585, section 3)."""

from typing import Annotated

from fastapi import Depends, Header, Response

from app.errors import PreconditionRequiredError

__all__ = ["IfMatchDep", "tag"]


def tag(response: Response, version: str) -> None:
    """Send the version as the ETag of what is answered."""
    response.headers["ETag"] = f'"{version}"'


def _read_if_match(
    if_match: Annotated[
        str | None,
        Header(description="The `ETag` header of what you read, in its quotes; without it 428, another one 412."),
    ] = None,
) -> str:
    """Return the version the change is made from; one that cannot match comes out as it is."""
    text = (if_match or "").strip()
    if text in {"", "*"}:
        raise PreconditionRequiredError("Send If-Match with the ETag of what you read, so that no change gets lost.")
    return text.removeprefix('"').removesuffix('"') if text.startswith('"') else text


IfMatchDep = Annotated[str, Depends(_read_if_match)]
