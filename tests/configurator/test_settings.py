"""Settings groups through the front door: shown, changed, refused, restored, exported and imported."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsDatetime, IsPartialDict

from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, Service

PATH = "/admin/settings"
EXPORTS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[1] / "data" / "settings_exports").glob("*.json"))
}
GROUPS = ["smart-routing", "channel-provider", "phone-call-sync", "general", "alerts", "retention", "reports"]


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation, with the deadline that is usual."""
    async with open_organisation(tmp_path, webhook={"deadline_ms": None}) as organisation:
        yield organisation


async def change(
    service: Service, group: str, values: dict[str, Any], version: object | None, *, key: str = ADMIN_KEY
) -> httpx.Response:
    """Change values of a group, made from a version of it."""
    headers = {"Authorization": f"Bearer {key}"} | ({} if version is None else {"If-Match": f'"{version}"'})
    return await service.client.patch(f"{PATH}/{group}", json=values, headers=headers)


async def test_every_group_is_listed_and_shown_with_its_schema(organisation: Organisation) -> None:
    """Values come with source, default, unit and meaning, and the schema has a form field for each."""
    listed = (await organisation.get(PATH)).json()["items"]
    shown = await organisation.get(f"{PATH}/smart-routing")
    schemas = {group: (await organisation.get(f"{PATH}/{group}/schema")).json() for group in GROUPS}

    assert [(each["group"], each["version"]) for each in listed] == [(group, 0) for group in GROUPS]
    assert (shown.headers["etag"], shown.json()["version"]) == ('"0"', 0)
    assert shown.json()["values"]["deadline_ms"] == {
        "value": 1500,
        "source": "default",
        "default": 1500,
        "unit": "milliseconds",
        "description": "Total time for one answer, in milliseconds.",
    }
    for group, schema in schemas.items():
        values = (await organisation.get(f"{PATH}/{group}")).json()["values"]
        assert list(schema["properties"]) == list(values)
        assert schema["additionalProperties"] is False
    assert schemas["smart-routing"]["properties"]["account_depth"] == IsPartialDict(
        {"type": "integer", "minimum": 0, "maximum": 5, "default": 2, "unit": "accounts"}
    )


async def test_a_value_is_saved_and_returned_to_its_default(organisation: Organisation) -> None:
    """Each change is a version of its own; null takes back what was saved, and what is not named stays."""
    service = organisation.service
    first = await change(service, "smart-routing", {"account_depth": 4, "deadline_ms": 1200}, 0)
    second = await change(service, "smart-routing", {"account_depth": None}, 1)

    assert (first.status_code, first.headers["etag"]) == (200, '"1"')
    assert second.json()["version"] == 2
    assert {
        name: (value["value"], value["source"])
        for name, value in second.json()["values"].items()
        if name in {"account_depth", "deadline_ms"}
    } == {"account_depth": (2, "default"), "deadline_ms": (1200, "saved")}
    assert await organisation.list_audit(target="settings/smart-routing") == [
        ("anna", "settings.changed", "settings/smart-routing"),
        ("anna", "settings.changed", "settings/smart-routing"),
    ]


async def test_objects_are_merged_member_by_member(organisation: Organisation) -> None:
    """A merge patch adds and removes members without naming the others (RFC 7396)."""
    service = organisation.service
    await change(service, "smart-routing", {"targets": {"queue": "Q:{id}", "user": "U:{id}"}}, 0)
    merged = await change(service, "smart-routing", {"targets": {"queue": None, "number": "T:{id}"}}, 1)

    assert merged.json()["values"]["targets"]["value"] == {"user": "U:{id}", "number": "T:{id}"}


@pytest.mark.parametrize(
    ("group", "values", "pointers"),
    [
        ("smart-routing", {"deadline_ms": "soon"}, ["/deadline_ms"]),
        ("smart-routing", {"deadline_ms": 49}, ["/deadline_ms"]),
        ("smart-routing", {"deadline": 100}, ["/deadline"]),
        ("smart-routing", {"default_region": "XX"}, ["/default_region"]),
        ("smart-routing", {"default_region": "fi", "account_depth": 9}, ["/default_region", "/account_depth"]),
        ("smart-routing", {"targets": {"queue": "no place"}}, ["/targets"]),
        ("smart-routing", {"contact_phone_columns": ["Mobile Phone", "mobilephone"]}, ["/contact_phone_columns/0"]),
        ("smart-routing", {"criteria": [{"table": "lead", "column": "x", "value": 1}]}, ["/criteria/0/table"]),
        ("smart-routing", {"fields": {"priority": {"key": "InitialTarget", "shape": "number"}}}, ["/fields"]),
        ("channel-provider", {"framework": "cif3"}, ["/framework"]),
        ("phone-call-sync", {"time_zone": "Europe/Nowhere"}, ["/time_zone"]),
        ("phone-call-sync", {"overnight_from": "25:00"}, ["/overnight_from"]),
        ("phone-call-sync", {"office_hours": {"mon": ["8-16"]}}, ["/office_hours/mon/0"]),
        ("phone-call-sync", {"default_crm_assignee": "anna"}, ["/default_crm_assignee"]),
        ("retention", {"decisions_days": 0}, ["/decisions_days"]),
    ],
)
async def test_wrong_values_are_refused_by_place(
    organisation: Organisation, group: str, values: dict[str, Any], pointers: list[str]
) -> None:
    """Every mistake is told with a pointer into what was sent, and nothing is saved, the good values neither."""
    refused = await change(organisation.service, group, values, 0)

    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == pointers
    assert (await organisation.get(f"{PATH}/{group}")).json()["version"] == 0


@pytest.mark.parametrize(("version", "status"), [(None, 428), (1, 412), ("w", 412)])
async def test_a_change_names_the_version_it_is_made_from(
    organisation: Organisation, version: object, status: int
) -> None:
    """Without one, or with another, nothing is lost and nothing changed."""
    refused = await change(organisation.service, "retention", {"decisions_days": 5}, version)

    assert (refused.status_code, (await organisation.get(f"{PATH}/retention")).json()["version"]) == (status, 0)


async def test_what_the_environment_sets_cannot_be_changed_here(tmp_path: Path) -> None:
    """It is shown as such, and the refusal names the variable; nothing else of the same change is saved."""
    async with open_organisation(tmp_path, phone={"default_region": "SE"}) as organisation:
        shown = (await organisation.get(f"{PATH}/smart-routing")).json()["values"]["default_region"]
        refused = await change(organisation.service, "smart-routing", {"default_region": "DE", "account_depth": 1}, 0)
        document = {"schema": 1, "groups": {"smart-routing": {"default_region": "DE"}}}
        imported = await organisation.send("POST", f"{PATH}/import", document)
        after = (await organisation.get(f"{PATH}/smart-routing")).json()

    assert (shown["value"], shown["source"], shown["default"]) == ("SE", "environment", "FI")
    assert (refused.status_code, imported.status_code) == (409, 409)
    assert "SMARTROUTING_PHONE__DEFAULT_REGION" in refused.json()["detail"]
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/default_region"]
    assert (after["version"], after["values"]["account_depth"]["value"]) == (0, 2)


async def test_versions_are_listed_and_restored(organisation: Organisation) -> None:
    """A restored version is a new one; 0 is what held before anybody saved, and an unknown one is not found."""
    service = organisation.service
    for version, depth in enumerate((1, 3)):
        await change(service, "smart-routing", {"account_depth": depth}, version)
    restored = await organisation.send("POST", f"{PATH}/smart-routing/restore", {"version": 1})
    cleared = await organisation.send("POST", f"{PATH}/smart-routing/restore", {"version": 0})
    unknown = await organisation.send("POST", f"{PATH}/smart-routing/restore", {"version": 9})
    stale = await service.client.post(
        f"{PATH}/smart-routing/restore",
        json={"version": 1},
        headers={"Authorization": f"Bearer {ADMIN_KEY}", "If-Match": '"1"'},
    )
    first = (await organisation.get(f"{PATH}/smart-routing/history", limit=3)).json()
    rest = (await organisation.get(f"{PATH}/smart-routing/history", after=first["next"])).json()

    assert (restored.json()["version"], restored.json()["values"]["account_depth"]["value"]) == (3, 1)
    assert (cleared.json()["version"], cleared.json()["values"]["account_depth"]["source"]) == (4, "default")
    assert (unknown.status_code, stale.status_code) == (404, 412)
    assert [(item["version"], item["values"]) for item in [*first["items"], *rest["items"]]] == [
        (4, {}),
        (3, {"account_depth": 1}),
        (2, {"account_depth": 3}),
        (1, {"account_depth": 1}),
    ]
    assert first["items"][0] == {"version": 4, "author": "anna", "at": IsDatetime(iso_string=True), "values": {}}


async def test_an_export_is_imported_as_a_whole(organisation: Organisation) -> None:
    """A dry run tells the difference first; an import makes the groups it names equal to the export."""
    service = organisation.service
    await change(service, "retention", {"decisions_days": 30, "jobs_days": 7}, 0)
    await change(service, "channel-provider", {"framework": "cif2"}, 0)
    export = (await organisation.get(f"{PATH}/export")).json()
    await change(service, "retention", {"decisions_days": 40, "alerts_days": 3, "jobs_days": None}, 1)

    planned = await organisation.send("POST", f"{PATH}/import", export, dry_run=True)
    between = (await organisation.get(f"{PATH}/retention")).json()["version"]
    imported = await organisation.send("POST", f"{PATH}/import", export)
    again = await organisation.send("POST", f"{PATH}/import", export)

    differences = [
        {"group": "retention", "key": "decisions_days", "before": 40, "after": 30},
        {"group": "retention", "key": "alerts_days", "before": 3, "after": None},
        {"group": "retention", "key": "jobs_days", "before": None, "after": 7},
    ]
    assert export == {
        "schema": 1,
        "groups": {
            "smart-routing": {},
            "channel-provider": {"framework": "cif2"},
            "phone-call-sync": {},
            "general": {},
            "alerts": {},
            "retention": {"decisions_days": 30, "jobs_days": 7},
            "reports": {},
        },
    }
    assert (planned.json(), between) == ({"applied": False, "changes": differences}, 2)
    assert imported.json() == {"applied": True, "changes": differences}
    assert again.json() == {"applied": True, "changes": []}
    assert (await organisation.get(f"{PATH}/export")).json() == export


async def test_an_import_with_a_mistake_changes_nothing(organisation: Organisation) -> None:
    """Every mistake of every group is told by its place in the export."""
    groups = {
        "retention": {"decisions_days": 30},
        "smart-routing": {"deadline_ms": 1, "colour": "red"},
        "weather": {},
    }
    unknown = await organisation.send("POST", f"{PATH}/import", {"schema": 1, "groups": groups})
    del groups["weather"]
    wrong = await organisation.send("POST", f"{PATH}/import", {"schema": 1, "groups": groups})
    later = await organisation.send("POST", f"{PATH}/import", {"schema": 2, "groups": {}})

    assert [error["pointer"] for error in unknown.json()["errors"]] == ["/groups/weather"]
    assert [error["pointer"] for error in wrong.json()["errors"]] == [
        "/groups/smart-routing/colour",
        "/groups/smart-routing/deadline_ms",
    ]
    assert {answer.status_code for answer in (unknown, wrong, later)} == {422}
    assert {group["version"] for group in (await organisation.get(PATH)).json()["items"]} == {0}


@pytest.mark.parametrize("document", EXPORTS.values(), ids=EXPORTS)
async def test_exports_of_every_schema_version_load(organisation: Organisation, document: dict[str, Any]) -> None:
    """What an earlier version of the program exported is taken in by this one."""
    answer = await organisation.send("POST", f"{PATH}/import", document)

    assert answer.status_code == 200, answer.text
    kept = (await organisation.get(f"{PATH}/export")).json()["groups"]
    assert {name: kept[name] for name in document["groups"]} == document["groups"]


async def test_a_change_that_breaks_the_live_rules_is_refused(organisation: Organisation) -> None:
    """A wire key that the live ruleset needs cannot be taken away, however the change is made."""
    service = organisation.service
    await change(service, "smart-routing", {"fields": {"priority": {"key": "Prio", "shape": "number"}}}, 0)
    rules = {
        "destinations": {"vip": {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e"}},
        "rules": [
            {
                "id": "gold",
                "when": {"fact": "caller.vip", "op": "is", "value": True},
                "then": {"redirect": "vip", "priority": 5},
            }
        ],
        "tests": [
            {"name": "gold", "call": {"anum": "+358501234567"}, "caller": {"vip": True}, "expect": {"rule": "gold"}}
        ],
    }
    draft = await organisation.send("POST", "/admin/rulesets/drafts", {"name": "gold", "document": rules})
    published = await service.client.post(
        f"/admin/rulesets/{draft.json()['ref']}/publish",
        json={"comment": "gold", "expected_revision": None},
        headers={"Authorization": f"Bearer {ADMIN_KEY}", "If-Match": draft.headers["ETag"]},
    )
    removed = await change(service, "smart-routing", {"fields": {"priority": None}}, 1)
    restored = await organisation.send("POST", f"{PATH}/smart-routing/restore", {"version": 0})
    imported = await organisation.send(
        "POST", f"{PATH}/import", {"schema": 1, "groups": {"smart-routing": {}}}, dry_run=True
    )

    assert published.status_code == 200, published.text
    assert {answer.status_code for answer in (removed, restored, imported)} == {409}
    assert "gold" in removed.json()["detail"]
    assert (await organisation.get(f"{PATH}/smart-routing")).json()["version"] == 1


async def test_only_administrators_change_settings(organisation: Organisation) -> None:
    """A program reads them, an end user does not."""
    statuses = {
        key: (
            (await organisation.get(f"{PATH}/retention", key=key)).status_code,
            (await change(organisation.service, "retention", {"jobs_days": 1}, 0, key=key)).status_code,
            (await organisation.get(f"{PATH}/export", key=key)).status_code,
        )
        for key in (PROGRAM_KEY, USER_KEY, "stranger")
    }

    assert statuses == {PROGRAM_KEY: (200, 403, 403), USER_KEY: (403, 403, 403), "stranger": (401, 401, 401)}


async def test_a_group_nobody_knows_is_not_found(organisation: Organisation) -> None:
    """The answer names the groups there are."""
    answers = [
        await organisation.get(f"{PATH}/weather"),
        await organisation.get(f"{PATH}/weather/schema"),
        await organisation.get(f"{PATH}/weather/history"),
        await change(organisation.service, "weather", {}, 0),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert "smart-routing" in answers[0].json()["detail"]
