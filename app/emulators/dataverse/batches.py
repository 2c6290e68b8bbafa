"""Reads and answers `$batch` (Dataverse contract, section 1.5); change sets are not emulated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.emulators.dataverse.errors import WireError, bad_payload, not_emulated

BATCH = "$batch"
_MAX_PARTS = 1000
_BOUNDARY = re.compile(r'^multipart/mixed;\s*boundary="?([^";]+)"?$')
_ANSWER = "batchresponse_emulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedRequest:
    """One request within a batch."""

    method: str
    url: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any


async def read_batch(request: Request) -> list[BatchedRequest]:
    """Take a batch apart; raises WireError for what Dataverse refuses as a whole, or what is not emulated."""
    found = _BOUNDARY.match(request.headers.get("content-type", ""))
    if found is None:
        raise WireError(415, "0x0", "The content type of a batch must be multipart/mixed with a boundary.")
    mark = b"--" + found[1].encode()
    first, *parts = (b"\r\n" + await request.body()).split(b"\r\n" + mark)
    if first.strip() or not parts or not parts.pop().startswith(b"--"):
        raise bad_payload("The batch does not begin and end with its boundary.")
    if len(parts) > _MAX_PARTS:
        raise bad_payload(f"The batch holds more than {_MAX_PARTS} requests.")
    return [_read_part(part.removeprefix(b"\r\n")) for part in parts]


def answer_batch(answers: Sequence[Response]) -> Response:
    """Put answers together, in the order of the requests."""
    body = b"".join(_write_part(answer) for answer in answers) + f"--{_ANSWER}--\r\n".encode()
    return Response(body, headers={"content-type": f"multipart/mixed; boundary={_ANSWER}"})


def _read_part(part: bytes) -> BatchedRequest:
    about, _, message = part.partition(b"\r\n\r\n")
    if _read_headers(about).get("content-type") != "application/http":
        raise not_emulated("A change set")
    head, _, body = message.partition(b"\r\n\r\n")
    line, _, headers = head.partition(b"\r\n")
    words = line.decode().split(" ")
    if len(words) != 3:  # noqa: PLR2004 - RFC 9112, section 3
        raise bad_payload("A part of the batch does not begin with method, URL and version.")
    try:
        content = orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError as exc:
        raise bad_payload("The body of a part of the batch is not JSON.") from exc
    return BatchedRequest(method=words[0], url=words[1], headers=_read_headers(headers), body=content)


def _read_headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n") if line)
    return {name.strip().lower(): text.strip() for name, _, text in pairs}


def _write_part(answer: Response) -> bytes:
    head = f"--{_ANSWER}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    names = ("content-type", "odata-entityid", "etag", "retry-after", "x-ms-service-request-id")
    lines = [f"{name}: {answer.headers[name]}" for name in names if name in answer.headers]
    message = "\r\n".join((f"HTTP/1.1 {answer.status_code} Emulated", *lines, "", "")).encode()
    return head.encode() + message + bytes(answer.body) + b"\r\n"
