"""The outermost boundary of the webhook: a defect of ours costs the caller nothing but a better place."""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from app.auth.guessing import GuessBrake
from app.auth.webhook import WebhookAccess
from app.calls.route_call import Arrival
from app.calls.webhook import Webhook
from app.observability.metrics import Metrics
from app.routing.calls import Call
from app.routing.numbers import PhoneNumber, make_number_reader
from app.settings import WebhookSettings
from tests.support.asgi import post_raw, send_parts
from tests.support.live_settings import FixedSettings, make_usual_settings
from tests.support.service import WEBHOOK_KEY

READ = make_number_reader("FI")


class KeyUse:
    """Notes nothing."""

    def touch(self, label: str, now: float) -> None:
        """Forget it."""


async def break_down(_call: Call, _arrival: Arrival) -> NoReturn:
    """Fail with a text that nobody may read."""
    raise RuntimeError("no idea what to do with +358501234567")


def misread(_raw: object) -> NoReturn:
    """Fail before there is a call."""
    raise RuntimeError("+358501234567 cannot be")


@pytest.mark.parametrize("read_number", [READ, misread], ids=["while it is decided", "while it is read"])
async def test_defect_leaves_the_call_where_it_is(read_number: Callable[[object], PhoneNumber]) -> None:
    """Whatever breaks once a call is admitted, the queue hears "no change"; the log tells where, without the number."""
    webhook = Webhook(
        access=WebhookAccess(WebhookSettings(api_keys={"queue": WEBHOOK_KEY}), brake=GuessBrake(monotonic=lambda: 0.0)),
        key_use=KeyUse(),
        route_call=break_down,
        live_settings=FixedSettings(replace(make_usual_settings(), read_number=read_number)),
        metrics=Metrics(version="1", deadline_ms=1500),
        max_body_bytes=65_536,
        spans=None,
        find_arrival=lambda received: received,
        clock=lambda: 1_772_618_400.0,
        monotonic=monotonic,
    )

    with capture_logs() as lines:
        answer = await post_raw(
            webhook,
            "/smartrouting",
            headers={"X-Benemen-APIKey": WEBHOOK_KEY},
            receive=send_parts([b'{"anum": "+358501234567"}']),
        )

    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")
    assert "x-request-id" in answer.headers
    assert [line["event"] for line in lines] == ["call.broken"]
    assert "501234567" not in str([{**line, "exc_info": ""} for line in lines])
