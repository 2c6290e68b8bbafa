"""Standard or Modern: the decision, its prerequisites and its steps."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.issuer import AUDIENCE, Issuer, serve_issuer
from tests.support.organisation import Organisation, open_organisation

PATH = "/admin/authentication"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """An identity provider that answers."""
    with serve_issuer(tmp_path) as issuer:
        yield issuer


@pytest.fixture
async def organisation(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Organisation]:
    """The service, with a way to that provider."""
    async with open_organisation(tmp_path, issuer=issuer.trust()) as organisation:
        yield organisation


def describe(issuer: Issuer, **changes: str) -> dict[str, str]:
    """Describe the provider of Modern authentication."""
    return {"issuer": issuer.url, "client_id": "voice-client", "audience": AUDIENCE, **changes}


async def decide(organisation: Organisation, body: dict[str, Any], version: str) -> httpx.Response:
    """Decide from a version."""
    headers = {"Authorization": "Bearer admin-key-for-tests", "If-Match": version}
    return await organisation.service.client.put(PATH, json=body, headers=headers)


async def check(organisation: Organisation, **body: Any) -> dict[str, str]:
    """Check the prerequisites; return each state by id."""
    answer = await organisation.send("POST", f"{PATH}/check", body)
    return {item["id"]: item["state"] for item in answer.json()["checks"]}


async def test_standard_holds_until_somebody_decides(organisation: Organisation) -> None:
    """Both modes are explained, and who may change them."""
    answer = await organisation.get(PATH)

    body = answer.json()
    assert (answer.headers["etag"], body["decided"], body["in_effect"]) == ('"none"', "standard", "standard")
    assert (body["changeable_by"], set(body["meanings"])) == ("Voice Admin User", {"standard", "modern"})


async def test_modern_takes_effect_when_every_step_is_confirmed(organisation: Organisation, issuer: Issuer) -> None:
    """The decision alone changes nothing at Enreach; the last confirmation does, and all of it is on record."""
    decided = await decide(organisation, {"mode": "modern", "modern": describe(issuer)}, '"none"')
    states = [decided.json()["in_effect"]]
    for step in decided.json()["steps"]:
        answer = await organisation.send("PUT", f"{PATH}/steps/{step['id']}", {"note": "done"})
        states.append(answer.json()["in_effect"])

    records = await organisation.list_audit(target="authentication")
    assert states == ["standard", "standard", "standard", "standard", "modern"]
    assert [what for _, what, _ in records] == ["authentication.decided", *["authentication.step_confirmed"] * 4]


async def test_modern_is_refused_while_its_provider_is_away(organisation: Organisation, issuer: Issuer) -> None:
    """Nothing is decided, and the reason is told."""
    await asyncio.to_thread(issuer.stop)

    refused = await decide(organisation, {"mode": "modern", "modern": describe(issuer)}, '"none"')
    unnamed = await decide(organisation, {"mode": "modern"}, '"none"')

    assert (refused.status_code, unnamed.status_code) == (409, 409)
    assert "does not answer" in refused.json()["detail"]
    assert (await organisation.get(PATH)).json()["decided"] == "standard"


async def test_two_administrators_do_not_overwrite_each_other(organisation: Organisation, issuer: Issuer) -> None:
    """The second decision from the same version is refused, one without a version as well."""
    body = {"mode": "modern", "modern": describe(issuer)}
    first = await decide(organisation, body, '"none"')
    second = await decide(organisation, {"mode": "standard"}, '"none"')
    third = await organisation.send("PUT", PATH, {"mode": "standard"})
    fourth = await decide(organisation, {"mode": "standard"}, first.headers["etag"])

    assert [answer.status_code for answer in (first, second, third, fourth)] == [200, 412, 428, 200]
    assert fourth.json()["modern"] == describe(issuer)


async def test_prerequisites_are_checked_for_real(organisation: Organisation, issuer: Issuer) -> None:
    """Issuer, discovery, keys, token, audience and client are told apart."""
    modern = describe(issuer)
    fine = {"issuer": "ok", "discovery": "ok", "keys": "ok"}
    other_issuer = modern | {"issuer": issuer.url.replace("contoso", "other")}

    assert await check(organisation, modern=modern, test_token=issuer.issue(azp="voice-client")) == {
        **fine,
        "token": "ok",
        "audience": "ok",
        "client": "ok",
    }
    assert await check(organisation, modern=modern, test_token=issuer.issue(azp="other")) == {
        **fine,
        "token": "ok",
        "audience": "ok",
        "client": "failed",
    }
    assert await check(organisation, modern=modern, test_token=issuer.issue(aud="other")) == {
        **fine,
        "audience": "failed",
    }
    assert await check(organisation, modern=modern, test_token=issuer.issue(exp=1)) == {**fine, "token": "failed"}
    assert await check(organisation, modern=modern, test_token="nonsense") == {**fine, "token": "failed"}
    assert await check(organisation, modern=modern) == {
        **fine,
        "token": "not_checked",
        "audience": "not_checked",
        "client": "not_checked",
    }
    assert await check(organisation, modern=other_issuer) == {"issuer": "failed"}
    assert await check(organisation, modern=modern | {"issuer": "http://idp.example"}) == {"issuer": "failed"}


async def test_a_check_without_a_provider_says_what_is_missing(organisation: Organisation) -> None:
    """Nothing is set and nothing was given."""
    assert (await organisation.send("POST", f"{PATH}/check", {})).status_code == 409


async def test_an_unknown_step_is_not_found(organisation: Organisation) -> None:
    """Only the steps that are listed can be confirmed."""
    assert (await organisation.send("PUT", f"{PATH}/steps/magic", {})).status_code == 404
