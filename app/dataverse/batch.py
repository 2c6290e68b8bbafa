"""Many small requests in one: `$batch` as the Web API spells it (Dataverse contract, section 1.5)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

import orjson

from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import DataverseError, ThrottledError, UnreadableAnswerError
from app.dataverse.translation import read_failure
from app.dataverse.wire import Response

__all__ = ["BatchedReads", "Part", "send_batch"]

_PARTS_AT_ONCE = 40
"""Far below the 1,000 that Dataverse takes: the answer to so many look-ups stays below the 5 MB that are read."""
_BOUNDARY = "batch_smartrouting"
_FIRST_FAILURE = 400
_PARSER = BytesParser()
"""With the oldest policy, which leaves headers as they are: the others take ten times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One request within a batch."""

    method: str
    path: str = field(repr=False)
    """Relative to the API, encoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    def write(self, root: str) -> bytes:
        """Write it as a message of its own."""
        headers = {"Accept": "application/json", **self.headers}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        lines = [f"{self.method} {root}{self.path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
        content = b"" if self.body is None else orjson.dumps(self.body)
        return "\r\n".join((*lines, "", "")).encode() + content + b"\r\n"


async def send_batch(client: DataverseClient, parts: Sequence[Part]) -> list[Row | DataverseError]:
    """Send requests one after the other within few; each gets its answer, `{}` without a body, or its own error.

    What `client` counts and waits for is the batch. Raises DataverseError when a batch as a whole fails, and
    ThrottledError as soon as Dataverse asks to slow down: what was sent before is done then, so send only what may be
    sent again.
    """
    answers: list[Row | DataverseError] = []
    for start in range(0, len(parts), _PARTS_AT_ONCE):
        some = parts[start : start + _PARTS_AT_ONCE]
        answers += await _send(client, some)
    return answers


async def _send(client: DataverseClient, parts: Sequence[Part]) -> list[Row | DataverseError]:
    head = f"--{_BOUNDARY}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode()
    written = b"".join(head + part.write(client.locate("")) for part in parts)
    content = written + f"--{_BOUNDARY}--\r\n".encode()
    response = await client.post_batch(content, content_type=f"multipart/mixed; boundary={_BOUNDARY}")
    answers = [_read_answer(each) for each in _split(response)]
    if len(answers) != len(parts):
        raise UnreadableAnswerError(f"a batch of {len(parts)} requests got {len(answers)} answers")
    throttled = next((each for each in answers if isinstance(each, ThrottledError)), None)
    if throttled is not None:
        client.note_failure(throttled)
        raise throttled
    return answers


def _split(response: Response) -> list[bytes]:
    """Take the messages out of a multipart answer; raises UnreadableAnswerError."""
    head = f"Content-Type: {response.headers.get('content-type', '')}\r\n\r\n".encode()
    message = _PARSER.parsebytes(head + response.body)
    if not message.is_multipart():
        raise UnreadableAnswerError("the answer to a batch is not multipart")
    payloads = (part.get_payload(decode=True) for part in message.walk() if not part.is_multipart())
    return [payload for payload in payloads if isinstance(payload, bytes)]


def _read_answer(message: bytes) -> Row | DataverseError:
    """Read one HTTP message; raises UnreadableAnswerError when it is none."""
    line, _, rest = message.lstrip().partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    words = line.split(maxsplit=2)
    try:
        status = int(words[1])
        headers = {name.lower(): text.strip() for name, text in _PARSER.parsebytes(head + b"\r\n\r\n").items()}
        if status >= _FIRST_FAILURE:
            return read_failure(status, headers, body)
        row = orjson.loads(body) if body.strip() else {}
    except (IndexError, ValueError) as error:
        raise UnreadableAnswerError("a part of the answer to a batch cannot be read") from error
    if not isinstance(row, dict):
        raise UnreadableAnswerError("a part of the answer to a batch is JSON, but no object")
    return row


class BatchedReads:
    """Reads as the client does, but what is asked at the same moment leaves as one request.

    For work in the background that asks many questions: a batch is one request of the budget, and slower.
    """

    def __init__(self, client: DataverseClient) -> None:
        self._client = client
        self._asked: list[tuple[Part, asyncio.Future[Row]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def get_json(self, path: str, *, prefer: Sequence[str] = ()) -> Row:
        """Read one JSON object; raises DataverseError."""
        headers = {"Prefer": ",".join(prefer)} if prefer else {}
        future: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._asked.append((Part(method="GET", path=path, headers=headers), future))
        if len(self._asked) == 1:
            task = asyncio.create_task(self._send_all(), name="dataverse.batch")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return await future

    async def _send_all(self) -> None:
        await asyncio.sleep(0)  # whoever asks in this round of the loop comes along
        asked, self._asked = self._asked, []
        try:
            answers: Sequence[Row | DataverseError] = await send_batch(self._client, [part for part, _ in asked])
        except DataverseError as error:
            answers = [error] * len(asked)
        except asyncio.CancelledError:
            for _, future in asked:
                future.cancel()
            raise
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, DataverseError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
