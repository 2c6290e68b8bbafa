"""Keys for scripts: made, shown once, rotated with overlap, revoked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.store.database import open_database
from tests.support.organisation import Organisation, open_organisation


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[Organisation]:
    """A service."""
    async with open_organisation(tmp_path) as people:
        yield people


async def test_a_made_key_opens_with_its_role_and_is_never_shown_again(people: Organisation) -> None:
    """Its text is in the answer that made it, and nowhere else."""
    made = await people.send("POST", "/admin/keys", {"label": "ci", "role": "Voice ApiUser"})
    key = made.json()["key"]
    statuses = [(await people.get(path, key=key)).status_code for path in ("/admin/users", "/admin/keys")]
    listed = await people.get("/admin/keys")
    records = (await people.get("/admin/audit")).text

    assert (made.status_code, made.headers["cache-control"], statuses) == (201, "no-store", [200, 403])
    assert [(item["label"], item["last_used"] is not None) for item in listed.json()["items"]] == [("ci", True)]
    assert key not in listed.text + records


async def test_only_a_digest_is_kept(people: Organisation, tmp_path: Path) -> None:
    """Whoever reads the database learns no key."""
    key = (await people.send("POST", "/admin/keys", {"label": "ci", "role": "Voice ApiUser"})).json()["key"]

    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    async with database.read() as connection:
        rows = str((await connection.execute(text("SELECT * FROM api_keys"))).all())
    await database.close()

    assert key.rsplit("_", 1)[1] not in rows
    assert key[-20:] not in rows


async def test_a_near_miss_opens_nothing(people: Organisation) -> None:
    """A key with one other character, of another id, or cut short is nobody's."""
    key = (await people.send("POST", "/admin/keys", {"label": "ci", "role": "Voice ApiUser"})).json()["key"]
    wrong = [key[:-1] + ("A" if key[-1] != "A" else "B"), key[:-1], key + "A", f"srk_{'0' * 12}{key[16:]}", "srk_", ""]

    statuses = {(await people.get("/admin/users", key=each)).status_code for each in wrong}

    assert statuses == {401}


async def test_a_rotation_overlaps_and_a_revocation_does_not(people: Organisation) -> None:
    """Both keys work during the overlap; a revoked one ends at once, and so does a rotation without overlap."""
    first = (await people.send("POST", "/admin/keys", {"label": "ci", "role": "Voice ApiUser"})).json()
    second = (await people.send("POST", f"/admin/keys/{first['id']}/rotate", {})).json()
    both = [(await people.get("/admin/users", key=made["key"])).status_code for made in (first, second)]
    third = (await people.send("POST", f"/admin/keys/{second['id']}/rotate", {"overlap_seconds": 0})).json()
    revoked = await people.send("DELETE", f"/admin/keys/{first['id']}")
    after = [(await people.get("/admin/users", key=made["key"])).status_code for made in (first, second, third)]
    too_late = await people.send("POST", f"/admin/keys/{first['id']}/rotate", {})

    assert (both, revoked.status_code, after, too_late.status_code) == ([200, 200], 204, [401, 401, 200], 409)
    assert third["label"] == "ci"
    assert [what for _, what, _ in await people.list_audit()] == [
        "key.created",
        "key.rotated",
        "key.rotated",
        "key.revoked",
    ]


async def test_labels_are_unique_among_valid_keys(people: Organisation) -> None:
    """Neither a key of the settings nor a valid one shares its label with a new key; a revoked one frees it."""
    wish = {"label": "ci", "role": "Voice User"}
    first = await people.send("POST", "/admin/keys", wish)
    taken = await people.send("POST", "/admin/keys", wish)
    reserved = await people.send("POST", "/admin/keys", wish | {"label": "anna"})
    await people.send("DELETE", f"/admin/keys/{first.json()['id']}")
    free = await people.send("POST", "/admin/keys", wish)

    assert [answer.status_code for answer in (first, taken, reserved, free)] == [201, 409, 409, 201]


async def test_an_expired_key_opens_nothing(people: Organisation) -> None:
    """A key may be made with an end."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    wish = {"label": "ci", "role": "Voice ApiUser", "expires_at": past}
    key = (await people.send("POST", "/admin/keys", wish)).json()["key"]

    assert (await people.get("/admin/users", key=key)).status_code == 401


async def test_unknown_keys_cannot_be_rotated_or_revoked(people: Organisation) -> None:
    """They are not found."""
    statuses = [
        (await people.send("POST", "/admin/keys/none/rotate", {})).status_code,
        (await people.send("DELETE", "/admin/keys/none")).status_code,
    ]

    assert statuses == [404, 404]
