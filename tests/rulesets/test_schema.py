"""The shape of the ruleset file, as the OpenAPI document shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from app.errors import InvalidInputError
from app.routing.ruleset import read_ruleset
from tests.support.document import read_document

ROOT = Path(__file__).parents[2]
DOCUMENT = read_document()
LANGUAGE = (ROOT / "docs/rule-language.md").read_text(encoding="utf-8")
EXAMPLES = {
    "demo": (ROOT / "app/demo/ruleset.json").read_text(encoding="utf-8"),
    "language": LANGUAGE.partition("```json\n")[2].partition("```")[0],
    "second": (ROOT / "tests/data/rulesets/schema-2.json").read_text(encoding="utf-8"),
    "first": (ROOT / "tests/data/rulesets/schema-1.json").read_text(encoding="utf-8"),
}
VIP = {"fact": "caller.vip", "op": "is", "value": True}
STAY = {"no_change": True}


def fits(document: object) -> bool:
    """Tell whether the document shows this shape of a ruleset file."""
    schema = {"$ref": "#/components/schemas/Ruleset", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema).is_valid(document)


def loads(document: object) -> bool:
    """Tell whether the service reads it."""
    try:
        read_ruleset(document)
    except InvalidInputError:
        return False
    return True


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_the_shape_that_is_shown(name: str) -> None:
    """The rulesets of the demo, of the documents and of the first version fit the schema."""
    document = json.loads(EXAMPLES[name])

    assert (fits(document), loads(document)) == (True, True)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"rules": [{"id": "a", "whem": VIP, "then": STAY}]}, id="unknown key"),
        pytest.param({"rules": [{"id": "a", "when": {**VIP, "op": "equals"}, "then": STAY}]}, id="unknown operator"),
        pytest.param({"rules": [{"id": "a", "when": {"all": [{"not": VIP}, {"any": 1}]}, "then": STAY}]}, id="nested"),
        pytest.param({"rules": [{"when": VIP, "then": STAY}]}, id="rule without id"),
        pytest.param({"rules": [{"id": "a", "when": VIP}]}, id="rule without action"),
        pytest.param({"destinations": {"vip": {"kind": "fax", "id": "1"}}}, id="unknown kind"),
        pytest.param({"calendars": {"office": {"weekly": {"mon": ["08:00-16:00"]}}}}, id="calendar without zone"),
        pytest.param({"calendars": {"office": {"time_zone": "UTC", "holidays": "FI"}}}, id="holidays as a text"),
        pytest.param([], id="no object"),
    ],
)
def test_what_does_not_fit_is_refused(document: Any) -> None:
    """A client that checks against the schema finds what the service would refuse."""
    assert (fits(document), loads(document)) == (False, False)


def test_parts_that_are_set_one_by_one_have_their_shape() -> None:
    """Rules, destinations, calendars and tests are bodies of their own, described field by field."""
    bodies = {
        path.removeprefix("/admin/rulesets/{ref}"): content["schema"]["$ref"].rpartition("/")[2]
        for path, members in DOCUMENT["paths"].items()
        for method, operation in members.items()
        if path.startswith("/admin/rulesets/{ref}") and method in {"put", "post"}
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }

    assert (
        bodies.items()
        >= {
            "": "Ruleset",
            "/rules": "Rule",
            "/rules/{rule_id}": "Rule",
            "/destinations/{name}": "DestinationSpec",
            "/calendars/{name}": "Calendar",
            "/rotas/{name}": "Rota",
            "/tests/{name}": "StoredTest",
        }.items()
    )
    assert "same caller" in DOCUMENT["components"]["schemas"]["Rule"]["properties"]["share"]["description"]
