"""Wrong credentials get slower answers, a metric, a log line and an alert; right ones do not notice."""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsPartialDict
from structlog.testing import capture_logs

from app.auth.guessing import GuessBrake
from app.single_flight import cancel_all
from tests.support.service import ADMIN_KEY, USER_KEY, Service, open_service, wait_for

ONE, OTHER = ip_address("198.51.100.7"), ip_address("198.51.100.8")


@dataclass
class Clock:
    """Seconds that pass when told."""

    now: float = field(default=1000.0)

    def __call__(self) -> float:
        return self.now


def test_refusals_slow_down_for_one_address_and_recover() -> None:
    """Fifty come at once, further ones four a second and never after more than two seconds; a pause makes up for it."""
    clock = Clock()
    brake = GuessBrake(monotonic=clock)

    assert max(brake.note(ONE) for _ in range(50)) == 0
    assert [brake.note(ONE) for _ in range(3)] == [pytest.approx(0.25), pytest.approx(0.5), pytest.approx(0.75)]
    assert max(brake.note(ONE) for _ in range(100)) == 2.0
    assert (brake.note(OTHER) <= 0, brake.note(None) <= 0, brake.count_guessing()) == (True, True, 1)

    clock.now += 60
    assert (brake.note(ONE) <= 0, brake.count_guessing()) == (True, 1)
    clock.now += 300
    assert brake.count_guessing() == 0


async def test_refusals_that_wait_are_bounded() -> None:
    """Five hundred are held back at a time; the next one is refused at once rather than kept, until one has gone."""
    brake = GuessBrake(monotonic=Clock())
    while brake.note(ONE) < 2.0:
        pass
    held = [asyncio.create_task(brake.hold_back(ONE)) for _ in range(500)]
    await asyncio.sleep(0)
    beyond = [asyncio.create_task(brake.hold_back(ONE)) for _ in range(3)]
    await asyncio.wait(beyond)

    assert [task.done() for task in held] == [False] * 500
    await cancel_all(held[:1])
    replaced = asyncio.create_task(brake.hold_back(ONE))
    await asyncio.sleep(0)
    assert not replaced.done()
    await cancel_all([*held, replaced])


def test_one_network_of_ipv6_is_one_guesser() -> None:
    """Whoever holds a network chooses the lower half of its addresses, and gains nothing by it."""
    brake = GuessBrake(monotonic=Clock())

    waits = [brake.note(ip_address(f"2001:db8::{number:x}")) for number in range(51)]

    assert waits[-1] == pytest.approx(0.25)
    assert brake.note(ip_address("2001:db8:0:1::1")) <= 0


def test_many_addresses_do_not_fill_the_memory() -> None:
    """Only the latest ten thousand are remembered."""
    brake = GuessBrake(monotonic=Clock())

    for number in range(20_000):
        brake.note(ip_address(number))

    assert len(brake._next_due) == 10_000


async def guess(service: Service, **sent: Any) -> set[int]:
    """Send a hundred wrong credentials at once from one address, and return the statuses."""
    transport = httpx.ASGITransport(service.app, client=(str(ONE), 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answers = await asyncio.gather(*(client.request(**sent) for _ in range(100)))
        return {answer.status_code for answer in answers}


def read_count(metrics: str, name: str) -> str | None:
    """Read one metric."""
    return next((line.rpartition(" ")[2] for line in metrics.splitlines() if line.startswith(name)), None)


async def read_alert(service: Service) -> dict[str, Any]:
    """Wait for the alert about guessing."""

    async def read() -> dict[str, Any] | None:
        found: list[dict[str, Any]] = (await service.ask("/admin/alerts", open=True)).json()["items"]
        return next((alert for alert in found if alert["kind"] == "credential_guessing"), None)

    return await wait_for(read)


async def test_wrong_admin_keys_are_counted_logged_and_an_alert(tmp_path: Path) -> None:
    """The log names the address and no key, the alert says that it goes on, and the right key still opens."""
    wrong = {"Authorization": "Bearer fake-guess-of-a-key"}
    async with open_service(tmp_path) as service:
        with capture_logs() as lines:
            statuses = await guess(service, method="GET", url="/admin/alerts", headers=wrong)
        alert = await read_alert(service)
        metrics = await service.read_metrics()

    assert statuses == {401}
    refused = [line for line in lines if line["event"] == "access.refused"]
    assert refused == [
        {"event": "access.refused", "log_level": "info", "code": "invalid-token", "peer": str(ONE)} for _ in range(100)
    ]
    assert alert == IsPartialDict(state="open", detail=IsPartialDict(addresses=1))
    assert read_count(metrics, 'smartrouting_admin_refusals_total{code="invalid-token"}') == "100.0"
    assert "fake-guess" not in str(lines) + metrics


async def test_wrong_basic_passwords_are_slowed_down_too(tmp_path: Path) -> None:
    """The webhook refuses them as before, and the alert is the same."""
    wrong = {"Authorization": "Basic " + b64encode(b"enreach:wrong").decode()}
    webhook = {"basic_users": {"enreach": "fake-password-of-enreach"}}
    async with open_service(tmp_path, webhook=webhook) as service:
        statuses = await guess(service, method="POST", url="/smartrouting", headers=wrong, content=b"{}")
        alert = await read_alert(service)
        answer = await service.call(None)

    assert (statuses, alert["detail"]["addresses"], answer.status_code) == ({401}, 1, 204)


async def test_every_refusal_on_admin_routes_is_counted(tmp_path: Path) -> None:
    """No credential and a role that does not suffice are no guesses, and have their own codes."""
    async with open_service(tmp_path) as service:
        with capture_logs() as lines:
            missing = await service.client.get("/admin/alerts")
            forbidden = await service.ask("/admin/alerts", key=USER_KEY)
            good = await service.ask("/admin/alerts", key=ADMIN_KEY)
        metrics = await service.read_metrics()

    assert [answer.status_code for answer in (missing, forbidden, good)] == [401, 403, 200]
    codes = [line["code"] for line in lines if line["event"] == "access.refused"]
    assert codes == ["missing-token", "forbidden"]
    assert [read_count(metrics, f'smartrouting_admin_refusals_total{{code="{code}"}}') for code in codes] == ["1.0"] * 2


async def test_guesser_behind_a_trusted_proxy_is_named_by_its_own_address(tmp_path: Path) -> None:
    """Others behind the same proxy are not slowed down with it."""
    headers = {"Authorization": "Bearer fake-guess", "X-Forwarded-For": "203.0.113.9"}
    async with open_service(tmp_path, webhook={"trusted_proxies": [str(ONE)]}) as service:
        with capture_logs() as lines:
            await guess(service, method="GET", url="/admin/alerts", headers=headers)

    assert {line["peer"] for line in lines if line["event"] == "access.refused"} == {"203.0.113.9"}
