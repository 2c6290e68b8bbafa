"""Alarms of a running service, as its operators and their receiver of webhooks meet them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsDatetime, IsPartialDict, IsStr
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.world import serve_app
from tests.support.service import VIP_RULES, WEBHOOK_KEY, Service, open_service, wait_for

ANNA = "+358501234567"
SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ=="
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).timestamp()
OFFICE = {"time_zone": "UTC", "weekly": {day: ["08:00-16:00"] for day in ("mon", "tue", "wed", "thu", "fri")}}


class Receiver:
    """Keeps what it was sent; its URL is `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.messages: list[Any] = []

    async def take(self, request: Request) -> Response:
        """Take a message whose signature is right."""
        body = await request.body()
        Webhook(SECRET).verify(body.decode(), dict(request.headers))
        self.messages.append({"id": request.headers["webhook-id"], **json.loads(body)})
        return Response(status_code=self.status)

    async def read(self) -> list[Any] | None:
        """Return what there is."""
        return self.messages or None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen on a free port."""
    receiver = Receiver()
    with serve_app(Starlette(routes=[Route("/", receiver.take, methods=["POST"])]), lifespan="off") as (url, _):
        receiver.url = url
        yield receiver


def read_open(service: Service) -> Callable[[], Any]:
    """Make a reader of the alerts that are open, if there are any."""

    async def read() -> list[dict[str, Any]] | None:
        return (await service.ask("/admin/alerts", open=True)).json()["items"] or None

    return read


async def test_alert_is_sent_signed_and_once(tmp_path: Path, receiver: Receiver) -> None:
    """A retiring key in use is one signed message, however long it lasts and whoever acknowledges it."""
    keys = {"queue": WEBHOOK_KEY, "spare": "fake-spare-webhook-key"}
    alerts = {"url": receiver.url, "secret": SECRET}
    async with open_service(tmp_path, webhook={"api_keys": keys}) as service:
        for key in keys.values():
            assert (await service.post({"anum": ANNA}, {"X-Benemen-APIKey": key})).status_code == 204
    async with open_service(
        tmp_path, webhook={"api_keys": keys, "retiring": {"queue": "2026-01-01"}}, alerts=alerts
    ) as service:
        (first,) = await wait_for(receiver.read)
        (alert,) = await wait_for(read_open(service))
        path = f"/admin/alerts/{alert['id']}/acknowledge"
        assert (await service.client.post(path, headers={"Authorization": "Bearer admin-key-for-tests"})).is_success
    receiver.messages.clear()
    retiring = {"queue": "2026-01-01", "spare": "2026-01-01"}
    async with open_service(tmp_path, webhook={"api_keys": keys, "retiring": retiring}, alerts=alerts) as service:
        (second,) = await wait_for(receiver.read)

    assert first == {
        "id": f"msg_{alert['id']}_opened",
        "type": "alert.opened",
        "timestamp": IsStr,
        "data": IsPartialDict(
            id=alert["id"],
            key="credential_retiring:queue",
            kind="credential_retiring",
            opened_at=IsDatetime(iso_string=True, approx=datetime.now(UTC), delta=60),
        ),
    }
    assert second["data"]["key"] == "credential_retiring:spare"


async def test_receiver_that_is_gone_is_an_alert(tmp_path: Path, receiver: Receiver) -> None:
    """After 410 nothing more is sent, and the list of alerts says so."""
    receiver.status = 410
    webhook = {"api_keys": {"queue": WEBHOOK_KEY}, "retiring": {"queue": "2026-01-01"}}
    alerts = {"url": receiver.url, "secret": SECRET}
    async with open_service(tmp_path, webhook=webhook, alerts=alerts) as service:
        await service.call(ANNA)

        async def read() -> list[str] | None:
            kinds = [alert["kind"] for alert in (await service.ask("/admin/alerts", open=True)).json()["items"]]
            return kinds if len(kinds) > 1 else None

        assert await wait_for(read) == ["alert_receiver_gone", "credential_retiring"]
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("members", [{"extradata": {"CurrQueueId": "SALES"}}, {"targetid": "SALES"}])
async def test_queue_that_stops_asking_is_an_alert(tmp_path: Path, members: dict[str, Any]) -> None:
    """A queue that called every ten minutes is missed after half an hour, for which the night does not count."""
    rules = VIP_RULES | {"calendars": {"office": OFFICE}}
    moments = [MONDAY + 600 * index for index in range(48)]
    now = [MONDAY]
    async with open_service(tmp_path, rules=rules, clock=lambda: now[0]) as service:
        for now[0] in moments:
            await service.call(ANNA, **members)
    async with open_service(tmp_path, rules=rules, clock=lambda: MONDAY + 86_400 + 1_900) as service:
        (alert,) = await wait_for(read_open(service))

    assert alert == IsPartialDict(key="silence:SALES", kind="silence", state="open")
    assert alert["detail"] == IsPartialDict(usual_gap_seconds=600, silent_seconds=2_500)
