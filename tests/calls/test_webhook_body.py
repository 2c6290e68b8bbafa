"""What the webhook makes of bodies: too large, too slow, broken off, not JSON, no call."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import NoReturn

import pytest
from dirty_equals import IsPartialDict, IsStr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message
from structlog.testing import capture_logs

from tests.support.asgi import post_raw, send_parts
from tests.support.service import VIP_ANSWER, VIP_RULES, WEBHOOK_KEY, Service, open_service

KEY = {"X-Benemen-APIKey": WEBHOOK_KEY}
CALM = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
NUMBERS = st.sampled_from(["+358501234567", "+358401112233", "anonymous", "12", "0501234567;ext=5", "tel:+1"])
EXTRA_KEYS = st.sampled_from(["CallId", "LegId", "CurrQueueId", "CurrUserId", "IsInternalCaller", "DYN_A"]) | st.text()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Serve the sample organisation."""
    async with open_service(tmp_path, rules=VIP_RULES) as opened:
        yield opened


async def refuse_reading() -> NoReturn:
    """Fail the test when the body is asked for."""
    pytest.fail("the body was read")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"not json", b"{", b'{"anum": }', b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b'{"anum": NaN}', b"{'anum': 1}"),
        *(b"null", b"[]", b'[{"anum": "+358501234567"}]', b"17", b'"+358501234567"', b"true", b"{}"),
        *(b'{"bnum": "+358912345678"}', b'{"ANUM": "1"}', b"anum=%2B358501234567", b'{"anum": "1", "x": -Infinity}'),
        *(b'{"anum": ' + b"[" * 2000 + b"]" * 2000 + b"}", b'{"anum": "\xe4"}'),
    ],
)
async def test_what_is_no_call_is_refused(service: Service, body: bytes) -> None:
    """What is not JSON, no object, or has no key `anum` is 422, as a problem that says what to send."""
    answer = await service.post(body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json() == {
        "type": "urn:smartrouting:problem:invalid-input",
        "title": "Invalid input",
        "status": 422,
        "detail": IsStr(regex="The (body is not JSON|body is not a JSON object|key anum is missing).*"),
        "instance": IsStr(regex="urn:smartrouting:request:.+"),
    }


@pytest.mark.parametrize(
    "odd",
    [
        *(b'"half an emoji \\ud83d"', b"1" * 400, b"1" * 5000, b"-1e999", b"18446744073709551616"),
        *(b"[" * 200 + b"]" * 200, b"[" * 1015 + b"]" * 1015, b'{"a":' * 1015 + b"1" + b"}" * 1015),
        *(b'"\\u0000"', b'"\\ud83d\\ude00"', b'"twice", "DYN_A": 2'),
    ],
    ids=lambda odd: odd[:12].decode() + f" ({len(odd)})",
)
async def test_odd_value_costs_nobody_an_answer(service: Service, odd: bytes) -> None:
    """Whatever JSON allows may stand where nobody looks; the call is decided and recorded as without it."""
    extra = b'"CallId": ' + odd + b', "DYN_A": ' + odd + b', "Other": ' + odd

    answer = await service.post(b'{"anum": "+358501234567", "more": ' + odd + b', "extradata": {' + extra + b"}}")

    assert (answer.status_code, answer.json()) == (200, VIP_ANSWER)
    assert (await service.explain_last())["status"] == 200


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_encoding_with_a_mark_is_understood(service: Service, encoding: str) -> None:
    """Some libraries begin a body with the mark of its encoding."""
    answer = await service.post('{"anum": "+358501234567"}'.encode(encoding))

    assert (answer.status_code, answer.json()) == (200, VIP_ANSWER)


async def test_content_type_does_not_matter(service: Service) -> None:
    """A call is read whatever the sender calls it."""
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        answer = await service.post({"anum": "+358501234567"}, {**KEY, "Content-Type": kind})
        assert answer.status_code == 200


async def test_announced_size_is_refused_unread(service: Service) -> None:
    """A body announced as too large is 413 before a byte of it is read, and the connection is given up."""
    for size in ("65537", "9" * 30, "9" * 5000):
        answer = await post_raw(
            service.app, "/smartrouting", headers={**KEY, "Content-Length": size}, receive=refuse_reading
        )

        assert answer is not None
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert answer.json() == IsPartialDict(type="urn:smartrouting:problem:body-too-large", status=413)


async def test_unannounced_size_is_refused_as_soon_as_it_shows(service: Service) -> None:
    """A body sent in parts is refused at the first part too many."""
    parts = send_parts([b" " * 40_000, b" " * 40_000])

    answer = await post_raw(service.app, "/smartrouting", headers=KEY, receive=parts)

    assert answer is not None
    assert answer.status == 413
    assert (await parts())["more_body"] is False


async def test_largest_body_is_read(service: Service) -> None:
    """64 KiB are accepted, in however many parts."""
    body = b'{"anum": "+358501234567", "padding": "' + b"x" * (65536 - 40) + b'"}'
    assert len(body) == 65536
    parts = send_parts(body[start : start + 1000] for start in range(0, len(body), 1000))

    answer = await post_raw(service.app, "/smartrouting", headers=KEY, receive=parts)

    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("first", [b"", b'{"anum":'])
async def test_slow_body_is_given_up_within_the_deadline(tmp_path: Path, first: bytes) -> None:
    """A body that does not arrive is 408 when the time of the call is over."""
    parts = [first] if first else []

    async def receive() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    async with open_service(tmp_path, webhook={"deadline_ms": 100}) as service:
        answer = await post_raw(service.app, "/smartrouting", headers=KEY, receive=receive)

    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert answer.json() == IsPartialDict(type="urn:smartrouting:problem:body-too-slow", status=408)


async def test_refused_bodies_are_counted_by_their_code(tmp_path: Path) -> None:
    """Each body that was turned away is in the metrics once, by the code of its problem."""

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async with open_service(tmp_path, webhook={"deadline_ms": 1500}) as service:
        for body in (b"not json", b"{}", b"x" * 70_000):
            await service.post(body)
        await post_raw(service.app, "/smartrouting", headers=KEY, receive=never)
        metrics = await service.read_metrics()

    counted = [line for line in metrics.splitlines() if line.startswith("smartrouting_webhook_refusals_total")]
    assert counted == [
        'smartrouting_webhook_refusals_total{code="invalid-input"} 2.0',
        'smartrouting_webhook_refusals_total{code="body-too-large"} 1.0',
        'smartrouting_webhook_refusals_total{code="body-too-slow"} 1.0',
    ]


async def test_answer_after_the_deadline_is_counted(tmp_path: Path) -> None:
    """When this process was held up for longer than the deadline, the call is answered and counted as late."""
    receive = send_parts([b'{"anum": null}'])

    async def receive_late() -> Message:
        held_until = monotonic() + 0.06
        while monotonic() < held_until:
            pass
        return await receive()

    async with open_service(tmp_path, webhook={"deadline_ms": 50}) as service:
        answer = await post_raw(service.app, "/smartrouting", headers=KEY, receive=receive_late)
        metrics = await service.read_metrics()

    assert answer is not None
    assert answer.status == 204
    assert "smartrouting_deadline_misses_total 1.0" in metrics.splitlines()


async def test_sender_who_leaves_is_not_answered(service: Service) -> None:
    """When the connection closes before the body is complete, nothing is sent and nothing is decided."""
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"anum":', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    assert await post_raw(service.app, "/smartrouting", headers=KEY, receive=receive) is None
    assert "smartrouting_decisions_total{" not in await service.read_metrics()


@pytest.mark.parametrize("levels", [200, 500, 990, 1020])
async def test_deeply_nested_extra_data_are_no_obstacle(service: Service, levels: int) -> None:
    """However deep a value is nested that nobody reads, the call is decided."""
    nested = b"[" * levels + b"]" * levels
    bodies = (
        b'{"anum": "+358501234567", "unheard": ' + nested + b"}",
        b'{"anum": "+358501234567", "extradata": {"DYN_A": ' + nested + b"}}",
        b'{"anum": ' + nested + b"}",
    )

    with capture_logs():
        statuses = [(await service.post(body)).status_code for body in bodies]

    assert {*statuses} <= {200, 204}


@CALM
@given(
    payload=st.fixed_dictionaries(
        {"anum": NUMBERS | ANY_JSON},
        optional={
            "bnum": NUMBERS | ANY_JSON,
            "targetid": ANY_JSON,
            "extradata": ANY_JSON | st.dictionaries(EXTRA_KEYS, ANY_JSON, max_size=4),
            "more": ANY_JSON,
        },
    )
)
async def test_every_object_with_anum_is_answered(service: Service, payload: dict[str, object]) -> None:
    """Any JSON object with the key `anum`, of any type, is answered with 200 and instructions, or 204 and nothing."""
    answer = await service.post(payload)

    assert (answer.status_code, bool(answer.content)) in {(200, True), (204, False)}
    if answer.status_code == 200:
        assert answer.json()["InitialTarget"] == "queue-of-vips"


@CALM
@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
async def test_any_bytes_get_a_documented_status(service: Service, body: bytes) -> None:
    """Whatever is posted, the answer is one the description of the webhook names."""
    assert (await service.post(body)).status_code in {200, 204, 422}
