"""Who may call the webhook, judged before a body is read."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from dirty_equals import IsPartialDict, IsStr

from app.bootstrap.upstreams import Upstreams
from tests.support.asgi import RawAnswer, post_raw
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY, Service, open_service

PASSWORD = "pass word: with ünusual signs"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Accept two keys and a Basic user."""
    webhook = {
        "api_keys": {"old": "fake-webhook-key-one", "new": "fake-webhook-key-two"},
        "basic_users": {"enreach": PASSWORD},
    }
    async with open_service(tmp_path, webhook=webhook) as opened:
        yield opened


async def refuse_reading() -> NoReturn:
    """Fail the test when the body is asked for."""
    pytest.fail("the body was read")


async def knock(service: Service, headers: Mapping[str, str], **options: Any) -> RawAnswer | None:
    """Post a large body that must not be read."""
    announced = {"Content-Length": "10000000", **headers}
    return await post_raw(service.app, "/smartrouting", headers=announced, receive=refuse_reading, **options)


def spell_basic(user: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    """Write the header of HTTP Basic."""
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode(encoding)).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Benemen-APIKey": "fake-webhook-key-one"},
        {"x-benemen-apikey": "  fake-webhook-key-two  "},
        spell_basic("enreach", PASSWORD),
        spell_basic("enreach", PASSWORD, "latin-1"),
        {"X-Benemen-APIKey": "wrong", **spell_basic("enreach", PASSWORD)},
        {"X-Benemen-APIKey": "fake-webhook-key-one", "Authorization": "Bearer of something else"},
    ],
)
async def test_each_credential_opens(service: Service, headers: dict[str, str]) -> None:
    """Every key and every Basic user is accepted, whatever else is sent along."""
    assert (await service.post({"anum": None}, headers)).status_code == 204


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing-credential"),
        ({"X-Benemen-APIKey": ""}, "wrong-credential"),
        ({"X-Benemen-APIKey": "key-on"}, "wrong-credential"),
        ({"X-Benemen-APIKey": "fake-webhook-key-one2"}, "wrong-credential"),
        ({"X-Benemen-APIKey": "KEY-ONE"}, "wrong-credential"),
        (spell_basic("enreach", "wrong"), "wrong-credential"),
        (spell_basic("somebody", PASSWORD), "wrong-credential"),
        (spell_basic("", ""), "wrong-credential"),
        ({"Authorization": "Basic !!!"}, "wrong-credential"),
        ({"Authorization": "Basic"}, "wrong-credential"),
        ({"Authorization": "Bearer fake-webhook-key-one"}, "wrong-credential"),
        ({"Authorization": "fake-webhook-key-one"}, "wrong-credential"),
    ],
)
async def test_strangers_are_refused_before_their_body_is_read(
    service: Service, headers: dict[str, str], code: str
) -> None:
    """A missing or wrong credential is 401 with a challenge, as a problem, and not one byte of the body is read."""
    answer = await knock(service, headers)

    assert answer is not None
    assert answer.status == 401
    assert answer.headers == IsPartialDict(
        {"content-type": "application/problem+json", "www-authenticate": IsStr(regex='Basic realm=".*')}
    )
    assert answer.json() == {
        "type": f"urn:smartrouting:problem:{code}",
        "title": "Unauthorized",
        "status": 401,
        "detail": IsStr(),
        "instance": IsStr(regex="urn:smartrouting:request:.+"),
    }
    assert f'smartrouting_webhook_refusals_total{{code="{code}"}} 1.0' in await service.read_metrics()


async def test_other_spellings_of_the_path_are_not_there(service: Service) -> None:
    """A slash too many is 404 and no redirect, which behind a proxy would send the key out over http."""
    keys = {"X-Benemen-APIKey": WEBHOOK_KEY, "Authorization": f"Bearer {ADMIN_KEY}"}
    for path in ("/smartrouting/", "/smartrouting%2f", "//smartrouting", "/Smartrouting", "/admin/decisions/"):
        # Two slashes at the beginning would name another host.
        answer = await service.client.post(f"http://service{path}", json={}, headers=keys)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


async def test_wrong_keys_do_not_lock_anybody_out(service: Service) -> None:
    """However many strangers try, the right key still opens at once: there is no 429."""
    wrong = {(await service.post({"anum": None}, {"X-Benemen-APIKey": f"guess-{n}"})).status_code for n in range(50)}

    assert wrong == {401}
    assert (await service.post({"anum": None}, {"X-Benemen-APIKey": "fake-webhook-key-one"})).status_code == 204


NETWORKS = {"allowed_networks": ["10.0.0.0/8", "2001:db8::/32"], "trusted_proxies": ["127.0.0.1/32", "192.0.2.0/24"]}


@pytest.mark.parametrize(
    ("peer", "forwarded", "allowed"),
    [
        ("10.1.2.3", None, True),
        ("2001:db8::1", None, True),
        ("::ffff:10.1.2.3", None, True),
        ("127.0.0.1", "10.1.2.3", True),
        ("127.0.0.1", "8.8.8.8, 10.1.2.3", True),
        ("127.0.0.1", "10.1.2.3, 192.0.2.7", True),
        ("127.0.0.1", None, False),
        ("8.8.8.8", None, False),
        ("8.8.8.8", "10.1.2.3", False),
        ("127.0.0.1", "10.1.2.3, 8.8.8.8", False),
        ("127.0.0.1", "10.1.2.3, nonsense", False),
        ("10.1.2.3", "8.8.8.8", True),
        (None, "10.1.2.3", False),
    ],
)
async def test_networks_are_seen_through_trusted_proxies_only(
    tmp_path: Path, peer: str | None, forwarded: str | None, *, allowed: bool
) -> None:
    """The source is the first address from the right that no trusted proxy has; others are 403, body unread."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    client = None if peer is None else (peer, 4000)
    async with open_service(tmp_path, webhook=NETWORKS) as service:
        answer = await knock(service, headers, client=client)

    assert answer is not None
    assert (answer.status, answer.json()["type"]) == (
        (401, "urn:smartrouting:problem:missing-credential")
        if allowed
        else (403, "urn:smartrouting:problem:wrong-network")
    )


async def test_right_key_from_a_wrong_network_is_refused(tmp_path: Path) -> None:
    """A credential does not make up for the network."""
    async with open_service(tmp_path, webhook=NETWORKS) as service:
        answer = await service.call(None)
        let_in = await service.post({"anum": None}, {"X-Benemen-APIKey": WEBHOOK_KEY, "X-Forwarded-For": "10.1.2.3"})

    assert (answer.status_code, let_in.status_code) == (403, 204)
    assert "www-authenticate" not in answer.headers


def read_uses(metrics: str) -> dict[str, float]:
    """Read when each credential was last used."""
    found = re.findall(r'key_last_used_timestamp_seconds\{label="(.+?)"\} (\S+)', metrics)
    return {label: float(value) for label, value in found}


async def test_last_use_of_each_credential_is_kept(tmp_path: Path) -> None:
    """When a key was used last is in the metrics by its label, also after a restart; refused keys leave no trace."""
    webhook = {
        "api_keys": {"old": "fake-webhook-key-one", "new": "fake-webhook-key-two"},
        "basic_users": {"enreach": PASSWORD},
    }
    now = [1_800_000_000.0]
    async with open_service(tmp_path, webhook=webhook, clock=lambda: now[0]) as service:
        await service.post({"anum": None}, {"X-Benemen-APIKey": "fake-webhook-key-one"})
        now[0] += 60
        await service.post({"anum": None}, {"X-Benemen-APIKey": "fake-webhook-key-two"})
        await service.post({"anum": None}, spell_basic("enreach", PASSWORD))
        await service.post({"anum": None}, {"X-Benemen-APIKey": "key-three"})
        before = read_uses(await service.read_metrics())
        decisions = await service.list_decisions(3)
    async with open_service(tmp_path, webhook={"api_keys": {"new": "fake-webhook-key-two"}}) as service:
        after = read_uses(await service.read_metrics())

    assert before == after == {"old": 1_800_000_000.0, "new": 1_800_000_060.0, "enreach": 1_800_000_060.0}
    assert [decision["credential"] for decision in decisions] == ["enreach", "new", "old"]


async def test_credentials_never_reach_the_crm(tmp_path: Path) -> None:
    """What the queue sends to us is not sent on."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"value": []})

    async with open_service(tmp_path, upstreams=Upstreams(dataverse=httpx.MockTransport(answer))) as service:
        await service.call("+358501234567")

    assert seen
    assert not any(WEBHOOK_KEY in str(request.headers) + str(request.url) for request in seen)
